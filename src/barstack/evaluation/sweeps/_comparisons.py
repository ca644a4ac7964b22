"""Are means of several series different from 0, all being tested at once?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats

from .._standard_errors import FEWEST_BLOCKS, MOST_BLOCKS, reach
from ..significance import resample, romano_wolf

_LABELS = 2  # that a block spans at least
_FLIPS = 4_000
_SEED = 0
_ROUNDING = 1e-12  # of the mean square: a variance below it is only rounding


@dataclass(frozen=True, eq=False)
class MeanTests:
    """Means of series, their errors, and p-values for all of them.

    Attributes
    ----------
    mean, se
        (n_series,); the error is NaN with fewer than five blocks.
    p_values
        (n_series,) two-sided: any below a level is significant at it though all were tested.
    reach
        Standard errors that a 95 % interval of one mean reaches each way.
    blocks
        Stretches of time that the errors are estimated from.
    """

    mean: Floats
    se: Floats
    p_values: Floats
    reach: float
    blocks: int


def mean_tests(series: Floats, span: int) -> MeanTests:
    """Test the means of (n_times, n_series) whose values overlap over `span` times.

    The p-value is the larger of two. One is of Romano and Wolf (2005) from the stationary
    bootstrap; where labels overlap much it is too small. The other is of the largest t-value of
    means over blocks of time when the signs of whole blocks are chosen at random (Canay, Romano,
    Shaikh 2017), which holds for few blocks, whatever the volatility of each. Both keep the
    dependence between the series.

    >>> rng = np.random.default_rng(0)
    >>> series = rng.normal(size=(400, 5))
    >>> series[:, 2] += 0.3
    >>> np.flatnonzero(mean_tests(series, 1).p_values < 0.05)
    array([2])
    """
    n_times, count = len(series), block_count(len(series), span)
    mean = series.mean(axis=0)
    if count < FEWEST_BLOCKS:
        nothing = np.full(len(mean), np.nan)
        return MeanTests(mean, nothing, np.ones(len(mean)), reach(count), count)
    blocks = block_means(series, count)
    overlap = straddle(n_times, count, span)
    spread = np.sqrt(blocks.var(axis=0, ddof=1) / count) * overlap
    steady = spread <= _ROUNDING * np.sqrt((series**2).mean(axis=0))
    se = np.where(steady, np.nan, spread)
    signs = np.random.default_rng(_SEED).choice([-1.0, 1.0], (_FLIPS, count))
    null = _t_values(signs @ blocks / count, blocks).max(axis=1)
    observed = np.where(steady, 0.0, _t_values(blocks.mean(axis=0), blocks) / overlap)
    by_signs = (1.0 + (null[:, None] >= observed).sum(axis=0)) / (_FLIPS + 1.0)
    both = resample(np.hstack([series, -series]), span=span, seed=_SEED)
    by_bootstrap = romano_wolf(both).reshape(2, -1).min(axis=0)
    p_values = np.where(steady, 1.0, np.maximum(by_signs, by_bootstrap))
    return MeanTests(mean, se, p_values, reach(count), count)


def block_count(n_times: int, span: int) -> int:
    """Blocks of time, each of two labels or more."""
    return min(MOST_BLOCKS, n_times // (_LABELS * max(span, 1)))


def block_means(series: Floats, count: int) -> Floats:
    """(count, n_series) means over stretches of nearly equally many times."""
    edges = np.arange(count) * len(series) // count
    lengths = np.diff(edges, append=len(series))
    return np.asarray(np.add.reduceat(series, edges, axis=0) / lengths[:, None])


def straddle(n_times: int, count: int, span: int) -> float:
    """By how much labels across the edges of blocks make the naive error of a mean too small.

    Sums over `span` independent steps give means of neighbouring blocks, each of m labels' spans,
    the correlation 1 / (6 m - 2), less what is left at a span of 1.

    >>> straddle(400, 20, 1), round(straddle(400, 20, 10), 2)
    (1.0, 1.1)
    """
    length = n_times / count
    across = (span**3 - span) / 6.0
    rho = across / max(length * span**2 - 2.0 * across, 1e-12)
    return math.sqrt((1.0 + 2.0 * rho * (count - 1) / count) / max(1.0 - 2.0 * rho / count, 0.1))


def _t_values(means: Floats, blocks: Floats) -> Floats:
    """(..., n_series) size of each mean over its error; signs do not change the squares."""
    count = len(blocks)
    square = (blocks**2).mean(axis=0)
    variance = np.maximum(square - means**2, 1e-9 * square + 1e-300)
    return np.asarray(np.abs(means) / np.sqrt(variance / (count - 1)))
