"""The plain labels: the return, its quantiles, and its sign."""

from __future__ import annotations

import numpy as np
from pydantic import field_validator

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.core.forecast import LEVELS, Target, check_levels
from barstack.core.horizon import Horizon

from ._label import register
from ._returns import ReturnLabel


@register("return", task="return")
class ForwardReturn(ReturnLabel):
    """The return from holding over the horizon, as a fraction of the price at the decision."""

    def encode(self, returns: Floats, bars: Bars, horizon: Horizon) -> Floats:
        return returns


@register("quantiles", task="quantiles")
class Quantiles(ForwardReturn):
    """The same return, of which quantiles are to be forecast: how far it may go, and how likely."""

    levels: tuple[float, ...] = LEVELS  # shares of returns that lie below, 0.5 among them

    @field_validator("levels")
    @classmethod
    def _rise(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        check_levels(levels)
        return levels

    @property
    def target(self) -> Target:
        return Target(self.task, self.horizon_names, self.levels)


@register("direction", task="direction")
class Direction(ReturnLabel):
    """1 where the price ends higher, 0 where it ends lower or unchanged."""

    def encode(self, returns: Floats, bars: Bars, horizon: Horizon) -> Floats:
        return np.where(np.isnan(returns), np.nan, returns > 0.0)
