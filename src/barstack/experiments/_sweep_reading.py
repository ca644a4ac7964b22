"""Reads what experiments of a sweep forecast and what was realised, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.decisions import Decisions, shared_rows
from barstack.core.progress import Progress
from barstack.core.times import KnownAt, Times, TrainedThrough
from barstack.ensembles import ENSEMBLES, Stacked
from barstack.evaluation import family_of
from barstack.evaluation.sweeps import (
    CombinedSeries,
    ExperimentSeries,
    NetEdge,
    SweepGate,
    SweepOutcomes,
    combine_members,
    gate_of,
    net_edge,
    past_of,
    profits_of,
)
from barstack.labels import LabelTable
from barstack.portfolio import side_of
from barstack.tracking import Experiment, OutOfFold, Store, trials_on

from ._data import length_us
from ._engine import Engine
from ._kept import KeptValues
from ._sweep_plan import PlannedExperiment
from ._trials import judged_on

_METHODS = ("average", "nnls", "greedy")
_LEAST_MEMBERS = 2


@dataclass(eq=False)
class JudgedDecisions:
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
class SweepReading:
    """Reads forecasts and labels of experiments, each once."""

    store: Store
    runs: Path
    folder: Path
    series: list[ExperimentSeries] = field(default_factory=list)
    _kept: KeptValues = field(default_factory=KeptValues)
    _engines: dict[str, Engine] = field(default_factory=dict)
    _judged: dict[tuple[Any, ...], JudgedDecisions] = field(default_factory=dict)
    _places: dict[tuple[Any, ...], JudgedDecisions] = field(default_factory=dict)
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

    def add_completed(
        self, experiments: Iterable[PlannedExperiment], tracked: Mapping[int, Experiment]
    ) -> None:
        """Those that have completed, as they are tracked by number."""
        for each in experiments:
            found = tracked.get(each.number)
            if found is not None and found.status == "completed" and found.forecasts is not None:
                self.add(each, found.forecasts)

    def bar_length_us(self, each: PlannedExperiment) -> int:
        """Length of an experiment's bars."""
        return length_us(self._engine_of(each).value("bars"))

    def _engine_of(self, each: PlannedExperiment) -> Engine:
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
        return self._engines[each.group]

    def _of(self, each: PlannedExperiment, forecasts: OutOfFold) -> JudgedDecisions:
        engine = self._engine_of(each)
        decisions = forecasts.forecast.decisions
        place = each.group, each.horizon, decisions.symbols, decisions.decided_at.tobytes()
        if place not in self._places:
            judged = self._judge(each, engine, forecasts)
            # Labels of one horizon and of several, or before different histories, may be the same.
            key = *place[1:], judged.outcomes.y.tobytes()
            self._places[place] = self._judged.setdefault(key, judged)
        return self._places[place]

    def _judge(
        self, each: PlannedExperiment, engine: Engine, forecasts: OutOfFold
    ) -> JudgedDecisions:
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
        return JudgedDecisions(
            each, outcomes, labels, place, decisions, rows, known, engine, through
        )

    def combined(self) -> Iterator[CombinedSeries]:
        """At each horizon, ensembles of the most experiments on the same decisions."""
        largest: dict[str, JudgedDecisions] = {}
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
        times, timings = list[Times](), list[Floats]()
        symbols, costs = set[str](), 0.0
        for each in self._judged.values():
            study, at = each.planned.study, each.rows[each.known]
            rule = None if each.labels.side is None else each.labels.side[at]
            sides = {
                name: side_of(_signal(values[each.known], each), rule)[:, 0]
                for name, values in each.values.items()
            }
            panel, own = each.engine.value("bars"), each.decisions.take(each.known)
            found = profits_of(panel, own, each.outcomes.known_at, sides, study.cost_bps)
            edges |= {name: net_edge(profit) for name, profit in found.items()}
            times += [profit.time for profit in found.values()]
            timings += [profit.timing for profit in found.values()]
            symbols |= set(each.decisions.symbols)
            costs = max(costs, study.cost_bps)
        judged = self._judged.values()
        prints = {judged_on(each.planned.study, each.engine).bars for each in judged}
        counted = {
            (trial.id, trial.data)
            for bars in prints
            for trial in trials_on(self.store, sorted(symbols), bars)
        }
        family = family_of(times, timings)
        return gate_of(edges, trials=len(counted), cost_bps=costs, family=family)


def _signal(values: Floats, each: JudgedDecisions) -> Floats:
    from barstack.core.forecast import signal_of  # noqa: PLC0415

    return signal_of(values[:, None], each.outcomes.target)


def _stacked(each: JudgedDecisions) -> Stacked:
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
