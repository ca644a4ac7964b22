"""Noise that nobody can forecast: one model whose ingredients combine, and its random streams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
import scipy
from numba import njit
from pydantic import Field, model_validator

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.seeds import derive_seed
from barstack.core.spec import Spec

_WIDEST = 20.0  # standard deviations at which Student's t is clipped
_LARGEST_MOVE = 0.5  # of the price: a larger fall could end below zero
_SETTLING = 1000  # bars before the first, until volatility no longer depends on its start


@dataclass(frozen=True)
class Streams:
    """Random streams of one symbol, one for each ingredient and independent of all others.

    >>> streams = Streams(7, "W0001")
    >>> int(streams("noise").integers(1000)) == int(streams("noise").integers(1000))
    True
    """

    seed: int
    symbol: str

    def __call__(self, ingredient: str) -> np.random.Generator:
        # Two derived seeds, as one of 31 bits would recur among the streams of many worlds.
        words = [derive_seed(self.seed, self.symbol, ingredient, part) for part in (0, 1)]
        return np.random.Generator(np.random.PCG64(words))

    def market(self, ingredient: str) -> np.random.Generator:
        """The stream that all symbols of the world share."""
        return Streams(self.seed, "")(ingredient)


class Noise(Spec):
    """How returns scatter about their expectation.

    The move of bar t, a simple return, is scale[t] * sqrt(v[t]) * z[t], where

    - scale[t] is known from the calendar: `daily_volatility`, spread over the session evenly or by
      `seasonality`; the share `overnight` of its variance falls between the previous session's
      close and the open;
    - v[t] has mean 1: GARCH(1,1), v[t+1] = 1 - arch - garch + (arch * z[t]^2 + garch) * v[t]
      (Bollerslev 1986), times a level that a Markov chain of two states switches (Hamilton 1989);
    - z[t] is symmetric with variance 1 and independent of the rest: Gaussian or Student's t, and
      with probability `jumps` multiplied by `jump_size`.

    So E[move | past] = 0 and E[move^2] = scale^2, exactly, for any combination of ingredients.
    Moves are clipped at half the price, which keeps prices positive; at realistic volatilities it
    never happens.

    >>> Noise(daily_volatility=0.02, tails=4.0).tails
    4.0
    """

    daily_volatility: float = Field(0.01, gt=0, le=0.1)  # standard deviation of a session's return
    overnight: float = Field(0.3, ge=0, lt=1)  # share of the variance, in markets that close
    arch: float = Field(0.0, ge=0, lt=1)  # how much a move raises the variance of the next
    garch: float = Field(0.0, ge=0, lt=1)  # how much of the variance stays
    regime_ratio: float = Field(1.0, ge=1, le=10)  # turbulent over calm volatility; 1 for none
    regime_bars: float = Field(400.0, ge=2)  # mean length of a regime
    seasonality: float = Field(0.0, ge=0, le=3)  # of volatility and volume within the session
    tails: float | None = Field(None, gt=2)  # degrees of freedom of Student's t; none: Gaussian
    jumps: float = Field(0.0, ge=0, le=0.1)  # probability that a bar jumps
    jump_size: float = Field(6.0, ge=1, le=20)  # factor of its move
    volume_link: float = Field(0.0, ge=0, le=3)  # exponent of volatility in volume

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.arch + self.garch >= 1:
            raise ConfigError(
                f"arch {self.arch} and garch {self.garch} add up to {self.arch + self.garch:g}: "
                "the variance would grow without end. Keep the sum below 1."
            )
        if self.garch and not self.arch:
            raise ConfigError(f"garch {self.garch} without arch does nothing. Set arch as well.")
        return self

    @property
    def constant(self) -> bool:
        """Whether v is always 1."""
        return self.arch == 0 and self.regime_ratio == 1

    @property
    def gaussian(self) -> bool:
        """Whether moves are Gaussian with a variance known from the calendar."""
        return self.constant and self.tails is None and self.jumps == 0

    @property
    def regime_levels(self) -> tuple[float, float]:
        """v in calm and in turbulent regimes, which are equally frequent."""
        calm = 2.0 / (1.0 + self.regime_ratio**2)
        return calm, calm * self.regime_ratio**2

    @property
    def regime_memory(self) -> float:
        """Correlation of the regime, +1 or -1, with the previous bar's."""
        return 1.0 - 2.0 / self.regime_bars

    def regimes(self, streams: Streams, bars: int) -> Floats:
        """(bars,) -1 in calm, +1 in turbulent regimes, from a symmetric Markov chain."""
        draws = streams("regimes").random(bars + 1)
        switches = np.cumsum(draws[1:] < 1.0 / self.regime_bars)
        return np.where((switches + (draws[0] < 0.5)) % 2 == 0, 1.0, -1.0)

    def moves(
        self, streams: Streams, scale: Floats, regimes: Floats, correlation: float = 0.0
    ) -> tuple[Floats, Floats]:
        """(move, v) of each bar.

        scale        (n_bars,) standard deviation of each bar's move
        regimes      (n_bars,) as `regimes` gives
        correlation  of z with that of every other symbol of the same world, before tails and jumps
        """
        bars = _SETTLING + len(scale)
        z = streams("noise").standard_normal(bars)
        if correlation:
            market = streams.market("noise").standard_normal(bars)
            z = np.sqrt(correlation) * market + np.sqrt(1.0 - correlation) * z
        if self.tails is not None:
            z *= np.sqrt(self.tails / streams("tails").chisquare(self.tails, bars))
            z = np.clip(z, -_WIDEST, _WIDEST) / clipped_deviation(self.tails)
        if self.jumps:
            stretched = streams("jumps").random(bars) < self.jumps
            z *= np.where(stretched, self.jump_size, 1.0)
            z /= np.sqrt(1.0 + self.jumps * (self.jump_size**2 - 1.0))
        calm, turbulent = self.regime_levels
        level = np.where(regimes > 0, turbulent, calm)
        v = np.empty(len(scale))
        move = np.empty(len(scale))
        _cluster(z, scale, level, self.arch, self.garch, move, v)
        return move, v


@njit(cache=True)
def _cluster(z: Any, scale: Any, level: Any, arch: float, garch: float, move: Any, v: Any) -> None:
    """GARCH(1,1) with mean 1, from 1 at the first of the settling bars."""
    variance = 1.0
    before = len(z) - len(scale)
    for t in range(len(z)):
        if t >= before:
            row = t - before
            v[row] = variance * level[row]
            far = scale[row] * np.sqrt(v[row]) * z[t]
            move[row] = min(max(far, -_LARGEST_MOVE), _LARGEST_MOVE)
        variance = 1.0 - arch - garch + (arch * z[t] * z[t] + garch) * variance


@lru_cache(maxsize=64)
def clipped_deviation(freedom: float) -> float:
    """Standard deviation of Student's t clipped at plus and minus `_WIDEST`."""
    law = scipy.stats.t(freedom)
    inside = law.expect(lambda t: t * t, lb=-_WIDEST, ub=_WIDEST, epsrel=1e-10)
    return float(np.sqrt(inside + 2.0 * _WIDEST**2 * law.sf(_WIDEST)))


# Noise of the kinds of worlds; `market` resembles real bars, see docs/worlds.md.
NOISES: dict[str, Noise] = {
    "gaussian": Noise(),
    "garch": Noise(arch=0.06, garch=0.92),
    "regimes": Noise(regime_ratio=2.5),
    "seasonal": Noise(seasonality=1.0),
    "jumps": Noise(jumps=0.002, jump_size=8.0),
    "fat_tails": Noise(tails=5.0),
    "market": Noise(
        arch=0.05,
        garch=0.92,
        regime_ratio=1.8,
        regime_bars=800,
        seasonality=1.0,
        tails=6.0,
        jumps=0.0005,
        jump_size=4.0,
        volume_link=1.5,
    ),
}


def named_noise(value: Any) -> Any:
    """The noise of this name; anything else unchanged."""
    if isinstance(value, str):
        if value not in NOISES:
            raise ConfigError(f"Unknown noise {value!r}. {did_you_mean(value, NOISES)}")
        return NOISES[value]
    return value
