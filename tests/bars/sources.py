"""The remote providers as tests and benchmarks set them up against `vendor`."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from tests.bars.vendor import market_of

from barstack.bars import PROVIDERS
from barstack.bars.sources import PagedProvider, RetryPolicy
from barstack.core.times import parse_duration

_LATELY = datetime.now(UTC).date() - timedelta(days=40)  # Yahoo keeps no long history


@dataclass(frozen=True)
class Source:
    """A provider's settings, and where its bars begin."""

    settings: dict[str, Any]
    symbols: tuple[str, str]
    bar: str
    start: str

    @property
    def length_us(self) -> int:
        return parse_duration(self.bar)

    def at_bar(self, number: int) -> str:
        """When bar number `number` starts."""
        first = np.datetime64(self.start, "us")
        return str(first + np.timedelta64(number * self.length_us, "us"))

    def remote(self, bars: int = 2500, start_bar: int = 0, **changes: Any) -> PagedProvider:
        """The provider, asking for `bars` bars from number `start_bar` on."""
        asked = {
            "symbols": self.symbols,
            "bar": self.bar,
            "start": self.at_bar(start_bar),
            "end": self.at_bar(start_bar + bars),
        }
        found = PROVIDERS.parse(self.settings | asked | changes)
        assert isinstance(found, PagedProvider)
        return found

    def market(self, bars: int = 3000, **changes: Any) -> dict[str, pl.DataFrame]:
        """Bars for a vendor; more than are asked for."""
        return market_of(self.symbols, self.start, bars, self.length_us, **changes)


SOURCES = {
    "alpaca": Source(
        {"provider": "alpaca", "calendar": "24/7"}, ("SPY", "BRK.B"), "5min", "2024-01-01"
    ),
    "alpaca_crypto": Source(
        {"provider": "alpaca", "market": "crypto"}, ("BTC/USD", "ETH/USD"), "1h", "2022-01-01"
    ),
    "ccxt": Source(
        {"provider": "ccxt", "exchange": "binance"}, ("BTC/USDT", "ETH/USDT"), "15min", "2024-01-01"
    ),
    "yfinance": Source(
        {"provider": "yfinance", "calendar": "24/7", "hours": "extended"},
        ("SPY", "BRK-B"),
        "15min",
        str(_LATELY),
    ),
}


def impatient(**changes: Any) -> RetryPolicy:
    """Short waits, drawn from a seed."""
    settings: dict[str, Any] = {"timeout_s": 0.4, "first_wait_s": 0.02, "random": random.Random(0)}
    return RetryPolicy(**(settings | changes))
