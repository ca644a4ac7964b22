"""Measures of returns after costs, a year long by the calendar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import DataError
from barstack.core.times import Times

from .._profit import YEAR_DAYS
from .._standard_errors import blocks_of
from ..significance import block_length, stationary_indices
from ._measure import Measure, of_sums
from ._ranks import ratio_of_sums


@dataclass(frozen=True)
class TradingMeasures:
    """What returns after costs come to.

    Attributes
    ----------
    annual_return
        Sum of returns a year, not compounded.
    sharpe
        Mean over standard deviation, times the root of the periods in a year.
    sortino
        The same with the root mean square of the losses (Sortino and Price 1994).
    profit_factor
        Sum of gains over sum of losses.
    win_rate
        Share of gains among the periods that have a gain or a loss.
    turnover
        Units bought and sold a year.
    drawdown
        Largest fall of the sum of returns from its peak, in units of what was invested at first.
    periods_a_year
        By the calendar: periods over the years from the first to the last.
    """

    annual_return: Measure
    sharpe: Measure
    sortino: Measure
    profit_factor: Measure
    win_rate: Measure
    turnover: Measure
    drawdown: float
    periods_a_year: float


def trading_measures(
    returns: Floats, times: Times, turnover: Floats | None = None
) -> TradingMeasures:
    """Measures of the returns of consecutive periods.

    A year has as many periods as there were in the years given. So sessions, weekends, holidays and
    trading round the clock need no constant such as 252.

    Parameters
    ----------
    returns
        (n_periods,) after costs, as a fraction.
    times
        (n_periods,) end of each period, rising.
    turnover
        (n_periods,) units bought and sold in each.

    Raises
    ------
    DataError
        With fewer than two periods, or where times do not rise.

    >>> days = np.datetime64("2024-01-01", "us") + np.arange(731) * np.timedelta64(1, "D")
    >>> returns = np.random.default_rng(0).normal(0.001, 0.01, 731)
    >>> found = trading_measures(returns, days)
    >>> round(found.periods_a_year, 2), round(found.sharpe.value, 1)
    (365.25, 1.6)
    """
    n_periods = len(returns)
    if n_periods < 2 or not (np.diff(times) > np.timedelta64(0, "us")).all():
        raise DataError(
            f"{n_periods} returns cannot be measured: give two or more, at times that rise."
        )
    span = times[-1] - times[0]
    days = float(span / np.timedelta64(1, "D")) * n_periods / (n_periods - 1)
    a_year = n_periods / days * YEAR_DAYS
    blocks = blocks_of(times, 1)
    gains: Floats = np.maximum(returns, 0.0)
    losses: Floats = np.maximum(-returns, 0.0)
    ones: Floats = np.ones(n_periods)

    def ratio(sums: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = sums[:, 0] / sums[:, 1]
        return np.where(sums[:, 1] > 0.0, found, np.nan)

    def sortino(sums: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = sums[:, 1] / np.sqrt(sums[:, 0] * sums[:, 2])
        return np.where(sums[:, 2] > 0.0, found, np.nan)

    def pair(one: Floats, other: Floats, factor: float = 1.0) -> Measure:
        return of_sums(ratio, np.stack([one, other], axis=1), blocks, factor)

    moved: Floats = np.zeros(n_periods) if turnover is None else turnover
    return TradingMeasures(
        annual_return=pair(returns, ones, a_year),
        sharpe=of_sums(
            ratio_of_sums, np.stack([ones, returns, returns**2], axis=1), blocks, a_year**0.5
        ),
        sortino=of_sums(sortino, np.stack([ones, returns, losses**2], axis=1), blocks, a_year**0.5),
        profit_factor=pair(gains, losses),
        win_rate=pair(np.sign(gains), np.abs(np.sign(returns))),
        turnover=pair(moved, ones, a_year),
        drawdown=deepest(returns),
        periods_a_year=a_year,
    )


def deepest(returns: Floats) -> float:
    """Largest fall of the running sum from its peak, the start included.

    >>> round(deepest(np.array([0.02, -0.03, 0.01, -0.02])), 2)
    0.04
    """
    growth = np.concatenate([[0.0], np.cumsum(returns)])
    return float((np.maximum.accumulate(growth) - growth).max())


def drawdown_interval(
    returns: Floats, *, repetitions: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """What the largest drawdown of returns like these may be: its 2.5 % and 97.5 % quantile.

    By the stationary bootstrap, since a drawdown has no standard error to speak of: it depends on
    the order of all returns, and the one that was seen is a single draw.

    Parameters
    ----------
    returns
        (n_periods,)

    >>> returns = np.random.default_rng(0).normal(0.0, 0.01, 500)
    >>> low, high = drawdown_interval(returns, repetitions=200)
    >>> 0.1 < low < high < 0.8
    True
    """
    rows = stationary_indices(len(returns), repetitions, block_length(returns), seed)
    growth = np.concatenate([np.zeros((repetitions, 1)), np.cumsum(returns[rows], axis=1)], axis=1)
    falls = (np.maximum.accumulate(growth, axis=1) - growth).max(axis=1)
    low, high = np.quantile(falls, [0.025, 0.975])
    return float(low), float(high)
