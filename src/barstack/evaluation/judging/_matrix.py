"""All trials that were made, as series of returns, and what they say of the one judged."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from barstack.core.arrays import Floats, Ints
from barstack.core.errors import DataError

from .._profit import Profit
from ..significance import (
    careful,
    deflated_sharpe,
    effective_trials,
    overfitting,
    resample,
    romano_wolf,
    spa,
)
from . import _columns as roles
from ._account import beyond_steady
from ._clock import BarClock, shift_of
from ._table import Exported
from ._times import moments_of

_REPETITIONS = 2_000
_FEWEST = 60  # times
_SAME = 0.9  # correlation: the trial that is judged
_MOST_CELLS = 60_000_000


@dataclass(frozen=True)
class MatrixFindings:
    """What all trials together say.

    Attributes
    ----------
    trials
        Their number, the one judged among them.
    times
        Bars that all of them have.
    judged
        Name of the trial that is the one judged; "" where it is none of them and was added.
    rank
        Of the one judged among them, by Sharpe ratio; 1 is the best.
    romano_wolf
        p-value of the one judged, all others allowed for.
    superior
        p-value of the hypothesis that none is better than a steady position (Hansen 2005).
    overfitting
        Probability of backtest overfitting, which on noise reads 0.3 to 0.6; reported only.
    deflated_sharpe
        Confidence that the one judged is better than the luckiest of as many worthless ones.
    effective
        Number of independent trials that they amount to.
    """

    trials: int
    times: int
    judged: str
    rank: int
    romano_wolf: float
    superior: float
    overfitting: float | None
    deflated_sharpe: float
    effective: float


def judged_among(table: Exported, profit: Profit, costs: Floats, clock: BarClock) -> MatrixFindings:
    """Hold the judged history against all trials of which it is one.

    Parameters
    ----------
    table
        A column of times and one of returns, or of account values, for each trial.
    profit, costs
        Of the history that is judged.
    """
    names, rows, values = _trials(table, clock)
    closed = clock.bars.records["closed_at"]
    own_at = np.asarray(profit.time).astype("datetime64[us]").astype(np.int64)
    _, mine, theirs = np.intersect1d(own_at, closed[rows], return_indices=True)
    if len(mine) < _FEWEST:
        raise DataError(
            f"The trials in {table.where} and the history share {len(mine)} bars; {_FEWEST} are "
            "needed. Give the trials' returns bar by bar, on the same bars."
        )
    hold, values = profit.hold[mine], values[theirs]
    excess = np.stack([beyond_steady(column, hold)[0] for column in values.T], axis=1)
    net = (profit.timing - costs)[mine]
    likeness = np.array([_correlation(column, net) for column in excess.T])
    place = int(np.argmax(likeness))
    judged = names[place] if likeness[place] >= _SAME else ""
    if not judged:
        excess, place = np.column_stack([excess, net]), excess.shape[1]
    spread = excess.std(axis=0)
    excess = excess[:, spread > 0.0]
    place = int((spread[:place] > 0.0).sum())
    resampled = resample(excess, repetitions=_REPETITIONS)
    p_values = careful(romano_wolf(resampled), _REPETITIONS)
    ratios = excess.mean(axis=0) / excess.std(axis=0)
    n_trials = excess.shape[1]
    effective = effective_trials(excess, resampled).by_correlation if n_trials > 1 else 1.0
    blocks = min(16, 2 * (len(mine) // 8))
    return MatrixFindings(
        trials=n_trials,
        times=len(mine),
        judged=judged,
        rank=int((ratios > ratios[place]).sum()) + 1,
        romano_wolf=float(p_values[place]),
        superior=spa(resampled).consistent,
        overfitting=overfitting(excess, blocks=blocks).probability if n_trials > 1 else None,
        deflated_sharpe=deflated_sharpe(
            excess[:, place], max(effective, 1.0), float(ratios.std()) if n_trials > 1 else 0.0
        ),
        effective=float(effective),
    )


def _correlation(one: Floats, other: Floats) -> float:
    if one.std() <= 0.0 or other.std() <= 0.0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _trials(table: Exported, clock: BarClock) -> tuple[list[str], Ints, Floats]:
    time = roles.time_column(table)
    moments = moments_of(table.frame[time].drop_nulls(), table.where, clock.span_us)
    shift, _ = shift_of(clock, moments, table.where)
    rows = clock.named(moments, shift)
    keep = table.frame[time].is_not_null().to_numpy()
    names = [
        name
        for name in table.frame.columns
        if name != time
        and (table.frame[name].dtype.is_numeric() or _is_text_number(table.frame[name]))
    ]
    if not names or len(names) * len(table.frame) > _MOST_CELLS:
        raise DataError(
            f"{table.where} has {len(names):,} columns of numbers and {len(table.frame):,} rows. "
            f"Give a column of times and one of returns for each trial, {_MOST_CELLS:,} numbers "
            "at most."
        )
    values = np.stack([roles.numbers_of(table, name, gaps=True)[keep] for name in names], axis=1)
    order = np.argsort(rows, kind="stable")
    rows, values = rows[order], values[order]
    inside = (rows >= 0) & np.concatenate([rows[1:] != rows[:-1], [True]])
    rows, values = rows[inside], values[inside]
    if all((column[np.isfinite(column)] > 0.0).all() for column in values.T):  # account values
        values = np.diff(values, axis=0) / values[:-1]
        rows = rows[1:]
    whole = np.isfinite(values).all(axis=1)
    return names, rows[whole], values[whole]


def _is_text_number(column: pl.Series) -> bool:
    head = column.drop_nulls().head(20)
    return (
        column.dtype == pl.String
        and len(head) > 0
        and head.cast(pl.Float64, strict=False).null_count() == 0
    )


def joint_p_value(found: MatrixFindings, alone: float, trials: int) -> float:
    """p-value of the one judged for all trials, those of the matrix and any that it leaves out.

    >>> from barstack.evaluation.judging import MatrixFindings
    >>> found = MatrixFindings(10, 100, "a", 1, 0.02, 0.02, 0.1, 0.9, 9.0)
    >>> joint_p_value(found, 0.001, 10), round(joint_p_value(found, 0.001, 60), 3)
    (0.02, 0.068)
    """
    rest = max(trials - found.trials, 0)
    return float(
        -math.expm1(
            math.log1p(-min(found.romano_wolf, 1 - 1e-15))
            + rest * math.log1p(-min(alone, 1 - 1e-15))
        )
    )
