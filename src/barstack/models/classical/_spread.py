"""How each feature lies in each block, and from that in each fold: what scalers learn, once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from barstack.core.arrays import Bools, Floats, Rows
from barstack.datasets import Dataset, FittedScaler, StandardScaler

from ._blocks import Blocks

# Where a column's mean is so many of its deviations, rounding of the mean tells in what is learned.
_MOST_AWAY = 1e3


@dataclass(frozen=True, eq=False)
class Spread:
    """Of rows without weights: count (n,), all else (n, n_features), n blocks or folds.

    squares  summed, about the mean
    """

    count: Floats
    mean: Floats
    squares: Floats
    low: Floats
    high: Floats

    @classmethod
    def of_blocks(cls, values: Floats, blocks: Blocks) -> Spread:
        """One pass over the table, block by block."""
        shape = (len(blocks), values.shape[1])
        mean, squares, low, high = (np.empty(shape) for _ in range(4))
        for place, rows in enumerate(blocks.parts()):
            own = values[rows]
            own.min(axis=0, out=low[place])
            own.max(axis=0, out=high[place])
            own.mean(axis=0, out=mean[place])
            own -= mean[place]
            np.einsum("ij,ij->j", own, own, out=squares[place])
        return cls(np.diff(blocks.edges).astype(float), mean, squares, low, high)

    def of_folds(self, blocks: Blocks) -> Spread:
        """Sums of blocks; squares about the fold's own mean, none of them lost to cancellation.

        Chan, Golub, LeVeque (1983).
        """
        shape = (len(blocks.member), self.mean.shape[1])
        mean, squares, low, high = (np.empty(shape) for _ in range(4))
        for fold, own in enumerate(blocks.member):
            count = self.count[own]
            mean[fold] = count @ self.mean[own] / count.sum()
            squares[fold] = self.squares[own].sum(axis=0)
            squares[fold] += count @ (self.mean[own] - mean[fold]) ** 2
            low[fold], high[fold] = self.low[own].min(axis=0), self.high[own].max(axis=0)
        return Spread(blocks.member @ self.count, mean, squares, low, high)

    @cached_property
    def constant(self) -> Bools:
        """(n, n_features) whether a feature never differs."""
        return np.equal(self.low, self.high)

    @cached_property
    def settled(self) -> Bools:
        """(n,) whether rounding of no feature's mean tells in what is learned."""
        deviation = np.sqrt(self.squares / self.count[:, None])
        near = np.abs(self.mean) <= _MOST_AWAY * deviation
        settled: Bools = np.all(self.constant | near, axis=1)
        return settled

    def scaler(self, dataset: Dataset, fold: int, rows: Rows) -> FittedScaler:
        """The dataset's scaler as fitted on a fold's rows."""
        if type(dataset.scaler) is not StandardScaler:
            return dataset.fit_scaler(rows)
        largest = np.maximum(np.abs(self.low[fold]), np.abs(self.high[fold]))
        count = int(self.count[fold])
        learned = StandardScaler.learned(count, self.mean[fold], self.squares[fold], largest)
        return FittedScaler(dataset.scaler, learned)
