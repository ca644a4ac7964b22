"""Worlds with a planted signal: what can be forecast, and by whom, is known."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError

from ._bar_times import BarTimes
from ._candles import Parts, autoregress
from ._planted import Planted
from ._world import register


@register("linear")
class Linear(Planted):
    """The balance of the wicks: a long lower wick bodes well."""

    about_signal = "wick"

    def driver(self, own: Parts, leader: Parts) -> Floats:
        return own.wick


@register("interaction")
class Interaction(Planted):
    """The balance of the wicks times the surprise in volume; neither says anything alone."""

    about_signal = "wick * volume"
    law = "product"

    def driver_memory(self) -> float:
        return self.memory * self.volume_memory

    def driver(self, own: Parts, leader: Parts) -> Floats:
        return own.wick * own.volume


@register("regime_dependent")
class RegimeDependent(Planted):
    """The balance of the wicks bodes well in one regime, ill in the other; volume shows which."""

    about_signal = "wick * regime"
    law = "gaussian now"
    regimes_show = True

    def driver_memory(self) -> float:
        return self.memory * self.noise.regime_memory

    def driver(self, own: Parts, leader: Parts) -> Floats:
        return own.wick * own.regime


@register("order")
class Order(Planted):
    """Wicks weighed by turns for and against, the newest little: it is the order that tells.

    d[t] = memory * d[t-1] + (1 - memory**2)**0.5 * wick[t] with a negative memory, so that equal
    wicks cancel. The newest bar knows 1 - memory**2 of the signal's variance, which is all that a
    model of one bar can find.
    """

    memory: float = Field(-0.95, gt=-1, le=0)  # correlation of the driver with the bar before

    about_signal = "wick, its sign taking turns"

    def wick_memory(self) -> float:
        return 0.0

    def driver(self, own: Parts, leader: Parts) -> Floats:
        driver = own.wick.copy()
        autoregress(driver, self.memory)
        return driver


@register("lead_lag")
class LeadLag(Planted):
    """The first symbol is noise; the others follow its last move by one bar."""

    symbols: int | tuple[str, ...] = 2
    memory: float = Field(0.0, ge=0, le=0)  # a move says nothing of the next

    about_signal = "last move of the first symbol"
    law = "noise"
    follows_leader = True

    @model_validator(mode="after")
    def _has_followers(self) -> Self:
        if len(self.names) < 2:
            raise ConfigError("lead_lag needs two symbols or more: one that leads, and followers.")
        if self.correlation:
            raise ConfigError(
                f"lead_lag with correlation {self.correlation:g}: its figures are known only where "
                "the lead is all that ties the symbols. Set correlation: 0."
            )
        return self

    def driver(self, own: Parts, leader: Parts) -> Floats:
        return np.asarray(leader.move / leader.usual)

    def driver_variance(self, times: BarTimes, usual: float) -> Floats:
        scale, _, _ = times.scale(self.noise)
        return np.asarray((scale / usual) ** 2)


@register("decaying")
class Decaying(Planted):
    """As linear, but the coefficient halves every `half_life_bars`; `r2` is at the first bar."""

    half_life_bars: float = Field(10_000.0, gt=1)

    about_signal = "wick, fading"

    def fade(self) -> float:
        return float(0.5 ** (1.0 / self.half_life_bars))

    def driver(self, own: Parts, leader: Parts) -> Floats:
        return own.wick
