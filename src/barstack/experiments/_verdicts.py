"""Verdicts as views: computed when read, from an evaluation and the ledger as it is then."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from barstack.core.errors import ConfigError, StorageError
from barstack.evaluation import Evaluation, Verdict, judge, leaderboard
from barstack.evaluation.audit import AuditRecord
from barstack.tracking import Store, Trial, open_store

from ._audit import Audited
from ._engine import Engine

T = TypeVar("T")
VERDICT = "verdict.json"
EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class DatedVerdict:
    """A verdict, and when it was given.

    Attributes
    ----------
    given_at      UTC, ISO text
    ledger_head   hash over all trials recorded by then
    trial         id of the judged ensemble's trial at its first horizon
    symbols       whose trials count
    large_effect  the study's reason for an implausibly large effect; "" for none
    """

    verdict: Verdict
    given_at: str
    ledger_head: str
    trial: str
    symbols: tuple[str, ...]
    large_effect: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        return {
            "given_at": self.given_at,
            "ledger_head": self.ledger_head,
            "trial": self.trial,
            "symbols": list(self.symbols),
            "large_effect": self.large_effect,
            "verdict": self.verdict.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DatedVerdict:
        """The verdict that `to_json` wrote."""
        verdict, symbols = Verdict.from_json(data["verdict"]), tuple(data["symbols"])
        return cls(**{**data, "verdict": verdict, "symbols": symbols})


class Judged(NamedTuple):
    """An evaluation and the verdict on it."""

    evaluation: Evaluation
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """Both as the command line prints them, each p-value for the number of trials."""
        verdict = self.verdict.to_json()
        audits = verdict.pop("audits")
        scores = leaderboard(self.evaluation, self.verdict.trials)
        more = {"scores": scores, "verdict": verdict, "audits": audits}
        return self.evaluation.to_json() | more


def judge_study(engine: Engine, trials: Sequence[Trial]) -> DatedVerdict:
    """For the trials recorded by now.

    Nothing is called supported before a fold has been audited in full; `LeakError` where that
    finds a leak which the study does not allow.
    """
    audits: list[Audited] = [engine.value("audit")]
    found = _judge(engine, trials[0], audits)
    if found.edge == "supported":
        audits.append(engine.value("full_audit"))
        found = _judge(engine, trials[0], audits)
    return DatedVerdict(
        found,
        datetime.now(UTC).isoformat(timespec="seconds"),
        engine.forecasts.head(),
        trials[0].id,
        trials[0].symbols,
        engine.study.large_effect,
    )


def _judge(engine: Engine, trial: Trial, audits: Sequence[Audited]) -> Verdict:
    records = [each.record for each in audits]
    return _of_ledger(
        engine.value("evaluation"),
        engine.forecasts,
        trial.id,
        trial.symbols,
        records,
        engine.study.large_effect,
    )


def _of_ledger(
    evaluation: Evaluation,
    store: Store,
    trial: str,
    symbols: Sequence[str],
    audits: Sequence[AuditRecord],
    expected: str,
    at_least: int = 1,
) -> Verdict:
    return judge(
        evaluation,
        trials=max(store.count(symbols), at_least),
        looks=max(store.looks(trial), 1),
        leaks=sum(each.leaks for each in audits),
        audits=audits,
        expected=expected,
    )


def judged_now(run: Path) -> Judged:
    """The evaluation in a run's folder, judged for the trials that the ledger beside it holds now.

    Where the ledger is not there, as of a run that was copied, those count that were recorded
    when the verdict was given.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = bs.run(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    ...     judged = judged_now(run.folder)
    >>> judged.verdict.edge
    'none'
    """
    evaluation = read_json(run, EVALUATION, Evaluation.from_json)
    given = read_json(run, VERDICT, DatedVerdict.from_json)
    before = given.verdict
    verdict = _of_ledger(
        evaluation,
        open_store(run.resolve().parent),
        given.trial,
        given.symbols,
        before.audits,
        given.large_effect,
        at_least=before.trials,
    )
    return Judged(evaluation, verdict)


def read_json(run: Path, name: str, parse: Callable[[Any], T]) -> T:
    """A file in the folder of a run, parsed; `ConfigError` where there is none."""
    file = run / name
    if not file.is_file():
        raise ConfigError(f"{run} is not the folder of a run: it has no {name}.")
    try:
        return parse(json.loads(file.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{file} is damaged: {error!r}. Run the study again; finished tasks are reused."
        ) from error
