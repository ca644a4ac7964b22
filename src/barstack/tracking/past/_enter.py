"""Past trials into the ledger, which counts them, and into the table of experiments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from barstack.core.errors import ConfigError
from barstack.core.spec import content_id

from .._experiment import Experiment
from .._store import Store, Trial
from .._tracker import ExperimentTracker
from ._trial import PastTrial

_AT_ONCE = 5_000
_COLUMNS = ("directional_accuracy", "mse", "rmse", "mae", "r2", "ic")
_PARAMETERS = {"batch_size": int, "learning_rate": float, "weight_decay": float}


@dataclass(frozen=True)
class Entered:
    """How many trials were read, how many of them are new to the ledger, and on what.

    groups  names of the studies, experiments or strategies
    """

    read: int
    new: int
    symbols: tuple[str, ...]
    groups: tuple[str, ...]


def enter_past(
    trials: Iterable[PastTrial],
    store: Store,
    tracker: ExperimentTracker,
    *,
    symbols: Sequence[str] = (),
    horizon: str = "",
) -> Entered:
    """Enter trials made elsewhere; entering the same again has no effect.

    Verdicts count the trials made on any of their symbols, so that each trial must name some.

    Parameters
    ----------
    trials
        As `read_past` gives them.
    symbols
        What all of them were judged on, in place of what they say themselves.
    horizon
        How far ahead they forecast, where that is known.

    >>> import tempfile
    >>> from barstack.tracking import ExperimentTracker, MemoryStore
    >>> store, tracker = MemoryStore(), ExperimentTracker(tempfile.mkdtemp())
    >>> tried = [PastTrial(source="optuna", group="lstm", number=str(n)) for n in range(3)]
    >>> enter_past(tried, store, tracker, symbols=["SPY"]).new
    3
    >>> store.count(["SPY"])
    3
    """
    source = iter(trials)
    n_read, before = 0, len(store.trials())
    seen: dict[str, None] = {}
    groups: dict[str, None] = {}
    while some := list(islice(source, _AT_ONCE)):
        n_read += len(some)
        entered = [_of_ledger(each, tuple(symbols), horizon) for each in some]
        store.record(entered)
        with tracker.batch(rows=_AT_ONCE, seconds=float("inf")):
            for past, trial in zip(some, entered, strict=True):
                tracker.finish(_experiment(past, trial))
        seen |= {name: None for trial in entered for name in trial.symbols}
        groups |= {f"{each.source}: {each.group}": None for each in some}
    return Entered(n_read, len(store.trials()) - before, tuple(seen), tuple(groups))


def _of_ledger(past: PastTrial, symbols: tuple[str, ...], horizon: str) -> Trial:
    found = symbols or past.symbols
    if not found:
        raise ConfigError(
            f"Trial {past.number} of {past.group!r} does not say which symbols it was judged on, "
            "and a verdict counts the trials on its symbols. Give --symbols SPY,QQQ."
        )
    return Trial(
        id=content_id([past.source, past.group, past.number, dict(past.params)]),
        data=content_id([past.source, sorted(found), past.timeframe, past.first_at, past.last_at]),
        name=f"{past.source}: {past.group}",
        horizon=horizon,
        symbols=found,
        first_at=past.first_at,
        last_at=past.last_at,
    )


def _experiment(past: PastTrial, trial: Trial) -> Experiment:
    known: dict[str, Any] = {name: past.measures.get(name) for name in _COLUMNS}
    for name, kind in _PARAMETERS.items():
        value = past.params.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**31:
            known[name] = kind(value)
    return Experiment(
        experiment_id=content_id([trial.id, trial.data]),
        study_id=trial.id,
        sweep_id=f"{past.source}: {past.group}",
        model_name=str(past.params.get("model") or past.group),
        horizon_name=trial.horizon,
        symbol=",".join(sorted(trial.symbols)),
        period="/".join(each[:10] for each in (past.first_at, past.last_at) if each),
        timeframe=past.timeframe,
        params=past.params,
        metrics={name: value for name, value in past.measures.items() if name not in _COLUMNS},
        started_at=past.started_at,
        finished_at=past.finished_at,
        **known,
    )
