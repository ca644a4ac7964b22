"""What a sweep has found, from the tracking database and stored forecasts: nothing is fitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from barstack.core.errors import ConfigError, DataError
from barstack.evaluation.sweeps import (
    SweepAnswers,
    SweepGate,
    SweepTable,
    answer_sweep,
    sweep_table,
)
from barstack.tracking import Experiment, open_store, open_tracker

from ._further import best_of, further_experiments, phase_table
from ._sweep_plan import PlannedExperiment, Sweep
from ._sweep_reading import SweepReading

_MOST_ERRORS = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class SweepFindings:
    """Answers to a sweep's questions, with the figures behind them.

    Attributes
    ----------
    sweep
        What was run.
    answers
        To the research questions, and what luck does.
    gate
        The verdict on the best experiment, after costs and for all trials.
    experiments
        One row for each: name, status, settings and scores.
    further
        The same of the best experiments with more features, where the sweep has such a phase.
    failed, left
        How many ended with an error, and how many have not ended.
    errors
        The most frequent ones, each with its count.
    """

    sweep: Sweep
    answers: SweepAnswers
    gate: SweepGate
    experiments: tuple[Mapping[str, Any], ...]
    failed: int
    left: int
    errors: Mapping[str, int]
    further: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain data, without the rows of experiments."""
        return {
            "sweep": self.sweep.id,
            "experiments": len(self.experiments),
            "further": len(self.further),
            "failed": self.failed,
            "left": self.left,
            "errors": dict(self.errors),
            "gate": asdict(self.gate),
            **self.answers.to_json(),
        }


def sweep_findings(
    sweep: Sweep, *, folder: Path | str = ".", runs: Path | str = "runs"
) -> SweepFindings:
    """Answer a sweep's questions by the experiments that have completed.

    Parameters
    ----------
    sweep
        That was run, in part or whole.
    folder
        Where relative paths in the study start.
    runs
        Folder of runs, which holds the forecasts.

    Raises
    ------
    ConfigError
        Where no experiment of the sweep has completed.
    DataError
        Where they share too few decisions.

    >>> import tempfile
    >>> from barstack.experiments import run_sweep
    >>> sweep = Sweep(
    ...     study={"bars": "sample", "features": ["rsi", "body"]},
    ...     grid={"model": ["ridge"], "horizon": ["4h"], "model.penalty": [1, 1000]},
    ... )
    >>> with tempfile.TemporaryDirectory() as runs:
    ...     _ = run_sweep(sweep, runs=runs, engine="serial")
    ...     found = sweep_findings(sweep, runs=runs)
    >>> found.gate.edge, len(found.experiments)
    ('unproven', 2)
    """
    tracked = _tracked(sweep.experiments, sweep.id, runs)
    rows = [_row(each, tracked.get(each.number)) for each in sweep.experiments]
    if not any(row["status"] == "completed" for row in rows):
        raise ConfigError(
            f"No experiment of this sweep has completed in {runs}. Run it first: "
            "barstack sweep FILE, with the same --runs."
        )
    reading = SweepReading(open_store(runs), Path(runs), Path(folder))
    reading.add_completed(sweep.experiments, tracked)
    table = sweep_table(reading.series)
    further, later = _further(sweep, table, reading, runs)
    every = [*rows, *further]
    status = Counter(row["status"] for row in every)
    errors = Counter(str(row["error"]) for row in every if row["status"] == "failed")
    return SweepFindings(
        sweep=sweep,
        answers=answer_sweep(table, list(reading.combined()), later),
        gate=reading.gate(),
        experiments=tuple(rows),
        further=tuple(further),
        failed=status["failed"],
        left=len(every) - status["failed"] - status["completed"],
        errors=dict(errors.most_common(_MOST_ERRORS)),
    )


def _further(
    sweep: Sweep, table: SweepTable, reading: SweepReading, runs: Path | str
) -> tuple[list[dict[str, Any]], SweepTable | str | None]:
    """Rows of the best experiments with more features, and what to compare them by, or why not."""
    phase = sweep.feature_phase
    if phase is None:
        return [], None
    planned = further_experiments(phase, sweep.experiments, table, reading.bar_length_us)
    tracked = _tracked(planned, sweep.id, runs)
    again = SweepReading(reading.store, reading.runs, reading.folder)
    again.add_completed(planned, tracked)
    best = best_of(phase, sweep.experiments, table)
    rows = [_row(each, tracked.get(each.number)) for each in planned]
    try:
        return rows, phase_table(table, best, reading.series, again.series)
    except DataError as error:  # too few decisions beside those that chose the best
        return rows, str(error)


def _tracked(
    experiments: Sequence[PlannedExperiment], sweep_id: str, runs: Path | str
) -> dict[int, Experiment]:
    """The latest row of each experiment, by its number.

    One that another sweep has completed before is that one's row.
    """
    with open_tracker(runs) as tracker:
        found = _by_number(experiments, tracker.experiments(sweep_id))
        if len(found) < len(experiments):
            found = _by_number(experiments, tracker.experiments())
    return found


def _by_number(
    experiments: Sequence[PlannedExperiment], rows: Iterable[Experiment]
) -> dict[int, Experiment]:
    by_study: dict[tuple[str, str], Experiment] = {}
    for row in sorted(rows, key=lambda each: str(each.finished_at or "")):
        if "folds" in row.metrics:  # of tuning, on some folds alone
            continue
        key = row.study_id, row.horizon_name
        if row.status == "completed" or key not in by_study:
            by_study[key] = row
    return {
        each.number: by_study[each.study.id, each.horizon]
        for each in experiments
        if (each.study.id, each.horizon) in by_study
    }


def _row(each: PlannedExperiment, found: Experiment | None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": each.name, "model": each.model, "horizon": each.horizon}
    row |= {path: label for path, label in each.settings.items() if path not in row}
    row["status"] = "left" if found is None or found.status == "running" else found.status
    names = ("directional_accuracy", "ic", "r2", "rmse", "mae", "n_samples", "training_seconds")
    return row | {name: getattr(found, name, None) for name in (*names, "error")}
