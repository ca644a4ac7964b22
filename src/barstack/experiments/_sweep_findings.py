"""What a sweep has found, from the tracking database and stored forecasts: nothing is fitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.decisions import Decisions, shared_rows
from barstack.core.errors import ConfigError
from barstack.core.progress import Progress
from barstack.core.times import KnownAt, TrainedThrough
from barstack.ensembles import ENSEMBLES, Stacked
from barstack.evaluation.sweeps import (
    CombinedSeries,
    ExperimentSeries,
    NetEdge,
    SweepAnswers,
    SweepGate,
    SweepOutcomes,
    answer_sweep,
    combine_members,
    gate_of,
    net_edges,
    past_of,
    sweep_table,
)
from barstack.labels import LabelTable
from barstack.portfolio import side_of
from barstack.tracking import Experiment, OutOfFold, Store, open_store, open_tracker

from ._engine import Engine
from ._kept import KeptValues
from ._sweep_plan import PlannedExperiment, Sweep

_METHODS = ("average", "nnls", "greedy")
_LEAST_MEMBERS = 2
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

    def to_json(self) -> dict[str, Any]:
        """As plain data, without the rows of experiments."""
        return {
            "sweep": self.sweep.id,
            "experiments": len(self.experiments),
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
    tracked = _tracked(sweep, runs)
    rows = tuple(_row(each, tracked.get(each.number)) for each in sweep.experiments)
    status = Counter(row["status"] for row in rows)
    if not status["completed"]:
        raise ConfigError(
            f"No experiment of this sweep has completed in {runs}. Run it first: "
            "barstack sweep FILE, with the same --runs."
        )
    reading = _Reading(open_store(runs), Path(runs), Path(folder))
    for each in sweep.experiments:
        found = tracked.get(each.number)
        if found is not None and found.status == "completed" and found.forecasts is not None:
            reading.add(each, found.forecasts)
    errors = Counter(str(row["error"]) for row in rows if row["status"] == "failed")
    return SweepFindings(
        sweep=sweep,
        answers=answer_sweep(sweep_table(reading.series), list(reading.combined())),
        gate=reading.gate(),
        experiments=rows,
        failed=status["failed"],
        left=len(rows) - status["failed"] - status["completed"],
        errors=dict(errors.most_common(_MOST_ERRORS)),
    )


def _tracked(sweep: Sweep, runs: Path | str) -> dict[int, Experiment]:
    """The latest row of each experiment of the sweep, by its number.

    One that another sweep has completed before is that one's row.
    """
    with open_tracker(runs) as tracker:
        rows = tracker.experiments(sweep.id)
        if len(rows) < len(sweep.experiments):
            rows += tracker.experiments()
    by_study: dict[tuple[str, str], Experiment] = {}
    for row in sorted(rows, key=lambda each: str(each.finished_at or "")):
        if "folds" in row.metrics:  # of tuning, on some folds alone
            continue
        key = row.study_id, row.horizon_name
        if row.status == "completed" or key not in by_study:
            by_study[key] = row
    return {
        each.number: by_study[each.study.id, each.horizon]
        for each in sweep.experiments
        if (each.study.id, each.horizon) in by_study
    }


def _row(each: PlannedExperiment, found: Experiment | None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": each.name, "model": each.model, "horizon": each.horizon}
    row |= {path: label for path, label in each.settings.items() if path not in row}
    row["status"] = "left" if found is None or found.status == "running" else found.status
    names = ("directional_accuracy", "ic", "r2", "rmse", "mae", "n_samples", "training_seconds")
    return row | {name: getattr(found, name, None) for name in (*names, "error")}


@dataclass(eq=False)
class _Judged:
    """Decisions of one label at one horizon, and all forecasts of them."""

    planned: PlannedExperiment
    outcomes: SweepOutcomes
    labels: LabelTable
    place: int
    decisions: Decisions
    rows: Rows  # of the label table
    known: Rows  # of those, with a known label
    engine: Engine
    through: TrainedThrough  # the latest of all
    values: dict[str, Floats] = field(default_factory=dict)


@dataclass(eq=False)
class _Reading:
    """Reads forecasts and labels of experiments, each once."""

    store: Store
    runs: Path
    folder: Path
    series: list[ExperimentSeries] = field(default_factory=list)
    _kept: KeptValues = field(default_factory=KeptValues)
    _engines: dict[str, Engine] = field(default_factory=dict)
    _judged: dict[tuple[Any, ...], _Judged] = field(default_factory=dict)
    _places: dict[tuple[Any, ...], _Judged] = field(default_factory=dict)
    _latest: tuple[str, OutOfFold] | None = None  # forecasts of several horizons are read once

    def add(self, each: PlannedExperiment, key: str) -> None:
        """An experiment by the key of its forecasts."""
        if self._latest is None or self._latest[0] != key:
            self._latest = key, self.store.read(key)
        forecasts = self._latest[1]
        judged = self._of(each, forecasts)
        place = forecasts.forecast.target.horizons.index(each.horizon)
        values = forecasts.forecast.values[:, place]
        settings = {**each.settings, "model": each.settings.get("model", each.model)}
        settings["horizon"] = each.horizon
        judged.values[each.name] = values
        through = forecasts.forecast.trained_through
        judged.through = TrainedThrough(np.maximum(judged.through, through))
        series = judged.outcomes.series(each.name, settings, values[judged.known])
        self.series.append(series)

    def _of(self, each: PlannedExperiment, forecasts: OutOfFold) -> _Judged:
        if each.group not in self._engines:
            self._engines[each.group] = Engine(
                each.study,
                self.runs,
                self.folder,
                Progress(),
                workers=1,
                kept=self._kept,
                threads=1,
            )
        engine = self._engines[each.group]
        decisions = forecasts.forecast.decisions
        place = each.group, each.horizon, decisions.symbols, decisions.decided_at.tobytes()
        if place not in self._places:
            judged = self._judge(each, engine, forecasts)
            # Labels of one horizon and of several, or before different histories, may be the same.
            key = *place[1:], judged.outcomes.y.tobytes()
            self._places[place] = self._judged.setdefault(key, judged)
        return self._places[place]

    def _judge(self, each: PlannedExperiment, engine: Engine, forecasts: OutOfFold) -> _Judged:
        found, decisions = engine.value("labels"), forecasts.forecast.decisions
        labels: LabelTable = found.judged(engine.value("split") if found.folds else [])
        place = labels.target.horizons.index(each.horizon)
        rows = labels.decisions.find(decisions)
        known = np.flatnonzero(~np.isnan(labels.values[rows, place]))
        at = rows[known]
        outcomes = SweepOutcomes(
            each.horizon,
            labels.decisions.decided_at[at],
            KnownAt(labels.known_at[at, place]),
            labels.values[at, place],
            labels.returns[at, place],
            past_of(labels, at, each.horizon),
            replace(labels.target, horizons=(each.horizon,)),
        )
        through = forecasts.forecast.trained_through
        return _Judged(each, outcomes, labels, place, decisions, rows, known, engine, through)

    def combined(self) -> Iterator[CombinedSeries]:
        """At each horizon, ensembles of the most experiments on the same decisions."""
        largest: dict[str, _Judged] = {}
        for each in self._judged.values():
            horizon = each.outcomes.horizon
            if horizon not in largest or len(each.values) > len(largest[horizon].values):
                largest[horizon] = each
        for each in largest.values():
            if len(each.values) >= _LEAST_MEMBERS:
                task = each.outcomes.target.task
                methods = {name: ENSEMBLES.parse(name) for name in _METHODS}
                methods = {name: one for name, one in methods.items() if task in one.tasks}
                yield combine_members(
                    _stacked(each), methods, each.outcomes.span, seed=each.planned.study.seed
                )

    def gate(self) -> SweepGate:
        """The verdict on the best experiment."""
        edges: dict[str, NetEdge] = {}
        symbols, costs = set[str](), 0.0
        for each in self._judged.values():
            study, at = each.planned.study, each.rows[each.known]
            rule = None if each.labels.side is None else each.labels.side[at]
            sides = {
                name: side_of(_signal(values[each.known], each), rule)[:, 0]
                for name, values in each.values.items()
            }
            panel, own = each.engine.value("bars"), each.decisions.take(each.known)
            edges |= net_edges(panel, own, each.outcomes.known_at, sides, study.cost_bps)
            symbols |= set(each.decisions.symbols)
            costs = max(costs, study.cost_bps)
        return gate_of(edges, trials=self.store.count(sorted(symbols)), cost_bps=costs)


def _signal(values: Floats, each: _Judged) -> Floats:
    from barstack.core.forecast import signal_of  # noqa: PLC0415

    return signal_of(values[:, None], each.outcomes.target)


def _stacked(each: _Judged) -> Stacked:
    """All forecasts of one horizon side by side, by time, then symbol."""
    (order,) = shared_rows([each.decisions])
    at, place = each.rows[order], each.place
    return Stacked(
        tuple(each.values),
        each.decisions.take(order),
        each.outcomes.target,
        np.stack([values[order] for values in each.values.values()], axis=1)[:, :, None],
        TrainedThrough(each.through[order]),
        y=each.labels.values[at][:, [place]],
        known_at=KnownAt(each.labels.known_at[at][:, [place]]),
        returns=each.labels.returns[at][:, [place]],
    )
