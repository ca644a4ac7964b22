"""Real bars for the ensembles: twelve symbols at each of three frequencies."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from _audit_bars import SHARED, load

from barstack.bars import Bars, resample
from barstack.core.times import parse_duration


class Series(NamedTuple):
    """Bars of one symbol; the latest `most` of them, made of shorter ones where `bar` says so."""

    frequency: str
    folder: str
    symbol: str
    calendar: str
    bar: str | None = None
    most: int = 3_000

    def bars(self, data: Path | None) -> dict[str, Bars]:
        """A panel of the one symbol."""
        whole = load((data or SHARED / self.folder) / f"{self.symbol}.parquet", self.calendar)
        if self.bar is not None and whole.length_us < parse_duration(self.bar):
            (whole,) = resample(whole, parse_duration(self.bar)).values()
        return {self.symbol: whole[-self.most :]}

    @property
    def key(self) -> list[str | int | None]:
        """Which bars these are."""
        return list(self)


def _of(
    frequency: str, folder: str, calendar: str, symbols: str, bar: str | None = None
) -> list[Series]:
    return [Series(frequency, folder, each, calendar, bar) for each in symbols.split()]


_SHARED = [
    *_of("30min", "us_equities_5m", "XNYS",
         "SPY QQQ XLE XLU AAPL AMZN BA GS MRNA NVDA TSLA WMT", "30min"),
    *_of("1h", "us_equities_1h_long", "XNYS", "AAPL BAC IBM SPY"),
    *_of("1h", "us_equities_1h_2020", "XNYS", "AMZN GOOG"),
    *_of("1h", "fx_1h_long", "24/7", "EURUSD XAUUSD"),
    *_of("1h", "crypto_1h_2017", "24/7", "BTCUSD"),
    *_of("1h", "crypto_5m", "24/7", "BTCUSDT ETHUSDT SOLUSDT", "1h"),
    *_of("1d", "us_equities_1d_long", "XNYS", "AAPL BAC EEM IBM IWM QQQ SPY"),
    *_of("1d", "us_equities_1d_2013_2023", "XNYS", "AMZN META NVDA"),
    *_of("1d", "us_equities_1d_88", "XNYS", "CAT XOM"),
]  # fmt: skip


@cache
def series(data: Path | None) -> list[Series]:
    """Those of the shared bars, or of a folder of intraday bars: each at three frequencies."""
    if data is None:
        return _SHARED
    symbols = sorted(file.stem for file in data.glob("*.parquet"))
    if not symbols:
        sys.exit(f"{data} holds no parquet files.")
    return [
        Series(bar, str(data), symbol, "24/7", bar)
        for bar in ("30min", "1h", "4h")
        for symbol in symbols
    ]
