"""50 million bars in and out, in processes of their own that tell how much memory they took."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barstack.bars import Catalog, Collection, Facts
from barstack.worlds import WORLDS, World, table_of

SYMBOLS, BARS = 100, 500_000
BAR = "1min"
_COMPARED = 10  # symbols that the others write
NAME = "made"
Work = Callable[..., dict[str, Any]]


def measured(work: Work, *arguments: Any) -> dict[str, Any]:
    """What `work` finds in a process of its own, its seconds, and the most memory it took."""
    context = multiprocessing.get_context("spawn")
    hears, says = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(work, says, arguments))
    process.start()
    says.close()
    found: dict[str, Any] = hears.recv()
    process.join()
    return found


def _tell(work: Work, says: Connection, arguments: tuple[Any, ...]) -> None:
    start = time.perf_counter()
    found = work(*arguments)
    seconds = time.perf_counter() - start
    says.send({"s": round(seconds, 2), "peak_gib": round(_peak_gib(), 2)} | found)


def _peak_gib() -> float:
    """The most memory that this process has held, mapped files included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**20
    raise RuntimeError("/proc/self/status has no VmHWM")


def _world(seed: int) -> World:
    made = {"world": "martingale", "symbols": SYMBOLS, "bars": BARS, "bar": BAR, "seed": seed}
    return WORLDS.parse(made | {"calendar": "24/7"})


def bring_in(folder: Path, seed: int) -> dict[str, Any]:
    """Make a world symbol by symbol and add each; only the adds are timed."""
    world = _world(seed)
    collection = Catalog(folder).create(NAME, Facts(bar=BAR, source=f"world {world.id}"))
    seconds = 0.0
    for symbol in world.names:
        table = table_of(world.bars_of(symbol))
        start = time.perf_counter()
        added = collection.add(symbol, table)
        seconds += time.perf_counter() - start
        assert added.new == BARS
    return {"added_s": round(seconds, 2), "rows_per_s": round(SYMBOLS * BARS / seconds)}


def others_bring_in(folder: Path, seed: int) -> dict[str, Any]:
    """Some of the same tables as plain files: pandas, and DuckDB's COPY."""
    import duckdb  # noqa: PLC0415 (only in this process)

    world = _world(seed)
    seconds = {"pandas": 0.0, "duckdb": 0.0}
    for symbol in world.names[:_COMPARED]:
        table = table_of(world.bars_of(symbol))
        frame = table.to_pandas()
        start = time.perf_counter()
        frame.to_parquet(folder / f"{symbol}.parquet", compression="zstd")
        seconds["pandas"] += time.perf_counter() - start
        start = time.perf_counter()
        target = folder / f"{symbol}.duckdb.parquet"
        duckdb.sql(f"COPY (SELECT * FROM frame) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
        seconds["duckdb"] += time.perf_counter() - start
    return {f"{name}_rows_per_s": round(_COMPARED * BARS / s) for name, s in seconds.items()}


def known_by_us(collection: Collection) -> int:
    """A moment three quarters through the history."""
    summary = collection.summary(collection.symbols()[0])
    assert summary.first_us is not None
    assert summary.last_us is not None
    return summary.first_us + (summary.last_us - summary.first_us) * 3 // 4


def read_bars(folder: Path) -> dict[str, Any]:
    """Bars as studies get them, symbol by symbol, as they were known at a moment."""
    collection = Catalog(folder).collection(NAME)
    moment = known_by_us(collection)
    rows, volume = 0, 0.0
    for symbol in collection.symbols():
        bars = collection.bars(symbol, known_by_us=moment)
        rows, volume = rows + len(bars), volume + float(bars.records["volume"].sum())
    return {"rows": rows, "volume": volume}


def scan(folder: Path) -> dict[str, Any]:
    """The same rows in one lazy query."""
    collection = Catalog(folder).collection(NAME)
    moment = pl.lit(np.datetime64(known_by_us(collection), "us")).dt.replace_time_zone("UTC")
    found = (
        collection.scan()
        .filter(pl.col("closed_at") <= moment)
        .group_by("symbol")
        .agg(pl.len(), pl.col("volume").sum())
        .collect(engine="streaming")
    )
    return {"rows": int(found["len"].sum()), "volume": float(found["volume"].sum())}


def scan_pandas(folder: Path) -> dict[str, Any]:
    """pandas over the same files, symbol by symbol."""
    import pandas as pd  # noqa: PLC0415 (only in this process)

    collection = Catalog(folder).collection(NAME)
    moment = pd.Timestamp(known_by_us(collection), unit="us", tz="UTC")
    rows, volume = 0, 0.0
    for symbol in collection.symbols():
        frame = pd.concat([pd.read_parquet(file) for file in collection.files([symbol])])
        known = frame[frame["closed_at"] <= moment]
        rows, volume = rows + len(known), volume + float(known["volume"].sum())
    return {"rows": rows, "volume": volume}


def scan_duckdb(folder: Path) -> dict[str, Any]:
    """DuckDB over the same files, in one query."""
    import duckdb  # noqa: PLC0415 (only in this process)

    collection = Catalog(folder).collection(NAME)
    files = [str(file) for file in collection.files()]
    query = """
        SELECT symbol, count(*) AS rows, sum(volume) AS volume FROM read_parquet($files)
        WHERE epoch_us(closed_at) <= $moment GROUP BY symbol
    """
    given = {"files": files, "moment": known_by_us(collection)}
    found = duckdb.execute(query, given).fetchall()
    return {"rows": sum(row[1] for row in found), "volume": sum(row[2] for row in found)}


def on_disk_gib(folder: Path) -> float:
    """Size of all files in a folder."""
    sizes = (os.path.getsize(Path(at) / name) for at, _, names in os.walk(folder) for name in names)
    return sum(sizes) / 2**30
