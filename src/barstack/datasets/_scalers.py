"""The built-in scalers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy
from pydantic import Field

from barstack.core.arrays import Floats, Rows

from ._compiled import linear_windows, ranks_of
from ._history import blocks
from ._scaler import Learned, Scaler, Windows, register

# Eight float64 lie in one line of the processor's memory: a column alone would be read as slowly.
_COLUMNS_AT_ONCE = 8
# Beyond this rank nothing is known, so it stands for the rest: 5.2 deviations of a normal.
_OUTERMOST = 1e-7
_IN_CACHE = 2**15  # numbers, which take 256 KiB
_ROUNDING = 1e-12  # deviation of a constant column, at most, relative to its values
_LEAST_SCALE = 1e-100  # what is divided by less is no number any more


class LinearScaler(Scaler):
    """Takes a centre from each column and divides by a scale; what lies far out is clipped."""

    learns = ("centre", "scale")
    # A single wild print must not dominate a linear model or saturate a network.
    clip: float = Field(8.0, gt=0)

    def check(self, learned: Learned) -> str:
        if any(array.ndim != 1 for array in learned.values()):
            return "it has more than one number for a column"
        return "" if (learned["scale"] > _LEAST_SCALE).all() else "a scale is not above 0"

    def apply(self, values: Floats, learned: Learned) -> Floats:
        scaled = values - learned["centre"]
        scaled /= learned["scale"]
        return np.clip(scaled, -self.clip, self.clip, out=scaled)

    def windows(self, table: Floats, rows: Rows, lookback: int, learned: Learned) -> Windows:
        found = np.empty((len(rows), lookback, table.shape[1]), np.float32)
        linear_windows(table, rows, lookback, learned["centre"], learned["scale"], self.clip, found)
        return found


@register("standard")
class StandardScaler(LinearScaler):
    """Mean 0 and standard deviation 1; beyond `clip` deviations it clips.

    >>> values = np.array([[1.0], [2.0], [3.0]])
    >>> StandardScaler().fit(values).apply(values).ravel()
    array([-1.22474487,  0.        ,  1.22474487])
    """

    def learn(self, values: Floats, rows: Rows) -> dict[str, Floats]:
        n_rows, n_columns = len(rows), values.shape[1]
        total, squares, largest = np.zeros((3, n_columns))
        parts = [rows[part] for part in blocks(n_rows, n_columns)]
        for part in parts:
            total += _sums(values, part)
        mean = total / n_rows
        for part in parts:
            squares += _sums(values, part, mean)
        # No value is further from the mean than the root of the squares: only a column that varies
        # by less than this can be constant but for rounding.
        most = np.abs(mean) + np.sqrt(squares)
        doubtful = np.flatnonzero(np.sqrt(squares / n_rows) <= 2.0 * _ROUNDING * most)
        for part in parts if len(doubtful) else ():
            own = np.abs(values[np.ix_(part, doubtful)]).max(axis=0)
            largest[doubtful] = np.maximum(largest[doubtful], own)
        return self.learned(n_rows, mean, squares, largest)

    @staticmethod
    def learned(n_rows: int, mean: Floats, squares: Floats, largest: Floats) -> dict[str, Floats]:
        """What `learn` gives, from each column's mean, squares about it and largest size."""
        deviation = np.sqrt(squares / n_rows)
        # Rounding makes a constant column's deviation tiny rather than zero.
        return {"centre": mean, "scale": np.where(deviation <= _ROUNDING * largest, 1.0, deviation)}


@register("robust")
class RobustScaler(LinearScaler):
    """Median 0 and interquartile range 1, which rare wild values do not move; clips at `clip`.

    >>> values = np.array([[1.0], [2.0], [3.0], [400.0]])
    >>> RobustScaler().fit(values).apply(values).ravel()
    array([-0.01492537, -0.00497512,  0.00497512,  3.95522388])
    """

    def learn(self, values: Floats, rows: Rows) -> dict[str, Floats]:
        quartiles = np.empty((3, values.shape[1]))
        for part in _columns(values):
            quartiles[:, part] = np.quantile(values[rows, part], (0.25, 0.5, 0.75), axis=0)
        spread = quartiles[2] - quartiles[0]
        constant = spread <= 1e-12 * np.abs(quartiles).max(axis=0)
        return {"centre": quartiles[1], "scale": np.where(constant, 1.0, spread)}


@register("rank_gauss")
class RankGaussScaler(Scaler):
    """Each value's rank among the training rows, as the normal deviate of that rank.

    Ranks lie between `knots` quantiles, so what is kept does not grow with the rows. Values that
    stand for many rows take the middle of their ranks; those beyond all seen take +-5.2.

    >>> values = np.array([[1.0], [2.0], [400.0]])
    >>> RankGaussScaler().fit(values).apply(values).ravel().round(2)
    array([-5.2,  0. ,  5.2])
    """

    learns = ("quantiles",)
    knots: int = Field(1001, ge=2, le=100_001)

    def learn(self, values: Floats, rows: Rows) -> dict[str, Floats]:
        shares = np.linspace(0.0, 1.0, max(2, min(self.knots, len(rows))))
        quantiles = np.empty((values.shape[1], len(shares)))
        for part in _columns(values):
            quantiles[part] = np.quantile(values[rows, part], shares, axis=0).T
        # Rounding between equal values may make a quantile smaller than the one before.
        return {"quantiles": np.maximum.accumulate(quantiles, axis=1)}

    def check(self, learned: Learned) -> str:
        quantiles = learned["quantiles"]
        if quantiles.ndim != 2 or not 2 <= quantiles.shape[1] <= max(2, self.knots):
            return f"its quantiles are of shape {quantiles.shape}"
        rise = (np.diff(quantiles, axis=1) >= 0.0).all()
        return "" if rise else "quantiles of a column fall"

    def apply(self, values: Floats, learned: Learned) -> Floats:
        ranks = np.empty(values.shape)
        ranks_of(values, learned["quantiles"], ranks)
        scaled: Floats = scipy.special.ndtri(
            np.clip(ranks, _OUTERMOST, 1.0 - _OUTERMOST, out=ranks), out=ranks
        )
        return scaled


def _sums(values: Floats, rows: Rows, centre: Floats | None = None) -> Floats:
    """(n_columns,) sums over rows of values, or of squares about `centre`.

    Rows are added one after the other in pieces that stay in the processor's cache: the same bits
    as of all rows at once, in half the time.
    """
    n_rows, n_columns = len(rows), values.shape[1]
    # numpy adds up a column by itself in another order, and so that is one piece.
    size = max(1, _IN_CACHE // n_columns) if n_columns > 1 else n_rows
    total = np.zeros(n_columns)
    pieces = np.empty((min(size, n_rows) + 1, n_columns))
    for start in range(0, n_rows, size):
        piece = pieces[: min(size, n_rows - start) + 1]
        piece[1:] = values[rows[start : start + size]]
        if centre is not None:
            piece[1:] -= centre
            piece[1:] *= piece[1:]
        piece[0] = total  # stands before the rows that are added to it
        total = piece[0 if start else 1 :].sum(axis=0)
    return total


def _columns(values: Floats) -> Iterator[slice]:
    for start in range(0, values.shape[1], _COLUMNS_AT_ONCE):
        yield slice(start, start + _COLUMNS_AT_ONCE)
