"""Standard errors that allow for overlapping labels and clustered volatility, and p-values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy

from barstack.core.arrays import Bools, Floats, Ints, Rows
from barstack.core.times import Times

MOST_BLOCKS = 20
FEWEST_BLOCKS = 5
_ROUNDING = 1e-14  # of returns: below it there is only the rounding of prices
_BLOCK_LABELS = 3  # a block spans at least this many labels, so that few straddle its edges
_CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class TimeBlocks:
    """A partition of rows into stretches of time.

    Attributes
    ----------
    of_row
        (n_rows,) block of each row.
    count
        Number of blocks; below `FEWEST_BLOCKS` there are no standard errors.

    >>> TimeBlocks(np.array([0, 0, 1, 1]), 2).take(np.array([1, 2])).of_row
    array([0, 1])
    """

    of_row: Ints
    count: int

    def take(self, rows: Rows) -> TimeBlocks:
        """The blocks of some of the rows."""
        return TimeBlocks(self.of_row[rows], self.count)


def blocks_of(times: Times, overlap: int) -> TimeBlocks:
    """Blocks of equally many distinct times, all rows of one time in one block.

    Parameters
    ----------
    times
        (n_rows,) of the rows, in any order.
    overlap
        Distinct times that one label spans; a block holds at least three labels' worth.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(1000) * np.timedelta64(1, "h")
    >>> blocks_of(times, 1).count, blocks_of(times, 78).count
    (20, 4)
    """
    unique, place = np.unique(times, return_inverse=True)
    count = min(MOST_BLOCKS, len(unique) // (_BLOCK_LABELS * max(overlap, 1)))
    count = max(count, 1)
    return TimeBlocks(place * count // max(len(unique), 1), count)


def overlap_of(times: Times, known_at: Times) -> int:
    """Distinct times that 99 % of labels span at most.

    The longest are left out: where one symbol pauses for weeks, the others go on.

    Parameters
    ----------
    times
        (n_rows,) of the rows.
    known_at
        (n_rows,) when their labels are known, NaT while open.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(100) * np.timedelta64(1, "h")
    >>> overlap_of(times, times + np.timedelta64(12, "h"))
    12
    """
    unique, place = np.unique(times, return_inverse=True)
    known = ~np.isnat(known_at)
    spans = np.searchsorted(unique, known_at[known]) - place[known]
    return max(int(np.quantile(spans, 0.99, method="higher")), 1) if len(spans) else 1


def jackknife_se(
    statistic: Callable[[Floats], Floats], terms: Floats, blocks: TimeBlocks
) -> float | None:
    """Standard error of a statistic of sums, by leaving out one block of time after the other.

    Künsch (1989); with n_blocks - 1 degrees of freedom t-tests keep their level.

    Parameters
    ----------
    statistic
        From (n, n_terms) sums to (n,) values.
    terms
        (n_rows, n_terms), the rows' contributions to the sums.

    Returns
    -------
    None with fewer than five blocks, or where the statistic has no value without one of them.
    """
    present = np.bincount(blocks.of_row, minlength=blocks.count) > 0
    if present.sum() < FEWEST_BLOCKS:
        return None
    sums = np.stack(
        [np.bincount(blocks.of_row, column, blocks.count) for column in terms.T], axis=1
    )
    return _jackknifed(statistic(sums.sum(axis=0) - sums[present]))


def jackknife_se_by_rows(statistic: Callable[[Bools], float], blocks: TimeBlocks) -> float | None:
    """As `jackknife_se`, for a statistic of the rows that a mask keeps, such as one of ranks."""
    present = np.unique(blocks.of_row)
    if len(present) < FEWEST_BLOCKS:
        return None
    return _jackknifed(np.array([statistic(blocks.of_row != block) for block in present]))


def _jackknifed(left_out: Floats) -> float | None:
    if not np.isfinite(left_out).all():
        return None
    n_blocks = len(left_out)
    deviations = ((left_out - left_out.mean()) ** 2).sum()
    return float(np.sqrt(deviations * (n_blocks - 1) / n_blocks))


@cache
def reach(n_blocks: int) -> float:
    """Standard errors that a 95 % interval reaches each way: Student's t for few blocks.

    Of 20 blocks the normal 1.96 would cover 93.5 %. Without enough blocks for a jackknife errors
    are as of independent rows, and normal.

    >>> round(reach(20), 3), round(reach(5), 3)
    (2.093, 2.776)
    """
    tail = 0.5 + 0.5 * _CONFIDENCE
    if n_blocks < FEWEST_BLOCKS:
        return float(scipy.special.ndtri(tail))
    return float(scipy.special.stdtrit(n_blocks - 1, tail))


def timing_se(timing: Floats) -> tuple[float | None, int]:
    """Standard error of the mean of a timing profit, and how many blocks it is estimated from.

    The larger of two. Where returns cannot be predicted, the bars' profits are uncorrelated and
    the root of their sum of squares is the error, however volatility clusters. Sums over blocks of
    time allow for returns that are correlated over a few bars. Blocks hold n_bars ** (1/3) bars,
    the order that suits such errors (Hall, Horowitz, Jing 1995).

    Parameters
    ----------
    timing
        (n_bars,) as `timing_of` has it.

    Returns
    -------
    No error with fewer than five blocks, or where the position was steady.
    """
    n_bars = len(timing)
    count = n_bars // math.ceil(n_bars ** (1 / 3)) if n_bars else 0
    if count < FEWEST_BLOCKS:
        return None, count
    of_row = np.arange(n_bars) * count // n_bars
    sums = np.bincount(of_row, timing - timing.mean())
    by_bars = float((timing**2).sum())
    by_blocks = float((sums**2).sum()) * count / (count - 1)
    se = math.sqrt(max(by_bars, by_blocks)) / n_bars
    return (se if se > _ROUNDING else None), count


def p_value_of(t_value: float, n_blocks: int) -> float:
    """One-sided: how often luck alone would do at least this well."""
    return float(scipy.special.stdtr(n_blocks - 1, -t_value))
