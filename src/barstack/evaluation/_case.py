"""Who is judged, on which rows, and what is realised at each horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from barstack.bars import Panel
from barstack.core.arrays import Bools, Floats, Ints, Rows, ranks_of
from barstack.core.decisions import Decisions
from barstack.core.errors import DataError
from barstack.core.forecast import Forecast, Target
from barstack.core.times import KnownAt, Times, TrainedThrough, iso
from barstack.ensembles import Stacked
from barstack.labels import LabelTable
from barstack.portfolio import side_of
from barstack.tracking import OutOfFold

from ._combining_findings import BEST_SO_FAR
from ._findings import Role
from ._naive import naive_forecasts
from ._profit import HeldBars, held_bars
from ._references import best_so_far
from ._standard_errors import TimeBlocks, blocks_of, overlap_of


@dataclass(frozen=True, eq=False)
class Forecaster:
    """Anything to be judged: a member, an ensemble, or what they must beat.

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
class FoldRows:
    """The rows of one fold whose label of one horizon is known.

    Attributes
    ----------
    number
        Of the fold, in time order from 0.
    rows
        (n,) among the known rows of the horizon.
    blocks
        Of time within the fold.
    """

    number: int
    first_at: str
    last_at: str
    rows: Rows
    blocks: TimeBlocks


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcomes:
    """What is realised at one horizon, of rows whose label is known.

    Attributes
    ----------
    name
        Of the horizon.
    y, returns
        (n_known,) labels, and the returns behind them.
    decided_at
        (n_known,)
    overlap
        Decision times that nearly every label spans at most.
    blocks
        Of time, long against the labels. Of known rows alone, as `compare` sees no others: one
        figure has one error.
    """

    name: str
    y: Floats
    returns: Floats
    decided_at: Times
    overlap: int
    blocks: TimeBlocks


@dataclass(frozen=True, eq=False, kw_only=True)
class HorizonCase(Outcomes):
    """The same within a case, with what else its rows are judged by.

    Attributes
    ----------
    known
        (n_rows,) rows of the case whose label is known, and not missing; n_known of them.
    baseline
        (n_known, n_outputs) the historical mean, shares or quantiles.
    return_ranks
        (n_known,)
    folds
        Those that have any known row.
    closed_at, held
        Closes of all bars over which anything is held, and the symbols' own.
    """

    known: Bools
    baseline: Floats
    return_ranks: Floats
    folds: list[FoldRows]
    closed_at: Times
    held: list[HeldBars]

    @property
    def separate_labels(self) -> float:
        """How many labels that do not overlap there are, on the one clock of all symbols."""
        return len(np.unique(self.decided_at)) / self.overlap


@dataclass(frozen=True, eq=False)
class Case:
    """The rows that all forecasters share, with what is realised at each horizon."""

    panel: Panel
    decisions: Decisions
    target: Target
    returns: Floats  # (n_rows, n_horizons)
    horizons: list[HorizonCase]
    cost_bps: float


def make_case(
    panel: Panel, labels: LabelTable, first: OutOfFold, rows: Rows, past: Floats, cost_bps: float
) -> Case:
    """The rows of the first ensemble, with what is realised; `DataError` when too few are known.

    past  (n_rows, n_horizons, n_outputs) as `baseline` has it
    """
    target, decisions = labels.target, first.forecast.decisions
    horizons = [
        _at_horizon(panel, decisions, labels, first.fold, rows, past, place)
        for place in range(len(target.horizons))
    ]
    return Case(panel, decisions, target, labels.returns[rows], horizons, cost_bps)


def _at_horizon(
    panel: Panel,
    decisions: Decisions,
    labels: LabelTable,
    fold: Ints,
    rows: Rows,
    past: Floats,
    place: int,
) -> HorizonCase:
    name, y, known_at = labels.target.horizons[place], labels.values[rows, place], labels.known_at
    known, known_at = ~np.isnan(y), KnownAt(known_at[rows, place])
    if known.sum() < 2:
        raise DataError(
            f"{known.sum()} labels of horizon {name} are known among the {len(rows)} decisions to "
            "judge by. Give more bars or a shorter horizon."
        )
    decided_at, returns = decisions.decided_at[known], labels.returns[rows, place][known]
    overlap = overlap_of(decided_at, known_at[known])
    folds = []
    for number in np.unique(fold[known]):
        own = np.flatnonzero(fold[known] == number)
        times = decided_at[own]
        blocks = blocks_of(times, overlap)
        folds.append(FoldRows(int(number), iso(times.min()), iso(times.max()), own, blocks))
    closed_at, held = held_bars(panel, decisions, known_at)
    return HorizonCase(
        name=name,
        y=y[known],
        returns=returns,
        decided_at=decided_at,
        overlap=overlap,
        blocks=blocks_of(decided_at, overlap),
        known=known,
        baseline=past[known, place],
        return_ranks=ranks_of(returns),
        folds=folds,
        closed_at=closed_at,
        held=held,
    )


def all_forecasters(
    labels: LabelTable,
    members: Stacked,
    ensembles: Mapping[str, OutOfFold],
    decisions: Decisions,
    rows: Rows,
    past: Floats,
) -> list[Forecaster]:
    """Ensembles, then members, the best of them so far, then naive forecasts, on the same rows.

    Parameters
    ----------
    members
        With their labels.
    past
        (n_rows, n_horizons, n_outputs) as `baseline` has it
    """
    rule = None if labels.side is None else labels.side[rows]
    made = [_learner(name, "ensemble", each.forecast, rule) for name, each in ensembles.items()]
    shared = members.decisions.find(decisions)
    assert members.trained_through is not None  # of forecasts out of fold
    through = TrainedThrough(members.trained_through[shared])
    for place, name in enumerate(members.members):
        forecast = Forecast(decisions, members.target, members.member(place)[shared], through)
        made.append(_learner(name, "member", forecast, rule))
    best, _ = best_so_far(members)
    forecast = Forecast(decisions, members.target, best[shared], through)
    made.append(_learner(BEST_SO_FAR, "benchmark", forecast, rule))
    for naive in naive_forecasts(labels, rows, past):
        side = side_of(naive.signal, rule)
        made.append(Forecaster(naive.name, "naive", naive.signal, naive.values, side))
    return made


def _learner(name: str, role: Role, forecast: Forecast, rule: Rows | None) -> Forecaster:
    side = side_of(forecast.signal, rule)
    return Forecaster(name, role, forecast.signal, forecast.values, side)
