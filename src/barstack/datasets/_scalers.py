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
    """Mean 0 and standard deviation 1; beyond `clip` deviations it clips."""

    def learn(self, values: Floats, rows: Rows) -> dict[str, Floats]:
        total, squares = np.zeros((2, values.shape[1]))
        largest = np.zeros(values.shape[1])
        parts = list(blocks(len(rows), values.shape[1]))
        for part in parts:
            own = values[rows[part]]
            total += own.sum(axis=0, dtype=float)
            np.maximum(largest, np.abs(own).max(axis=0), out=largest)
        mean = total / len(rows)
        for part in parts:
            away = values[rows[part]] - mean
            away *= away
            squares += away.sum(axis=0)
        return self.learned(len(rows), mean, squares, largest)

    @staticmethod
    def learned(n_rows: int, mean: Floats, squares: Floats, largest: Floats) -> dict[str, Floats]:
        """What `learn` gives, from each column's mean, squares about it and largest size."""
        deviation = np.sqrt(squares / n_rows)
        # Rounding makes a constant column's deviation tiny rather than zero.
        return {"centre": mean, "scale": np.where(deviation <= 1e-12 * largest, 1.0, deviation)}


@register("robust")
class RobustScaler(LinearScaler):
    """Median 0 and interquartile range 1, which rare wild values do not move; clips at `clip`."""

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


def _columns(values: Floats) -> Iterator[slice]:
    for start in range(0, values.shape[1], _COLUMNS_AT_ONCE):
        yield slice(start, start + _COLUMNS_AT_ONCE)
