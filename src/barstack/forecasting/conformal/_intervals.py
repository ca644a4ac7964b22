"""Prediction intervals of returns, as wide as the newest errors ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from barstack.core.errors import DataError

from ._scale import NewestScale
from ._threshold import Method, Threshold


@dataclass(frozen=True)
class PredictedInterval:
    """Where the outcome will lie, with the coverage that was chosen.

    number  by which `update` knows the prediction
    """

    low: float
    high: float
    number: int


@dataclass
class ConformalIntervals:
    """Intervals about a point forecast whose share of hits stays at the coverage.

    The half-width is the threshold of scores times a scale known at the decision. Scores are errors
    over their scale: |outcome - forecast| / scale (Papadopoulos and others 2008). Where scales
    follow volatility, coverage is about the same in calm and in volatile times.

    Parameters
    ----------
    coverage, method, rate, window, fewest
        As `Threshold` has them.
    halflife
        Of `NewestScale`, which is fed the errors known so far; None takes scale 1 unless one is
        given. A longer one suits volatility that clusters and never breaks. Predictions before
        five outcomes are known have no scale, and nothing is learned from their errors but that.

    >>> intervals = ConformalIntervals(coverage=0.8, method="split", halflife=None, fewest=4)
    >>> for outcome in (1.0, -2.0, 3.0, -4.0):
    ...     intervals.update(intervals.predict(0.0).number, outcome)
    >>> found = intervals.predict(0.5)
    >>> found.low, found.high
    (-3.5, 4.5)
    """

    coverage: float = 0.9
    method: Method = "aggregated"
    rate: float = 0.02
    window: int = 1000
    fewest: int = 20
    halflife: float | None = 8.0
    _threshold: Threshold = field(default_factory=Threshold, repr=False)
    _open: dict[int, tuple[float, float | None]] = field(default_factory=dict, repr=False)
    _scale: NewestScale | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._scale = None if self.halflife is None else NewestScale(self.halflife)
        self._threshold = Threshold(self.coverage, self.method, self.rate, self.window, self.fewest)

    def predict(self, forecast: float, scale: float | None = None) -> PredictedInterval:
        """The interval of one decision; infinite while too few outcomes are known.

        Parameters
        ----------
        forecast
            The point forecast, such as of the return.
        scale
            How large errors are expected to be, as known at the decision, such as volatility; by
            default that of the newest errors.

        Raises
        ------
        DataError
            Where the forecast is no number or the scale not above 0.
        """
        if not math.isfinite(forecast):
            raise DataError(f"The forecast is {forecast}, not a number.")
        if scale is None:
            scale = 1.0 if self._scale is None else self._scale.now
        if scale is not None and not 0.0 < scale < math.inf:
            raise DataError(f"The scale is {scale}; give a finite number above 0.")
        threshold, number = self._threshold.ask()
        self._open[number] = (forecast, scale)
        if scale is None:
            return PredictedInterval(-math.inf, math.inf, number)
        return PredictedInterval(forecast - threshold * scale, forecast + threshold * scale, number)

    def update(self, number: int, outcome: float) -> None:
        """Learn the outcome of a prediction, once it is known.

        Raises
        ------
        DataError
            Where there is no such open prediction, or the outcome is no number.
        """
        if not math.isfinite(outcome):
            raise DataError(f"The outcome of prediction {number} is {outcome}, not a number.")
        forecast, scale = self._open.get(number, (0.0, 1.0))
        error = abs(outcome - forecast)
        if scale is None:
            self._threshold.forget(number)
        else:
            self._threshold.learn(number, error / scale)
        del self._open[number]
        if self._scale is not None:
            self._scale.add(error)

    def snapshot(self) -> dict[str, Any]:
        """All of it as plain data, from which `restore` goes on."""
        return {
            "halflife": self.halflife,
            "threshold": self._threshold.snapshot(),
            "open": [[number, *each] for number, each in self._open.items()],
            "scale": None if self._scale is None else [*self._scale.state],
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> ConformalIntervals:
        """The intervals that `snapshot` wrote; DataError of another format."""
        threshold = Threshold.restore(data["threshold"])
        found = cls(
            threshold.coverage,
            threshold.method,
            threshold.rate,
            threshold.window,
            threshold.fewest,
            data["halflife"],
        )
        found._threshold = threshold
        found._open = {int(number): (f, s) for number, f, s in data["open"]}
        if found.halflife is not None:
            found._scale = NewestScale.restored(found.halflife, *data["scale"])
        return found
