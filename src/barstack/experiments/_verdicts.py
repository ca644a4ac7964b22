"""Verdicts as views: computed when read, from an evaluation and the ledger as it is then."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from barstack.core.errors import ConfigError, StorageError
from barstack.evaluation import Evaluation, Verdict, judge, leaderboard
from barstack.evaluation.audit import AuditRecord
from barstack.tracking import Anchor, Trial, open_store

from ._audit import Audited
from ._counting import VERDICT, Counted, Looked, anchors_of, count_trials
from ._engine import Engine
from ._plan import plan_remarks

T = TypeVar("T")
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
    bars          key of their prints in the ledger, by which they are recognised
    anchors       state of each ledger that was counted from
    large_effect  the study's reason for an implausibly large effect; "" for none
    """

    verdict: Verdict
    given_at: str
    ledger_head: str
    trial: str
    symbols: tuple[str, ...]
    large_effect: str = ""
    bars: str = ""
    anchors: tuple[Anchor, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        return {
            "given_at": self.given_at,
            "ledger_head": self.ledger_head,
            "trial": self.trial,
            "symbols": list(self.symbols),
            "large_effect": self.large_effect,
            "bars": self.bars,
            "anchors": [asdict(each) for each in self.anchors],
            "verdict": self.verdict.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DatedVerdict:
        """The verdict that `to_json` wrote."""
        verdict, symbols = Verdict.from_json(data["verdict"]), tuple(data["symbols"])
        anchors = tuple(Anchor(**each) for each in data.get("anchors", ()))
        return cls(**{**data, "verdict": verdict, "symbols": symbols, "anchors": anchors})


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
    anchors = anchors_of(engine.forecasts)
    counted = count_trials(engine.forecasts, trials[0], engine.folder.parent)
    if (plan := engine.study.preregistered) is not None:
        registered = plan_remarks(engine.forecasts, plan, trials[0])
        counted = replace(counted, remarks=[*registered, *counted.remarks])
    found = _judge(engine, counted, audits)
    if found.edge == "supported":
        audits.append(engine.value("full_audit"))
        found = _judge(engine, counted, audits)
    return DatedVerdict(
        found,
        datetime.now(UTC).isoformat(timespec="seconds"),
        engine.forecasts.head(),
        trials[0].id,
        trials[0].symbols,
        engine.study.large_effect,
        trials[0].bars,
        anchors,
    )


def _judge(engine: Engine, counted: Counted, audits: Sequence[Audited]) -> Verdict:
    records = [each.record for each in audits]
    return _of_ledger(engine.value("evaluation"), counted, records, engine.study.large_effect)


def _of_ledger(
    evaluation: Evaluation, counted: Counted, audits: Sequence[AuditRecord], expected: str
) -> Verdict:
    return judge(
        evaluation,
        trials=counted.trials,
        looks=counted.looks,
        leaks=sum(each.leaks for each in audits),
        audits=audits,
        expected=expected,
        remarks=counted.remarks,
        ledger=counted.ledger,
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
    runs = run.resolve().parent
    judged = Looked(given.trial, given.symbols, given.bars)
    counted = count_trials(open_store(runs), judged, runs, at_least=before.trials)
    verdict = _of_ledger(evaluation, counted, before.audits, given.large_effect)
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
