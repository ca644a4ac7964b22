"""A world: simulated bars whose best possible forecast is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError
from barstack.core.notebook import card, paragraph, table
from barstack.core.registry import SpecRegistry
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.times import ClosedAt, parse_duration

from ._candles import candles
from ._noise import Streams
from ._process import Process
from ._regimes import RegimeTruth, regime_truth
from ._truth import Truth

_LARGEST_EXPECTED = 0.4  # of the price, in one bar; noise takes half of it at most


@dataclass(frozen=True, eq=False)
class Made:
    """Bars of a world, and the truth about them."""

    panel: dict[str, Bars]
    truth: Truth


class World(Process):
    """Bars of one or many symbols whose best forecast is known. Subclass it and `register`.

    The fields determine everything: the same world has the same bytes wherever it is made with the
    same versions of the libraries. Each symbol has separate random streams, so that adding symbols
    or bars changes nothing that was there before.
    """

    def _repr_html_(self) -> str:
        """Its signal and its settings, as notebooks show them; no bars are made."""
        name = self.registered_as[1] if self.registered_as else type(self).__name__
        own = {key: value for key, value in self.content().items() if key != "world"}
        return card(
            f"World {name}",
            paragraph(f"Signal: {self.about_signal}"),
            table(["setting", "value"], [(key, str(value)) for key, value in own.items()]),
            note=f"{self.bars:,} bars of {len(self.names):,} symbol(s)",
        )

    def bars_of(self, symbol: str) -> Bars:
        """The bars of one symbol, without making the others."""
        return self._make(symbol)[0]

    def make(self) -> Made:
        """Bars of all symbols, and the truth.

        >>> from barstack.worlds import WORLDS
        >>> made = WORLDS.parse({"world": "linear", "bars": 500, "r2": 0.02}).make()
        >>> made.panel["W0001"]
        Bars(W0001, 500 x 5min, 2016-01-04 14:30 UTC .. 2016-01-12 17:10 UTC)
        >>> made.truth.forecast.shape
        (500, 3)
        """
        made = {symbol: self._make(symbol) for symbol in sorted(self.names)}
        return Made(
            {symbol: bars for symbol, (bars, _) in made.items()},
            self._truth({symbol: forecast for symbol, (_, forecast) in made.items()}),
        )

    def truth_of(self, *symbols: str) -> Truth:
        """The truth about some symbols, without making their bars."""
        return self._truth({symbol: self.forecast_of(symbol)[1] for symbol in symbols})

    def regimes_of(self, symbol: str) -> RegimeTruth:
        """The regime of each bar of a symbol, and what the bars so far say of it.

        Raises `ConfigError` for a world without regimes.

        >>> from barstack.worlds import WORLDS
        >>> truth = WORLDS.parse({"world": "hidden_regimes", "bars": 4000}).regimes_of("W0001")
        >>> truth.filtered.shape, bool(truth.balanced_accuracy(truth.filtered) > 0.9)
        ((4000, 2), True)
        """
        if not self.regimes_show and self.noise.regime_ratio == 1:
            raise ConfigError(
                f"World {self.registered_as and self.registered_as[1]!r} has no regimes. Set "
                "noise: {regime_ratio: 2}, or choose hidden_regimes."
            )
        bars, times = self.bars_of(symbol), self.bar_times()
        own, _, expected = self.forecast_of(symbol)
        return regime_truth(
            self.noise,
            own,
            bars,
            expected[: len(bars)],
            times.first[: len(bars)],
            times.scale(self.noise)[1][: len(bars)],
            price=self.price,
            shown=self.volume_shows_regimes,
        )

    def _make(self, symbol: str) -> tuple[Bars, Floats]:
        own, forecast, expected = self.forecast_of(symbol)
        if (most := float(np.abs(expected).max())) >= _LARGEST_EXPECTED:
            raise ConfigError(
                f"A bar of {symbol} is expected to return {most:.2g}: with its noise the price "
                "could fall below zero. Lower noise.daily_volatility or r2."
            )
        records = candles(
            own,
            expected,
            self.noise,
            self.bar_times(),
            Streams(self.seed, symbol),
            price=self.price,
            shares=self.volume,
            regimes_show=self.volume_shows_regimes,
        )
        return Bars(symbol, parse_duration(self.bar), records), forecast

    def _truth(self, forecasts: Mapping[str, Floats]) -> Truth:
        decided_at = AT_EACH_CLOSE.decided_at(ClosedAt(self.bar_times().closed_at[: self.bars]))
        return Truth(
            world=self,
            decisions=Decisions.concatenate(dict.fromkeys(forecasts, decided_at)),
            horizons=self.horizon_names,
            forecast=np.concatenate([forecasts[symbol] for symbol in sorted(forecasts)]),
        )


WORLDS: SpecRegistry[World] = SpecRegistry("world", "barstack.worlds")
register = WORLDS.register
