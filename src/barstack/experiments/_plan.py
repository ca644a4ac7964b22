"""What a study states before its first fit, as the ledger records it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pydantic import Field

from barstack.core.errors import ConfigError
from barstack.core.spec import Spec, content_id
from barstack.tracking import Store, Trial, trials_on


class StatedPlan(Spec):
    """A hypothesis with the bar that it must pass, and how much may be tried for it.

    The first run of a study with a plan enters it in the ledger, before anything is fitted. From
    then on it cannot be changed without a second plan standing beside the first.

    >>> StatedPlan(hypothesis="Volume leads returns by an hour.", trials=20).level
    0.05
    """

    hypothesis: str
    level: float = Field(0.05, gt=0.0, le=0.5)  # that the p-value on the holdout must fall below
    trials: int = Field(0, ge=0)  # most trials on these instruments from now on; 0: any number


def register(store: Store, plan: StatedPlan, holdout: str, trials: Sequence[Trial]) -> None:
    """Enter a plan ahead of the trials of a study; `ConfigError` where these exceed its budget."""
    first = trials[0]
    content = {"holdout": holdout, "plan": plan.content()}
    entry = Trial(
        id=content_id(["plan", content]),
        data="",
        name="plan",
        horizon="",
        symbols=first.symbols,
        first_at=first.first_at,
        last_at=first.last_at,
        bars=first.bars,
        kind="plan",
        note=json.dumps(content, sort_keys=True),
    )
    store.record([entry])
    if not plan.trials:
        return
    _, since = _around(store, entry.id, first)
    known = {(each.id, each.data) for each in since}
    new = sum((each.id, each.data) not in known for each in trials)
    if new and len(known) + new > plan.trials:
        raise ConfigError(
            f"The plan allows {plan.trials} trials on these instruments. {len(known)} were made "
            f"since it was registered, and this study would make {new} more. Try less, or give up "
            "the plan: a study without `preregistered` runs, and its verdict counts everything."
        )


def plan_remarks(store: Store, plan: StatedPlan, trial: Trial) -> Iterator[str]:
    """What a verdict says of the plan: when it was registered, and what had been tried by then."""
    plans = [
        each
        for each in store.trials()
        if each.kind == "plan" and json.loads(each.note)["plan"] == plan.content()
    ]
    if not plans:
        return
    first = plans[0]
    before, since = _around(store, first.id, trial)
    budget = f" of {plan.trials:,} allowed" if plan.trials else ""
    yield (
        f"Pre-registered on {first.recorded_at[:10]}: {plan.hypothesis} {len(before):,} trials on "
        f"these instruments came before, {len(since):,}{budget} since."
    )


def _around(store: Store, plan_id: str, trial: Trial) -> tuple[list[Trial], list[Trial]]:
    """Trials on a trial's instruments before a plan was registered, and since."""
    order = {(each.id, each.data): row for row, each in enumerate(store.trials())}
    at = next(row for (known, _), row in order.items() if known == plan_id)
    related = trials_on(store, trial.symbols, trial.bars)
    before = [each for each in related if order[each.id, each.data] < at]
    return before, [each for each in related if order[each.id, each.data] > at]
