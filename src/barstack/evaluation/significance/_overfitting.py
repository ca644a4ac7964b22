"""Probability of backtest overfitting, by combinatorially symmetric cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, DataError

from ._resampling import checked


@dataclass(frozen=True, eq=False)
class Overfitting:
    """What becomes, out of sample, of the trial that was best in sample.

    Attributes
    ----------
    probability
        Share of splits in which it ranks in the lower half out of sample. On pure noise this is
        near 1/2 in the mean over data sets, but 0.3 to 0.45 and as well 0.6 on single ones, as
        splits share their rows. So it is reported and never decides.
    loss
        Share of splits in which it loses out of sample.
    logits
        (n_splits,) ln of its relative rank out of sample over 1 less that.
    inside, outside
        (n_splits,) its Sharpe ratio of one period in sample and out of sample.
    """

    probability: float
    loss: float
    logits: Floats
    inside: Floats
    outside: Floats


def overfitting(returns: Floats, *, blocks: int = 16) -> Overfitting:
    """Split the times into halves in every way, choose the best in one, look at it in the other.

    Bailey, Borwein, López de Prado, Zhu (2017), algorithm 2.3; all ways to take half of the blocks.
    Rows that are left over when the times are cut into equal blocks are dropped at the end.

    Parameters
    ----------
    returns
        (n_times, n_trials)
    blocks
        An even number; 16 give 12,870 splits.

    Raises
    ------
    ConfigError
        Where the number of blocks is odd or outside 2 to 20.
    DataError
        With fewer than two trials or two rows a block.

    >>> rng = np.random.default_rng(0)
    >>> trials = rng.normal(size=(400, 10))
    >>> trials[:, 0] += 0.3
    >>> overfitting(trials, blocks=8).probability
    0.0
    """
    from ._kernels import symmetric_halves  # noqa: PLC0415 (numba)

    table = checked(returns)
    if blocks % 2 or not 2 <= blocks <= 20:
        raise ConfigError(f"blocks is {blocks}; give an even number from 2 to 20.")
    rows, n_trials = len(table) // blocks, table.shape[1]
    if n_trials < 2 or rows < 2:
        raise DataError(
            f"{len(table)} times of {n_trials} trials cannot be split into {blocks} blocks and "
            "ranked: give two trials or more and two times a block or more."
        )
    cut = table[: rows * blocks].reshape(blocks, rows, n_trials)
    # Each half that holds the first block stands for its complement too.
    taken = np.array([(0, *rest) for rest in combinations(range(1, blocks), blocks // 2 - 1)])
    halves = np.zeros((len(taken), blocks), dtype=np.bool_)
    np.put_along_axis(halves, taken, True, axis=1)
    logits, inside, outside = np.empty((3, 2 * len(halves)))
    symmetric_halves(cut.sum(axis=1), (cut**2).sum(axis=1), rows, halves, logits, inside, outside)
    return Overfitting(
        float((logits <= 0.0).mean()), float((outside < 0.0).mean()), logits, inside, outside
    )
