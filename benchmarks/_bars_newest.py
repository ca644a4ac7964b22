"""The newest bars of one symbol of a thousand."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barstack.bars import Catalog, Facts
from barstack.worlds import WORLDS, table_of

SYMBOLS, BARS, LAST = 1000, 20_000, 500
_ASKED = 200  # symbols that are timed
_TOP_UPS = 1  # of an hour, so that a symbol has several parts, as a live one has


def newest(folder: Path, seed: int) -> dict[str, Any]:
    """Median milliseconds of reading the last bars of a symbol: here, pandas, DuckDB."""
    import duckdb  # noqa: PLC0415 (only this benchmark needs it)
    import pandas as pd  # noqa: PLC0415 (the same)

    plain = folder / "plain"
    plain.mkdir(parents=True)
    collection = Catalog(folder / "kept").create("many", Facts(bar="5min", calendar="24/7"))
    made = {"world": "martingale", "bars": BARS, "calendar": "24/7", "seed": seed}
    table = table_of(WORLDS.parse(made).bars_of("W0001"))
    for number in range(SYMBOLS):
        ratio = 1 + number / SYMBOLS
        prices = [(pl.col(name) * ratio).alias(name) for name in ("open", "high", "low", "close")]
        own = table.with_columns(prices)
        symbol = f"S{number:04d}"
        collection.add(symbol, own[: -_TOP_UPS * 12])
        for start in range(BARS - _TOP_UPS * 12, BARS, 12):
            collection.add(symbol, own[start : start + 12])
        own.write_parquet(plain / f"{symbol}.parquet", compression="zstd")

    def ours(symbol: str) -> Any:
        bars = Catalog(folder / "kept").collection("many").bars(symbol, last=LAST)
        return bars.records["close"]

    def by_pandas(symbol: str) -> Any:
        return pd.read_parquet(plain / f"{symbol}.parquet").tail(LAST)["close"].to_numpy()

    def by_duckdb(symbol: str) -> Any:
        # The same parquet files as ours, found by their folder, as somebody without our list would.
        found = duckdb.execute(
            f"SELECT timestamp, open, high, low, close, volume FROM '{folder}/kept/many/{symbol}/"
            f"*.parquet' ORDER BY timestamp DESC LIMIT {LAST}"
        ).fetchnumpy()
        return found["close"][::-1]

    asked = np.random.default_rng(seed).choice(SYMBOLS, _ASKED, replace=False)
    symbols = [f"S{number:04d}" for number in asked]
    for symbol in symbols[:5]:
        for other in (by_pandas, by_duckdb):
            assert np.array_equal(ours(symbol), other(symbol)), f"{other.__name__}: {symbol}"
    found = {
        "ours": _timed(ours, symbols),
        "pandas": _timed(by_pandas, symbols[:50]),
        "duckdb": _timed(by_duckdb, symbols[:50]),
    }
    return {f"{name}_ms": round(statistics.median(each), 2) for name, each in found.items()} | {
        "ours_p95_ms": round(float(np.quantile(found["ours"], 0.95)), 2)
    }


def _timed(read: Callable[[str], Any], symbols: list[str]) -> list[float]:
    milliseconds = []
    for symbol in symbols:
        start = time.perf_counter()
        read(symbol)
        milliseconds.append((time.perf_counter() - start) * 1e3)
    return milliseconds
