"""Tables and collections that the tests of the catalog share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barstack.bars import Catalog, Collection, Facts, sessions
from barstack.bars.catalog._folders import folder_of

MINUTE_US = 60_000_000
START_US = 1_767_052_800_000_000  # 2025-12-30 00:00, so that half-hourly bars span two years
PRICES = ["open", "high", "low", "close"]
Files = dict[str, tuple[int, int]]


def made(rows: int, seed: int = 0, length_us: int = 30 * MINUTE_US) -> pl.DataFrame:
    """A canonical table without gaps."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(0.002 * rng.normal(size=rows)))
    opening = close * np.exp(0.001 * rng.normal(size=rows))
    stamps = START_US + length_us * np.arange(rows)
    return pl.DataFrame(
        {
            "timestamp": pl.Series(stamps).cast(pl.Datetime("us", "UTC")),
            "open": opening,
            "high": np.maximum(opening, close) * 1.001,
            "low": np.minimum(opening, close) * 0.999,
            "close": close,
            "volume": rng.integers(0, 500, rows).astype(float),
        }
    )


def scaled(table: pl.DataFrame, ratio: float) -> pl.DataFrame:
    """Prices times a ratio."""
    return table.with_columns(pl.col(PRICES) * ratio)


def later(table: pl.DataFrame, days: int = 0, hours: int = 0, minutes: int = 0) -> pl.DataFrame:
    """The same bars at other times."""
    return table.with_columns(
        pl.col("timestamp") + pl.duration(days=days, hours=hours, minutes=minutes)
    )


def session_table(days: int) -> pl.DataFrame:
    """Half hours of US shares from 2025-11-24, from 04:00 to 20:00; the fourth day is half."""
    found = sessions("XNYS", "extended")
    first = int(np.searchsorted(found.open, 1_763_942_400_000_000))
    each = range(first, first + days)
    stamps = [np.arange(found.open[day], found.close[day], 30 * MINUTE_US) for day in each]
    times = pl.Series("timestamp", np.concatenate(stamps)).cast(pl.Datetime("us", "UTC"))
    return made(len(times)).with_columns(times)


def stamps_of(table: pl.DataFrame) -> list[int]:
    """Starts of the bars, microseconds UTC."""
    return table["timestamp"].to_physical().to_list()


def collection_in(folder: Path, name: str = "some", **facts: Any) -> Collection:
    """A collection of a catalog in `folder`."""
    return Catalog(folder).create(name, Facts(**({"bar": "30min"} | facts)))


def parquet_files(collection: Collection, symbol: str) -> Files:
    """Identity and time of change of each parquet file of a symbol, listed or not."""
    found = (collection.folder / folder_of(symbol)).glob("*.parquet")
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in found}
