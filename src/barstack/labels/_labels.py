"""The labels themselves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ._label import Label, register


@register("return", task="return")
class ForwardReturn(Label):
    """The return from holding over the horizon, as a fraction of the price at the decision."""

    def encode(self, returns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return returns


@register("direction", task="direction")
class Direction(Label):
    """1 where the price ends higher, 0 where it ends lower or unchanged."""

    def encode(self, returns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(np.isnan(returns), np.nan, returns > 0.0)


@register("three_class", task="three_class")
class ThreeClass(Label):
    """BUY (2) above the threshold, SELL (0) below its negative, HOLD (1) between."""

    threshold_bps: float = Field(10.0, gt=0)

    def encode(self, returns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        threshold = self.threshold_bps * 1e-4
        side = (returns > threshold).astype(float) - (returns < -threshold)
        return np.where(np.isnan(returns), np.nan, 1.0 + side)
