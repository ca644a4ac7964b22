"""Regimes by rules on trend, volatility and falls."""

from __future__ import annotations

from math import exp, log, sqrt
from pathlib import Path

import numpy as np
from numba import njit
from pydantic import Field

from barstack.core.arrays import Floats, Rows
from barstack.core.forecast import REGIMES, Target
from barstack.datasets import Inputs, Samples
from barstack.features import Feature

from .._arrays import check_width, read_arrays, require, write_arrays
from .._model import register
from ._regime import TASKS, RegimeDetector

_LEAST = 1e-12  # of a volatility that is divided by
_FARTHEST = 50.0  # of a score, beyond which a probability is 0 or 1


@register("regime_rules", family="regime", tasks=TASKS)
class RegimeRules(RegimeDetector):
    """Rules on trend, volatility and falls, each with a soft threshold.

    Typical volatility is the median of training rows. Three numbers tell regimes apart:

    - fall: drawdown from the highest close of `fall_bars`, over typical volatility * sqrt(bars)
    - trend: net log return of `trend_bars`, over volatility now * sqrt(bars)
    - ratio: volatility of `volatility_bars` now, over typical

    A fall beyond `crash` is a crash. Of the rest, a trend beyond `trend` either way is a bull or a
    bear trend. Of the rest, a ratio above `high` is high volatility, one below 1 / `high` low
    volatility, and what lies between is sideways. At each threshold the logistic function says one
    half; a `softness` away from it, about three quarters.
    """

    trend_bars: int = Field(60, ge=2, le=5_000, description="bars of the net move")
    volatility_bars: int = Field(20, ge=2, le=5_000, description="bars of the volatility now")
    fall_bars: int = Field(20, ge=2, le=5_000, description="bars of the highest close before")
    trend: float = Field(1.0, gt=0, le=20, description="net move that is a trend, in deviations")
    high: float = Field(1.5, gt=1, le=20, description="volatility that is high, over typical")
    crash: float = Field(2.5, gt=0, le=50, description="fall that is a crash, in deviations")
    softness: float = Field(0.25, gt=0, le=5, description="width of each threshold, as a share")

    @property
    def features(self) -> tuple[Feature, ...]:
        return (
            Feature(feature="log_return", params={"window": self.trend_bars}),
            Feature(feature="realized_volatility", params={"window": self.volatility_bars}),
            Feature(feature="drawdown", params={"window": self.fall_bars}),
        )

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Floats:
        """(1,) the typical volatility of a bar."""
        check_width(len(self.features), train.table)
        return np.array([max(float(np.median(train.table[train.rows, 1])), _LEAST)])

    def states(self, learned: Floats, inputs: Inputs) -> Floats:
        found = np.empty((len(inputs), len(REGIMES)))
        bars = (float(self.trend_bars), float(self.fall_bars))
        at = (self.trend, log(self.high), self.crash, self.softness)
        _by_rules(inputs.table, inputs.rows, float(learned[0]), bars, at, found)
        return found

    def names(self, learned: Floats) -> Rows:
        return np.arange(len(REGIMES))

    def save(self, learned: Floats, folder: Path) -> None:
        write_arrays(folder / "typical.npz", volatility=learned)

    def load(self, folder: Path, target: Target) -> Floats:
        file = folder / "typical.npz"
        found: Floats = read_arrays(file, volatility="float64 1")["volatility"]
        require(file, found[0] >= _LEAST, "a volatility is not above 0")
        return found


@njit(cache=True)
def _above(value: float, threshold: float, width: float) -> float:
    """The logistic function: one half at the threshold."""
    score = (value - threshold) / width
    return 1.0 / (1.0 + exp(-min(max(score, -_FARTHEST), _FARTHEST)))


@njit(cache=True)
def _by_rules(table, rows, typical, bars, at, found):  # type: ignore[no-untyped-def]
    """Fill (n_rows, 6) probabilities in the order of REGIMES; they sum to one."""
    trend_bars, fall_bars = bars
    trend_at, high_at, crash_at, softness = at
    for i in range(len(rows)):
        moved, volatility, drawdown = table[rows[i], 0], table[rows[i], 1], table[rows[i], 2]
        now = max(volatility, 1e-3 * typical)
        trend = moved / (now * sqrt(trend_bars))
        ratio = log(now / typical)
        fall = -drawdown / (typical * sqrt(fall_bars))
        crash = _above(fall, crash_at, softness * crash_at)
        up = _above(trend, trend_at, softness * trend_at)
        down = _above(-trend, trend_at, softness * trend_at)
        high = _above(ratio, high_at, softness * high_at)
        low = _above(-ratio, high_at, softness * high_at)
        rest = 1.0 - crash
        flat = rest * (1.0 - up - down)
        found[i, 0] = rest * up
        found[i, 1] = rest * down
        found[i, 2] = flat * (1.0 - high - low)
        found[i, 3] = flat * high
        found[i, 4] = flat * low
        found[i, 5] = crash
