"""Who is judged, on which rows, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from barstack.bars import Panel
from barstack.core.arrays import Bools, Floats, Ints, Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import DataError
from barstack.core.forecast import Forecast, Target
from barstack.core.times import KnownAt, TrainedThrough
from barstack.ensembles import Stacked
from barstack.labels import LabelTable
from barstack.portfolio import side_of
from barstack.tracking import OutOfFold

from ._findings import Role
from ._jackknife import Blocks, blocks_of, overlap_of
from ._naive import baseline, naive_forecasts


@dataclass(frozen=True, eq=False)
class Forecaster:
    """Anything to be judged: a member, an ensemble or a naive forecast.

    signal  (n_rows, n_horizons) positive for up
    values  (n_rows, n_horizons, n_outputs), or None for a forecast of direction only
    side    (n_rows, n_horizons) +1, 0 or -1: what following it does
    """

    name: str
    role: Role
    signal: Floats
    values: Floats | None
    side: Floats


@dataclass(frozen=True, eq=False)
class Case:
    """The rows that all forecasters share, with what came of them."""

    panel: Panel
    decisions: Decisions
    target: Target
    y: Floats
    returns: Floats
    known_at: KnownAt
    baseline: Floats  # the historical mean or quantiles, (n_rows, n_horizons, n_outputs)
    fold: Ints
    cost_bps: float

    def known(self, horizon: int) -> Bools:
        """Rows whose label of this horizon is known, and not missing."""
        return ~np.isnan(self.y[:, horizon])

    @cached_property
    def blocks(self) -> list[Blocks]:
        """For each horizon blocks of time of its known rows, long against its labels.

        Of known rows alone, as `compare` sees no others: one figure has one error.
        """
        return [
            blocks_of(self.decisions.decided_at[self.known(horizon)], self.overlap(horizon))
            for horizon in range(len(self.target.horizons))
        ]

    def overlap(self, horizon: int) -> int:
        """Decision times that nearly every label of a horizon spans at most."""
        known = self.known(horizon)
        return overlap_of(self.decisions.decided_at[known], self.known_at[known, horizon])


def make_case(
    panel: Panel, labels: LabelTable, first: OutOfFold, rows: Rows, cost_bps: float
) -> Case:
    """The rows of the first ensemble, with what came of them; `DataError` when too few."""
    case = Case(
        panel,
        first.forecast.decisions,
        labels.target,
        labels.values[rows],
        labels.returns[rows],
        KnownAt(labels.known_at[rows]),
        baseline(labels, rows),
        first.fold,
        cost_bps,
    )
    for place, horizon in enumerate(labels.target.horizons):
        if case.known(place).sum() < 2:
            raise DataError(
                f"{case.known(place).sum()} labels of horizon {horizon} are known among the "
                f"{len(rows)} decisions to judge by. Give more bars or a shorter horizon."
            )
    return case


def all_forecasters(
    labels: LabelTable,
    members: Stacked,
    ensembles: Mapping[str, OutOfFold],
    decisions: Decisions,
    rows: Rows,
) -> list[Forecaster]:
    """Ensembles, then members, then naive forecasts, all on the same rows."""
    rule = None if labels.side is None else labels.side[rows]
    made = [_learner(name, "ensemble", each.forecast, rule) for name, each in ensembles.items()]
    shared = members.decisions.find(decisions)
    assert members.trained_through is not None  # of forecasts out of fold
    for place, name in enumerate(members.members):
        through = TrainedThrough(members.trained_through[shared])
        values = members.member(place)[shared]
        forecast = Forecast(decisions, members.target, values, through)
        made.append(_learner(name, "member", forecast, rule))
    for naive in naive_forecasts(labels, rows):
        side = side_of(naive.signal, rule)
        made.append(Forecaster(naive.name, "naive", naive.signal, naive.values, side))
    return made


def _learner(name: str, role: Role, forecast: Forecast, rule: Rows | None) -> Forecaster:
    side = side_of(forecast.signal, rule)
    return Forecaster(name, role, forecast.signal, forecast.values, side)
