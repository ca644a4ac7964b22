"""Regimes by rules on trend, volatility and falls."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats, Rows
from barstack.core.forecast import REGIMES, Target
from barstack.datasets import Inputs, Samples
from barstack.features import Feature

from .._arrays import check_width, read_arrays, require, write_arrays
from .._model import register
from ._regime import TASKS, RegimeDetector
from ._rules_kernel import by_rules

_LEAST = 1e-12  # of a volatility that is divided by


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

    >>> from barstack.core.forecast import REGIMES
    >>> from barstack.models import train
    >>> from barstack.testing import regime_dataset, training_rows
    >>> dataset = regime_dataset(RegimeRules())
    >>> rows = training_rows(dataset)
    >>> fitted = train(RegimeRules(), dataset, rows, seed=0)
    >>> REGIMES[fitted.predict(dataset.features, rows[-1:])[0, 0].argmax()]
    'sideways'
    """

    trend_bars: int = Field(60, ge=2, le=5_000, description="bars of the net move")
    volatility_bars: int = Field(20, ge=2, le=5_000, description="bars of the volatility now")
    fall_bars: int = Field(20, ge=2, le=5_000, description="bars of the highest close before")
    trend: float = Field(1.0, gt=0, le=20, description="net move that is a trend, in deviations")
    high: float = Field(1.5, gt=1, le=20, description="volatility that is high, over typical")
    crash: float = Field(3.0, gt=0, le=50, description="fall that is a crash, in deviations")
    softness: float = Field(0.15, gt=0, le=5, description="width of each threshold, as a share")

    @property
    def features(self) -> tuple[Feature, ...]:
        return (
            Feature(feature="log_return", params={"window": self.trend_bars}),
            Feature(feature="realized_volatility", params={"window": self.volatility_bars}),
            Feature(feature="drawdown", params={"window": self.fall_bars}),
        )

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Floats:
        """(1,) the typical volatility of a bar."""
        check_width(len(self.feature_set.features), train.table)
        return np.array([max(float(np.median(train.table[train.rows, 1])), _LEAST)])

    def states(self, learned: Floats, inputs: Inputs) -> Floats:
        found = np.empty((len(inputs), len(REGIMES)))
        bars = (float(self.trend_bars), float(self.fall_bars))
        at = (self.trend, log(self.high), self.crash, self.softness)
        by_rules(inputs.table, inputs.rows, float(learned[0]), bars, at, found)
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
