"""The plain labels: the return, its sign, and three classes of it."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from barstack.bars import Bars

from ._label import Column, register
from ._returns import ReturnLabel


@register("return", task="return")
class ForwardReturn(ReturnLabel):
    """The return from holding over the horizon, as a fraction of the price at the decision."""

    def encode(self, returns: Column, bars: Bars, horizon: str | int) -> Column:
        return returns


@register("direction", task="direction")
class Direction(ReturnLabel):
    """1 where the price ends higher, 0 where it ends lower or unchanged."""

    def encode(self, returns: Column, bars: Bars, horizon: str | int) -> Column:
        return np.where(np.isnan(returns), np.nan, returns > 0.0)


@register("three_class", task="three_class")
class ThreeClass(ReturnLabel):
    """BUY (2) above the threshold, SELL (0) below its negative, HOLD (1) between."""

    threshold_bps: float = Field(10.0, gt=0)

    def encode(self, returns: Column, bars: Bars, horizon: str | int) -> Column:
        threshold = self.threshold_bps * 1e-4
        side = (returns > threshold).astype(float) - (returns < -threshold)
        return np.where(np.isnan(returns), np.nan, 1.0 + side)
