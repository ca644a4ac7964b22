"""Returns over a horizon, and the plain labels: the return, its quantiles, and its sign."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import field_validator

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.core.forecast import LEVELS, Target, check_levels
from barstack.core.horizon import Horizon
from barstack.core.times import NEVER, KnownAt

from ._holding import HoldingLabel
from ._horizons import leave
from ._label import Horizons, Outcome, register


def forward_return(
    bars: Bars, horizon: Horizon | str | int, *, overnight: bool = True
) -> tuple[Floats, KnownAt]:
    """Return from holding over a horizon, and when it is known.

    horizon    a number of bars, a duration, or sessions
    overnight  where false, the holding ends with its session at the latest
    returns    value (n_bars,) fraction, NaN while open
               known_at (n_bars,) close of the bar that ends the holding, NaT while open

    >>> from barstack.testing import walk
    >>> value, known_at = forward_return(walk(bars=4), 1)
    >>> np.datetime_as_string(known_at, unit="m").tolist()
    ['2026-01-05T15:30', '2026-01-05T16:00', '2026-01-05T16:30', 'NaT']
    """
    exit_row, known_at = leave(bars, Horizon.parse(horizon), overnight=overnight)
    held = (exit_row > np.arange(len(bars))) & (exit_row < len(bars))
    value = np.full(len(bars), np.nan)
    value[held] = bars.close[exit_row[held]] / bars.close[held] - 1.0
    return value, KnownAt(np.where(held, known_at, NEVER))


class ReturnLabel(HoldingLabel):
    """A label made of the return over the horizon."""

    @abstractmethod
    def encode(self, returns: Floats, bars: Bars, horizon: Horizon) -> Floats:
        """(n_bars,) the label for each forward return; NaN stays NaN."""

    def outcome(self, bars: Bars, horizon: Horizon) -> Outcome:
        returns, known_at = forward_return(bars, horizon, overnight=self.overnight)
        exit_row, _ = self.bound(bars, horizon)
        eligible = exit_row > np.arange(len(bars))
        return Outcome(self.encode(returns, bars, horizon), returns, known_at, eligible)


@register("return", task="return")
class ForwardReturn(ReturnLabel):
    """The return from holding over the horizon, as a fraction of the price at the decision.

    >>> from barstack.testing import walk
    >>> ForwardReturn(["1h"]).compute(walk(60)).values[:3, 0].round(5)
    array([ 0.00474, -0.00264, -0.01746])
    """

    if TYPE_CHECKING:

        def __init__(
            self,
            horizons: Horizons,
            *,
            overnight: bool = True,
            max_gap: str | None = None,
        ) -> None: ...

    def encode(self, returns: Floats, bars: Bars, horizon: Horizon) -> Floats:
        return returns


@register("quantiles", task="quantiles")
class Quantiles(ForwardReturn):
    """The same return, of which quantiles are to be forecast: how far it may go, and how likely.

    >>> Quantiles(["1h"], levels=(0.1, 0.5, 0.9)).levels
    (0.1, 0.5, 0.9)
    """

    levels: tuple[float, ...] = LEVELS  # shares of returns that lie below, 0.5 among them

    if TYPE_CHECKING:

        def __init__(
            self,
            horizons: Horizons,
            *,
            levels: Sequence[float] = LEVELS,
            overnight: bool = True,
            max_gap: str | None = None,
        ) -> None: ...

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
    """1 where the price ends higher, 0 where it ends lower or unchanged.

    >>> from barstack.testing import walk
    >>> Direction(["1h"]).compute(walk(60)).values[-8:, 0]
    array([ 0.,  1.,  1.,  1.,  1.,  0.,  0., nan])
    """

    if TYPE_CHECKING:

        def __init__(
            self,
            horizons: Horizons,
            *,
            overnight: bool = True,
            max_gap: str | None = None,
        ) -> None: ...

    def encode(self, returns: Floats, bars: Bars, horizon: Horizon) -> Floats:
        return np.where(np.isnan(returns), np.nan, returns > 0.0)
