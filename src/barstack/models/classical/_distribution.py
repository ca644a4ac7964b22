"""A forest that tells how labels are spread, not just their mean."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from barstack.core.arrays import Floats

from .._arrays import read_arrays, require, write_arrays
from .._quantiles import weighted_quantiles
from .._trees import Trees

# Shares of the training labels at which the spread is told, closer to one another in the tails:
# where the market is wild, its quantiles lie where elsewhere next to nothing does.
_LOWER = (0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
_ROUNDING = 1e-9
_SHARES = (*_LOWER, *(1.0 - share for share in _LOWER[-2::-1]))


class Spread(NamedTuple):
    """Trees whose leaves hold the share of labels at or below each value of a grid.

    trees  their sums, over their number, are the shares
    grid   (n_grid,) rising, from the least label to the greatest
    """

    trees: Trees
    grid: Floats

    def quantiles(self, X: Floats, levels: tuple[float, ...]) -> Floats:
        """(n_rows, n_levels), a straight line between neighbours of the grid."""
        shares = self.trees.sums(X) / (len(self.trees.first) - 1)
        rows = np.arange(len(X))
        found = np.empty((len(X), len(levels)))
        for place, level in enumerate(levels):
            # The first of the grid that reaches the level; the last does, whatever rounding says.
            above = np.minimum((shares < level).sum(axis=1), len(self.grid) - 1)
            below = np.maximum(above - 1, 0)
            low, high = shares[rows, below], shares[rows, above]
            step = np.divide(level - low, high - low, out=np.zeros(len(X)), where=high > low)
            found[:, place] = self.grid[below] + np.clip(step, 0.0, 1.0) * (
                self.grid[above] - self.grid[below]
            )
        return found

    def save(self, file: Path) -> None:
        """Write as arrays, the grid in a file of its own."""
        self.trees.save(file)
        write_arrays(_grid_file(file), grid=self.grid)

    @classmethod
    def load(cls, file: Path) -> Spread:
        """Read what `save` wrote."""
        grid = read_arrays(_grid_file(file), grid="float64 grid")["grid"]
        require(file, len(grid) > 1 and bool((np.diff(grid) > 0.0).all()), "its grid does not rise")
        trees = Trees.load(file, len(grid))
        shares = trees.value[trees.left < 0]
        rise = (np.diff(shares, axis=1) >= -_ROUNDING).all()
        inside = ((shares >= 0.0) & (shares <= 1.0 + _ROUNDING)).all()
        require(file, rise and inside, "the shares of a leaf fall, or are not within 0 and 1")
        return cls(trees, grid)


def grid_of(y: Floats, weight: Floats) -> Floats:
    """(n_grid,) distinct labels between which all lie."""
    return np.unique(weighted_quantiles(y, weight, _SHARES))


def _grid_file(file: Path) -> Path:
    return file.with_stem(f"{file.stem}_grid")
