"""Standard errors that allow for overlapping labels and clustered volatility."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.stats

from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.times import Times

MOST_BLOCKS = 20
FEWEST_BLOCKS = 5
_ROUNDING = 1e-14  # of returns: below it there is only the rounding of prices
_BLOCK_LABELS = 3  # a block spans at least this many labels, so that few straddle its edges


@dataclass(frozen=True, eq=False)
class Blocks:
    """A partition of rows into stretches of time.

    of_row  (n_rows,) block of each row
    count   number of blocks; below `FEWEST_BLOCKS` there are no standard errors
    """

    of_row: Ints
    count: int

    def take(self, rows: Bools) -> Blocks:
        """The blocks of some of the rows."""
        return Blocks(self.of_row[rows], self.count)


def blocks_of(times: Times, overlap: int) -> Blocks:
    """Blocks of equally many distinct times, all rows of one time in one block.

    times    (n_rows,) of the rows, in any order
    overlap  distinct times that one label spans; a block holds at least three labels' worth
    """
    unique, place = np.unique(times, return_inverse=True)
    count = min(MOST_BLOCKS, len(unique) // (_BLOCK_LABELS * max(overlap, 1)))
    count = max(count, 1)
    return Blocks(place * count // max(len(unique), 1), count)


def overlap_of(times: Times, known_at: Times) -> int:
    """Distinct times that nearly every label spans at most.

    times     (n_rows,) of the rows
    known_at  (n_rows,) when their labels are known, NaT while open

    One label in a hundred may be longer: where one symbol pauses for weeks, the others go on.
    """
    unique, known = np.unique(times), ~np.isnat(known_at)
    spans = np.searchsorted(unique, known_at[known]) - np.searchsorted(unique, times[known])
    return max(int(np.quantile(spans, 0.99, method="higher")), 1) if len(spans) else 1


def jackknife_se(statistic: Callable[[Bools], float], blocks: Blocks) -> float | None:
    """Standard error of a statistic by leaving out one block after the other.

    statistic  of the rows where its (n_rows,) argument is true
    returns    None with fewer than five blocks, or where the statistic has no value

    Künsch (1989); with n_blocks - 1 degrees of freedom t-tests keep their level.
    """
    present = np.unique(blocks.of_row)
    if blocks.count < FEWEST_BLOCKS or len(present) < FEWEST_BLOCKS:
        return None
    left_out = np.array([statistic(blocks.of_row != block) for block in present])
    if not np.isfinite(left_out).all():
        return None
    spread = ((left_out - left_out.mean()) ** 2).sum() * (len(present) - 1) / len(present)
    return float(np.sqrt(spread))


def timing_se(timing: Floats) -> tuple[float | None, int]:
    """Standard error of the mean of a timing profit, and how many blocks stand behind it.

    timing   (n_bars,) as `timing_of` has it
    returns  no error with fewer than five blocks, or where the position was steady

    The larger of two. Where returns cannot be predicted, the bars' profits are uncorrelated and
    the root of their sum of squares is the error, however volatility clusters. Sums over blocks of
    time allow for returns that are correlated over a few bars. Blocks hold n_bars ** (1/3) bars,
    the order that suits such errors (Hall, Horowitz, Jing 1995).
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


def chance_of_luck(t_value: float, n_blocks: int) -> float:
    """One-sided p-value: how often luck alone would do at least this well."""
    return float(scipy.stats.t.sf(t_value, n_blocks - 1))
