"""The process behind a world: when bars close, what drives their returns, and their noise."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError
from barstack.core.horizon import Horizon
from barstack.core.spec import Spec
from barstack.core.times import as_time, parse_duration

from ._bar_times import BarTimes, bar_times
from ._candles import Components, components
from ._noise import NOISES, Noise, Streams, named_noise
from ._signal import Signal


class Process(Spec):
    """How the bars of a world come about: its fields, its drivers and its noise.

    The return of each bar is `expected + move`. The move is noise, see `Noise`. What is expected
    was known at the previous close: it is `coefficient * driver`, where the driver has mean 0 and
    variance 1 and follows from the bars so far. Kinds of pure noise have no driver: prices are
    martingales, and the best forecast is 0 at every horizon.
    """

    symbols: int | tuple[str, ...] = 1  # how many, named W0001 and so on, or their names
    bars: int = Field(20_000, ge=2, le=20_000_000)  # for each symbol
    bar: str = "5min"
    calendar: str = "XNYS"  # exchange code such as XNYS, or 24/7
    start: str = "2016-01-01"  # the first session opens on this UTC day or later
    seed: int = Field(0, ge=0)
    horizons: tuple[Horizon, ...] = tuple(map(Horizon.parse, (1, "1h", "1d")))  # no sessions
    noise: Noise = NOISES["gaussian"]  # or the name of one, such as market
    correlation: float = Field(0.0, ge=0, lt=1)  # of the noise of any two symbols
    volume_memory: float = Field(0.8, ge=0, lt=1)  # correlation of volume with the previous bar's
    price: float = Field(100.0, gt=0)  # before the first bar
    volume: float = Field(50_000.0, gt=0)  # traded in a typical quiet bar

    about_signal: ClassVar[str] = "none"
    regimes_show: ClassVar[bool] = False  # whether volume shows the regime, noise regimes or not
    regimes_hide: ClassVar[bool] = False  # whether volume shows no regime, though there is one
    follows_leader: ClassVar[bool] = False  # whether the first symbol leads the others

    @field_validator("noise", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return named_noise(value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        length_us = parse_duration(self.bar)
        try:
            as_time(self.start)
        except ValueError:
            raise ConfigError(f"start {self.start!r} is not a day. Write 2016-01-01.") from None
        if not self.names or len(set(self.names)) < len(self.names):
            raise ConfigError(f"symbols {self.symbols!r}: give at least one, each once.")
        if not self.horizons:
            raise ConfigError("Give at least one horizon, such as 1h.")
        for horizon in self.horizons:
            if horizon.unit == "sessions":
                raise ConfigError(f"Horizon {horizon}: write a duration or a number of bars.")
            if horizon.unit == "us" and horizon.count < length_us:
                raise ConfigError(f"Horizon {horizon} is shorter than a bar of {self.bar}.")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The symbols' names."""
        if isinstance(self.symbols, int):
            return tuple(f"W{number:04d}" for number in range(1, self.symbols + 1))
        return self.symbols

    @property
    def volume_shows_regimes(self) -> bool:
        """Whether a bar's volume says for certain in which regime it is."""
        return self.regimes_show or (self.noise.regime_ratio > 1 and not self.regimes_hide)

    @property
    def horizon_names(self) -> tuple[str, ...]:
        """Names as in labels: `1h`, `12bars`."""
        return tuple(each.name for each in self.horizons)

    @property
    def forecastable(self) -> tuple[str, ...]:
        """Symbols with the signal in their returns; in a world of noise, all."""
        return self.names[1:] if self.follows_leader else self.names

    def bar_times(self) -> BarTimes:
        """When bars open and close, including those that horizons past the end reach."""
        length_us = parse_duration(self.bar)
        reach = (
            each.count if each.unit == "bars" else each.count // length_us + 2
            for each in self.horizons
        )
        return bar_times(self.calendar, length_us, self.start, self.bars, max(reach))

    def signal(self, times: BarTimes) -> Signal | None:
        """Law and strength of the driver; None in a world of noise."""
        return None

    def driver(self, own: Components, leader: Components) -> Floats:
        """(n_bars,) driver of the next bar's return, known at each close."""
        raise NotImplementedError

    def wick_memory(self) -> float:
        """Correlation of the wick balance with the previous bar's."""
        return 0.0

    def components_of(
        self, symbol: str, streams: Streams | None = None, rounds: int = 1
    ) -> Components:
        """The components of a symbol's bars, over all times of the world, `rounds` times on end."""
        return components(
            self.noise,
            self.bar_times(),
            streams or Streams(self.seed, symbol),
            self.wick_memory(),
            self.volume_memory,
            self.correlation if streams is None else 0.0,
            rounds,
        )

    def driver_of(self, symbol: str, own: Components) -> Floats | None:
        """(n_bars,) the driver of a symbol; None if nothing can be forecast."""
        if self.signal(self.bar_times()) is None or symbol not in self.forecastable:
            return None
        return self.driver(own, self.components_of(self.names[0]) if self.follows_leader else own)

    def forecast_of(self, symbol: str) -> tuple[Components, Floats, Floats]:
        """(components, best forecast at each decision, expected return of each bar)."""
        if symbol not in self.names:
            raise ConfigError(
                f"The world has no symbol {symbol!r}; its symbols are {', '.join(self.names)}."
            )
        times = self.bar_times()
        own = self.components_of(symbol)
        driver, signal = self.driver_of(symbol, own), self.signal(times)
        if driver is None or signal is None:
            return own, np.zeros((self.bars, len(self.horizons))), np.zeros(len(times.records))
        exits = [times.exits(horizon) for horizon in self.horizons]
        return own, signal.forecast(driver[: self.bars], exits), signal.expected(driver)
