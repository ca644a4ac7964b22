"""Runs a sweep: what is stored is reused, the rest is computed, and everything is counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from barstack.core.errors import ConfigError, StorageError
from barstack.core.times import parse_duration
from barstack.tracking import (
    Store,
    SweepSize,
    Trial,
    open_store,
    open_tracker,
)

from ._engines import ENGINES, JobEngine
from ._job import Job, Reply
from ._sweep_plan import PlannedExperiment, Sweep
from ._sweep_tracked import TrackedSweep, id_of

if TYPE_CHECKING:
    import pandas as pd

_MANY_FAILURES = 0.1  # of all that ended
_ENOUGH = 20  # experiments that ended, before anything is concluded from failures
_FLUSH_S = 1.0
_COPIES = 3  # of the feature table that a process has at once, as it is, scaled and in windows


@dataclass(frozen=True, eq=False)
class ExperimentResult:
    """How an experiment ended.

    Attributes
    ----------
    status  "completed"; "failed"; or "left", where the time budget ended before it began
    id      in the tracking database; empty where its bars could not be read
    result  what `Bench.compute` returns; None unless completed
    error   a sentence, and `kind` the class of the error; empty unless failed
    """

    experiment: PlannedExperiment
    status: Literal["completed", "failed", "left"]
    id: str = ""
    result: Mapping[str, Any] | None = None
    error: str = ""
    kind: str = ""

    def row(self) -> dict[str, Any]:
        """One line of a table of experiments."""
        each = self.experiment
        row: dict[str, Any] = {"id": self.id, "name": each.name, "status": self.status}
        row |= {"model": each.model, "horizon": each.horizon}
        row |= {path: label for path, label in each.settings.items() if path not in row}
        if self.result is not None:
            row |= {**self.result["scores"], **self.result["fit"]}
            row |= {name: self.result[name] for name in ("how", "seconds", "cpu_seconds")}
            row |= {"forecasts": self.result["trial"]["forecasts"]}
        return row | {"error": self.error}


@dataclass(frozen=True, eq=False)
class SweepResult:
    """What a sweep found.

    Attributes
    ----------
    sweep     what was run
    outcomes  of each experiment that was to run, in the order of the file
    seconds   on the clock, of this call
    notes     what a user should know, such as holes in the bars, or a common cause of failures
    """

    sweep: Sweep
    outcomes: tuple[ExperimentResult, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        count = Counter(each.status for each in self.outcomes)
        listed = ", ".join(f"{number:,} {status}" for status, number in count.items())
        return f"SweepResult({self.sweep.id}, {listed})"

    def _with(self, status: str) -> tuple[ExperimentResult, ...]:
        return tuple(each for each in self.outcomes if each.status == status)

    @property
    def completed(self) -> tuple[ExperimentResult, ...]:
        """Experiments with a result, made now or before."""
        return self._with("completed")

    @property
    def failed(self) -> tuple[ExperimentResult, ...]:
        """Experiments that ended with an error."""
        return self._with("failed")

    @property
    def left(self) -> tuple[ExperimentResult, ...]:
        """Experiments that the time budget left for another call."""
        return self._with("left")

    def to_frame(self) -> pd.DataFrame:
        """One row for each experiment: name, settings, scores, facts on its fits, and errors."""
        import pandas as pd  # noqa: PLC0415 (only for the caller's convenience)

        return pd.DataFrame([each.row() for each in self.outcomes])

    def to_json(self) -> dict[str, Any]:
        """What the command line prints with --json."""
        made = [each for each in self.completed if each.result and each.result["how"] == "made"]
        return {
            "sweep": self.sweep.id,
            "experiments": len(self.outcomes),
            "completed": len(self.completed),
            "made": len(made),
            "failed": len(self.failed),
            "left": len(self.left),
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "rows": [each.row() for each in self.outcomes],
        }


@dataclass
class _Ledger:
    """Enters trials into the ledger, a batch at a time; each commit waits for the disk."""

    store: Store
    waiting: list[Trial] = field(default_factory=list)
    flushed_at: float = field(default_factory=time.monotonic)

    def add(self, trial: Mapping[str, Any]) -> None:
        """Count an experiment that was stored, where a ledger of before does not know it."""
        content = dict(trial) | {"symbols": tuple(trial["symbols"])}
        self.waiting.append(Trial(**content))
        if time.monotonic() - self.flushed_at > _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        waiting, self.waiting, self.flushed_at = self.waiting, [], time.monotonic()
        self.store.record(waiting)


class Watch:
    """Hears how a sweep goes on; whoever shows it to people overrides what it needs."""

    def began(self, what: str, total: int) -> None:
        """A stretch of work begins: "preparing" or "experiments"."""

    def ended(self, outcome: ExperimentResult) -> None:
        """An experiment has ended."""

    def prepared(self) -> None:
        """The data of some experiments are ready."""

    def note(self, text: str) -> None:
        """Something that the user should know."""


def run_sweep(
    sweep: Sweep,
    *,
    folder: Path | str = ".",
    runs: Path | str = "runs",
    limit: int | None = None,
    workers: int | None = None,
    engine: str = "local",
    time_budget: float | str | None = None,
    watch: Watch | None = None,
) -> SweepResult:
    """Compute what is not stored yet of a sweep; stopped in any way, the same call goes on.

    Results of experiments are kept in `runs/.store` as those of runs are; each experiment is a
    trial in the ledger, with its forecasts out of fold. One that fails stops no other.

    Parameters
    ----------
    folder
        Where relative paths in the study start.
    runs
        Folder of runs.
    limit
        Only so many experiments, those that begin first.
    workers
        Most processes at once; by default one for each core that memory allows.
    engine
        "local", "ray" or "serial".
    time_budget
        Seconds, or a duration such as "10m" or "2h": no experiment begins that is expected to end
        later.
    watch
        Hears of each experiment that ends; by default silent.

    Raises
    ------
    ConfigError
        Where an argument is wrong.
    StorageError
        Where results cannot be stored. What was finished is kept.
    """
    begin = time.monotonic()
    seconds = budget_s(time_budget)
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit}. Give 1 or more, or leave it out for all.")
    if workers is not None and workers < 1:
        raise ConfigError(f"max workers is {workers}. Give 1 or more.")
    chosen = in_order(sweep)[:limit]
    runs, folder = Path(runs), Path(folder)
    deadline = None if seconds is None else begin + seconds
    with open_tracker(runs) as tracker, ENGINES.get(engine)(runs, folder, workers) as jobs:
        tracked = TrackedSweep(tracker, sweep.id)
        run = _SweepRun(chosen, open_store(runs), tracked, watch or Watch())
        tracker.note_sweep(SweepSize(sweep.id, sweep.title, len(chosen)))
        with tracker.batch():
            run.compute(jobs, deadline)
            outcomes, notes = dict(run.outcomes), list(run.notes)
            if sweep.feature_phase is not None and len(chosen) == len(sweep.experiments):
                further = _further(sweep, run, runs, folder)
                if further:
                    planned = len(chosen) + len(further)
                    tracker.note_sweep(SweepSize(sweep.id, sweep.title, planned))
                    again = _SweepRun(further, run.store, tracked, run.watch)
                    again.compute(jobs, deadline)
                    outcomes |= again.outcomes
                    notes += [each for each in again.notes if each not in notes]
    found = sorted(outcomes.values(), key=lambda each: each.experiment.number)
    return SweepResult(sweep, tuple(found), time.monotonic() - begin, tuple(notes))


def _further(sweep: Sweep, run: _SweepRun, runs: Path, folder: Path) -> Sequence[PlannedExperiment]:
    """The best experiments with more features, once all of the sweep have ended."""
    from barstack.evaluation.sweeps import sweep_table  # noqa: PLC0415 (for few, and slow)

    from ._further import further_experiments  # noqa: PLC0415
    from ._sweep_reading import SweepReading  # noqa: PLC0415

    assert sweep.feature_phase is not None
    ended = list(run.outcomes.values())
    reading = SweepReading(run.store, runs, folder)
    for each in ended:
        if each.result is not None:
            reading.add(each.experiment, each.result["trial"]["forecasts"])
    if not reading.series or any(each.status == "left" for each in ended):
        return ()
    table = sweep_table(reading.series)
    return further_experiments(sweep.feature_phase, sweep.experiments, table, reading.bar_length_us)


def in_order(sweep: Sweep) -> list[PlannedExperiment]:
    """Experiments as they begin: those of a higher priority first, else as in the file."""
    return sorted(sweep.experiments, key=lambda each: (-each.priority, each.number))


def budget_s(budget: float | str | None) -> float | None:
    """Seconds of a time budget.

    >>> budget_s("10m"), budget_s("2h"), budget_s(90), budget_s(None)
    (600.0, 7200.0, 90.0, None)
    """
    if budget is None:
        return None
    if isinstance(budget, str):
        text = budget.strip()
        if text.endswith("m"):
            text += "in"
        budget = parse_duration(text) / 1e6 if not text.replace(".", "").isdigit() else float(text)
    if not budget > 0:
        raise ConfigError(f"The time budget is {budget!r}. Give more than 0 seconds, or 10m or 2h.")
    return float(budget)


class _SweepRun:
    """One call: what is shared by group, and the outcomes so far by number of the experiment."""

    def __init__(
        self,
        chosen: Sequence[PlannedExperiment],
        store: Store,
        tracked: TrackedSweep,
        watch: Watch,
    ) -> None:
        self.chosen, self.tracked, self.watch = chosen, tracked, watch
        self.store, self.ledger = store, _Ledger(store)
        self.outcomes: dict[int, ExperimentResult] = {}
        self.shared: dict[str, Mapping[str, Any]] = {}
        self.notes: list[str] = []
        self._seconds: dict[str, list[float]] = {}  # of experiments made, by model
        self._warned = False

    def compute(self, engine: JobEngine, deadline: float | None) -> None:
        """All of it that there is time for."""
        self.prepare(engine)
        self.experiments(engine, deadline)

    def prepare(self, engine: JobEngine) -> None:
        """Make what experiments share, once for each group; where that fails they all do."""
        groups: dict[str, list[PlannedExperiment]] = {}
        for each in self.chosen:
            groups.setdefault(each.group, []).append(each)
        firsts = [own[0] for own in groups.values()]
        jobs = {each.number: Job(each.number, "prepare", each.study.content()) for each in firsts}
        self.watch.began("preparing", len(jobs))
        of_number = {each.number: each.group for each in firsts}
        for reply in engine.replies(jobs.values(), len(jobs)):
            self._check(reply)
            group = of_number[reply.number]
            self.watch.prepared()
            if reply.result is None:
                for each in groups[group]:
                    self._failed(each, reply)
                continue
            self.shared[group] = reply.result
            for note in reply.result["notes"]:
                self._note(note)

    def experiments(self, engine: JobEngine, deadline: float | None) -> None:
        """Compute what is left, and count it."""
        ready = [each for each in self.chosen if each.group in self.shared]
        by_number = {each.number: each for each in self.chosen}
        self.watch.began("experiments", len(ready))
        try:
            for reply in engine.replies(self._jobs(ready, deadline), len(ready)):
                self._check(reply)
                each = by_number[reply.number]
                if reply.result is None:
                    self._failed(each, reply)
                else:
                    self._completed(each, reply.result)
        finally:
            self.ledger.flush()
        for each in self.chosen:
            if each.number not in self.outcomes:
                self.outcomes[each.number] = ExperimentResult(each, "left", self._id(each))

    def _jobs(self, ready: Sequence[PlannedExperiment], deadline: float | None) -> Iterator[Job]:
        for each in ready:
            known = self._seconds.get(each.model) or [
                mean for own in self._seconds.values() for mean in own
            ]
            expected = sum(known) / len(known) if known else 0.0
            if deadline is not None and time.monotonic() + expected > deadline:
                return
            shared = self.shared[each.group]
            self.tracked.start(each, shared)
            memory = _COPIES * int(shared["bytes"])
            content = each.study.content()
            yield Job(
                each.number, "experiment", content, each.horizon, shared, memory, name=each.name
            )

    def _completed(self, each: PlannedExperiment, result: Mapping[str, Any]) -> None:
        self.ledger.add(result["trial"])
        self.tracked.finish(each, self.shared[each.group], result)
        if result["how"] == "made":
            self._seconds.setdefault(each.model, []).append(result["seconds"])
        self._end(ExperimentResult(each, "completed", self._id(each), result))

    def _failed(self, each: PlannedExperiment, reply: Reply) -> None:
        self.tracked.fail(each, self.shared.get(each.group), f"{reply.kind}: {reply.error}")
        self._end(ExperimentResult(each, "failed", self._id(each), None, reply.error, reply.kind))

    def _id(self, each: PlannedExperiment) -> str:
        shared = self.shared.get(each.group)
        if shared is None:
            return ""
        return id_of(each, each.study.run_id(shared["judged_on"]["data"]))

    def _end(self, outcome: ExperimentResult) -> None:
        self.outcomes[outcome.experiment.number] = outcome
        self.watch.ended(outcome)
        failed = [each for each in self.outcomes.values() if each.status == "failed"]
        if (
            not self._warned
            and len(self.outcomes) >= min(_ENOUGH, len(self.chosen))
            and len(failed) > _MANY_FAILURES * len(self.outcomes)
        ):
            self._warned = True
            self._note(common_cause(list(self.outcomes.values())))

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            self.watch.note(text)

    def _check(self, reply: Reply) -> None:
        """A disk that refuses is a fault of no experiment: end, and let the user see to it."""
        if reply.storage:
            raise StorageError(reply.error)


def common_cause(outcomes: Sequence[ExperimentResult]) -> str:
    """A sentence on failures: how many, the error that most have, and what these have in common.

    A setting is named where all of them share its value and experiments that did well do not.
    """
    failed = [each for each in outcomes if each.status == "failed"]
    (sentence, count), *_ = Counter(f"{each.kind}: {each.error}" for each in failed).most_common(1)
    alike = [each for each in failed if f"{each.kind}: {each.error}" == sentence]
    well = [each for each in outcomes if each.status == "completed"]
    shared = []
    for path, label in alike[0].experiment.settings.items():
        if all(each.experiment.settings.get(path) == label for each in alike) and any(
            each.experiment.settings.get(path) != label for each in well
        ):
            shared.append(f"{path} {label}")
    common = f" All of these have {', '.join(shared)}." if shared else ""
    share = len(failed) / len(outcomes)
    return (
        f"{len(failed):,} of {len(outcomes):,} experiments failed ({share:.0%}), {count:,} of them "
        f"with: {sentence}{common}"
    )
