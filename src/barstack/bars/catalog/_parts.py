"""Parts: parquet files that are written once, checked when read, and never changed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barstack.core.arrays import Ints
from barstack.core.errors import StorageError
from barstack.core.files import new_file

from .._bars import COLUMNS
from .._columns import columns_of, stamps_of
from ._manifest import WAY_OUT, PartFile

TIME = pl.Datetime("us", "UTC")
CANONICAL = pl.Schema({"timestamp": TIME} | dict.fromkeys(COLUMNS, pl.Float64()))
# The derived columns are stored too, for tools that know no calendar.
STORED = pl.Schema(
    {"symbol": pl.String(), "timestamp": TIME, "closed_at": TIME}
    | dict.fromkeys(COLUMNS, pl.Float64())
)
# Small groups let a live reader take the last bars alone; smaller ones compress worse.
_ROW_GROUP = 8192
# Kinds of periods, each for bars shorter than this: none holds more than about 100,000 of them.
_MINUTE_US = 60_000_000
_PERIODS = ((_MINUTE_US, "D"), (5 * _MINUTE_US, "M"), (60 * _MINUTE_US, "Y"))


def periods(stamps: Ints, length_us: int) -> Iterator[tuple[str, slice]]:
    """Names of the periods that rising `stamps` fall into, with the rows of each.

    Days for bars under a minute, months under 5 minutes, years under an hour, else decades.

    >>> list(periods(np.array([0, 1, 40 * 86_400_000_000]), 60_000_000))
    [('1970-01', slice(0, 2, None)), ('1970-02', slice(2, 3, None))]
    """
    unit = next((unit for below, unit in _PERIODS if length_us < below), None)
    starts: Any = stamps.view("datetime64[us]").astype(f"datetime64[{unit or 'Y'}]")
    codes = starts.astype(np.int64)
    if unit is None:
        codes = codes // 10
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    for start, end in pairwise(edges):
        if end > start:
            name = f"{1970 + 10 * codes[start]}s" if unit is None else str(starts[start])
            yield name, slice(start, end)


def fingerprint(table: pl.DataFrame) -> str:
    """SHA-256 of every value of a canonical table, on any machine."""
    digest = hashlib.sha256(stamps_of(table).astype("<i8").tobytes())
    for values in columns_of(table).values():
        digest.update(values.astype("<f8").tobytes())
    return digest.hexdigest()


def write_part(folder: Path, period: str, rows: pl.DataFrame) -> PartFile:
    """Write rows in the stored form as a file named after its content, not yet listed."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", row_group_size=_ROW_GROUP, statistics=True)
    content = buffer.getvalue()
    sha256 = hashlib.sha256(content).hexdigest()
    file = f"{period}-{sha256[:16]}.parquet"
    with new_file(folder / file, durable=True) as scratch:
        scratch.write_bytes(content)
    stamps = rows["timestamp"].to_physical()
    return PartFile(file, len(rows), int(stamps[0]), int(stamps[-1]), len(content), sha256)


def read_part(folder: Path, part: PartFile) -> pl.DataFrame:
    """All rows as stored, once the SHA-256 of the file is verified."""
    content = (folder / part.file).read_bytes()
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise _damaged(folder / part.file, f"{len(content):,} bytes that are not those written")
    rows = pl.read_parquet(io.BytesIO(content))
    if rows.schema != STORED or len(rows) != part.rows:
        raise _damaged(folder / part.file, f"{len(rows):,} rows and not {part.rows:,}")
    return rows


def read_tail(folder: Path, part: PartFile, rows: int) -> pl.DataFrame:
    """The last `rows` rows as stored, without reading the rest; only the size is checked."""
    file = checked_size(folder, part)
    try:
        lazy = pl.scan_parquet(file, glob=False).slice(part.rows - rows, rows)
        tail = lazy.collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _damaged(file, f"what is no parquet: {str(error).splitlines()[0]}") from None
    if tail.schema != STORED or len(tail) != rows:
        raise _damaged(file, f"{len(tail):,} last rows and not {rows:,}")
    return tail


def read_rows(
    folder: Path, parts: list[PartFile], start_us: int | None, end_us: int | None, last: int | None
) -> pl.DataFrame:
    """Canonical rows that start in [start_us, end_us), all or the `last` ones of them."""
    tables: list[pl.DataFrame] = []
    found = 0
    for part in reversed(parts):
        too_early = start_us is not None and part.last_us < start_us
        if too_early or (last is not None and found >= last):
            break
        if end_us is not None and part.first_us >= end_us:
            continue
        whole = end_us is None or part.last_us < end_us
        if last is not None and whole and last - found < part.rows:
            table = read_tail(folder, part, last - found)
        else:
            table = read_part(folder, part)
        table = _between(table.select(list(CANONICAL)), start_us, end_us)
        tables.append(table if last is None else table.tail(last - found))
        found += len(tables[-1])
    return pl.concat([CANONICAL.to_frame(), *reversed(tables)])


def _between(table: pl.DataFrame, start_us: int | None, end_us: int | None) -> pl.DataFrame:
    stamps = table["timestamp"].to_physical()
    first = 0 if start_us is None else int(stamps.search_sorted(start_us, side="left"))
    after = len(table) if end_us is None else int(stamps.search_sorted(end_us, side="left"))
    return table.slice(first, max(after - first, 0))


def checked_size(folder: Path, part: PartFile) -> Path:
    """Path of a part's file, once its size is verified."""
    file = folder / part.file
    size = file.stat().st_size
    if size != part.bytes:
        raise _damaged(file, f"{size:,} bytes and not {part.bytes:,}")
    return file


def missing(gone: FileNotFoundError) -> StorageError:
    """The error for a listed file that does not exist."""
    return StorageError(f"{gone.filename} is missing, and its manifest lists it. {WAY_OUT}")


def _damaged(file: Path, holds: str) -> StorageError:
    return StorageError(f"{file} is damaged: it holds {holds}. {WAY_OUT}")
