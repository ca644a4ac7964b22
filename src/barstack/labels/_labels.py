"""The plain labels: the return, and its sign."""

from __future__ import annotations

import numpy as np

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
