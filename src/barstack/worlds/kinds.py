"""The kinds of worlds: of pure noise, and with a planted signal of known strength.

In a world of noise prices are martingales, and no forecast is better than 0.
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError

from ._bar_times import BarTimes
from ._candles import Components, autoregress
from ._noise import NOISES, Noise
from ._signal import Signal, coefficient_for
from ._world import World, register


@register("martingale")
class Martingale(World):
    """Gaussian moves of constant volatility."""


@register("garch")
class Garch(World):
    """Volatility clustering: GARCH(1,1). Bollerslev (1986)."""

    noise: Noise = NOISES["garch"]


@register("regime_volatility")
class RegimeVolatility(World):
    """Calm and turbulent regimes by a Markov chain, which volume shows. Hamilton (1989)."""

    noise: Noise = NOISES["regimes"]


@register("hidden_regimes")
class HiddenRegimes(World):
    """Calm and turbulent regimes that volume does not show: only how far prices move tells.

    Prices given the regime are Gaussian moves with the wicks of their volatility, so that the
    exact filter is known: `regimes_of`. Other ingredients of noise would end that.
    """

    noise: Noise = NOISES["regimes"]

    regimes_hide = True

    @model_validator(mode="after")
    def _filter_is_known(self) -> Self:
        noise = self.noise
        if noise.arch or noise.tails or noise.jumps or noise.volume_link or noise.regime_ratio == 1:
            raise ConfigError(
                "hidden_regimes has Gaussian moves of two levels, so that its filter is known. Set "
                "noise.regime_ratio above 1 and leave arch, tails, jumps and volume_link out."
            )
        return self


@register("seasonal")
class Seasonal(World):
    """Volatility and volume high at the open and the close, or in New York's morning."""

    noise: Noise = NOISES["seasonal"]


@register("jumps")
class Jumps(World):
    """Occasional bars that move many times as far. After Merton (1976)."""

    noise: Noise = NOISES["jumps"]


@register("fat_tails")
class FatTails(World):
    """Moves with Student's t distribution. Praetz (1972)."""

    noise: Noise = NOISES["fat_tails"]


@register("market")
class Market(World):
    """All of these together, set to resemble real bars."""

    noise: Noise = NOISES["market"]


class Planted(World):
    """A world with a signal of strength `r2`. Subclass it and define its driver."""

    noise: Noise = NOISES["garch"]
    r2: float = Field(0.01, gt=0, lt=1)  # of the best forecast, `r2_bars` ahead
    r2_bars: int = Field(1, ge=1, le=10_000)
    memory: float = Field(0.9, ge=0, lt=1)  # correlation of the wick balance with the last bar's

    law: ClassVar[str] = "gaussian"

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        coefficient_for(self.r2, self.r2_bars, self.driver_memory(), 1.0)
        return self

    def wick_memory(self) -> float:
        return self.memory

    def driver_memory(self) -> float:
        """Correlation of the driver with the previous bar's."""
        return self.memory

    def fade(self) -> float:
        """Factor by which the coefficient shrinks each bar."""
        return 1.0

    def signal(self, times: BarTimes) -> Signal:
        _, _, usual = times.scale(self.noise)
        return Signal(
            coefficient=coefficient_for(self.r2, self.r2_bars, self.driver_memory(), usual),
            memory=self.driver_memory(),
            variance=self.driver_variance(times, usual),
            fade=self.fade(),
            law=self.law,
        )

    def driver_variance(self, times: BarTimes, usual: float) -> Floats:
        """(n_bars,) variance of the driver."""
        return np.ones(len(times.records))


@register("linear")
class Linear(Planted):
    """The wick balance: a long lower wick predicts a rise."""

    about_signal = "wick"

    def driver(self, own: Components, leader: Components) -> Floats:
        return own.wick


@register("interaction")
class Interaction(Planted):
    """The wick balance times the volume surprise; neither predicts anything alone."""

    about_signal = "wick * volume"
    law = "product"

    def driver_memory(self) -> float:
        return self.memory * self.volume_memory

    def driver(self, own: Components, leader: Components) -> Floats:
        return own.wick * own.volume


@register("regime_dependent")
class RegimeDependent(Planted):
    """The wick balance predicts a rise in one regime, a fall in the other; volume shows which."""

    about_signal = "wick * regime"
    law = "gaussian now"
    regimes_show = True

    def driver_memory(self) -> float:
        return self.memory * self.noise.regime_memory

    def driver(self, own: Components, leader: Components) -> Floats:
        return own.wick * own.regime


@register("order")
class Order(Planted):
    """Wicks with alternating signs, the newest with little weight: only their order predicts.

    d[t] = memory * d[t-1] + (1 - memory**2)**0.5 * wick[t] with a negative memory, so that equal
    wicks cancel. The newest bar holds 1 - memory**2 of the signal's variance, which is all that a
    model of one bar can find.
    """

    memory: float = Field(-0.95, gt=-1, le=0)  # correlation of the driver with the bar before

    about_signal = "wick, with alternating sign"

    def wick_memory(self) -> float:
        return 0.0

    def driver(self, own: Components, leader: Components) -> Floats:
        driver = own.wick.copy()
        autoregress(driver, self.memory)
        return driver


@register("lead_lag")
class LeadLag(Planted):
    """The first symbol is noise; the others follow its last move by one bar."""

    symbols: int | tuple[str, ...] = 2
    memory: float = Field(0.0, ge=0, le=0)  # a move does not predict the next

    about_signal = "last move of the first symbol"
    law = "noise"
    follows_leader = True

    @model_validator(mode="after")
    def _has_followers(self) -> Self:
        if len(self.names) < 2:
            raise ConfigError("lead_lag needs two symbols or more: a leader and its followers.")
        if self.correlation:
            raise ConfigError(
                f"lead_lag with correlation {self.correlation:g}: its figures are known only where "
                "the lead alone relates the symbols. Set correlation: 0."
            )
        return self

    def driver(self, own: Components, leader: Components) -> Floats:
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

    def driver(self, own: Components, leader: Components) -> Floats:
        return own.wick
