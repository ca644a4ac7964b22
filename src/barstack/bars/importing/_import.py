"""Files into the catalog: one at a time, in bounded memory, each symbol whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl

from barstack.core.clock import timestamp
from barstack.core.errors import BarstackError, ConfigError, DataError, StorageError
from barstack.core.files import sha256_of
from barstack.core.progress import Progress

from .._bars import COLUMNS
from .._columns import stamps_of, utc_microseconds
from .._frames import table_from_frame
from ..catalog import Catalog, Collection, Facts
from ._files import batches
from ._layout import Reading
from ._markets import check_agrees
from ._repairs import Repairs, refuse_violations, repaired
from ._tables import named_table

MOST_ROWS = 1_000_000  # at once; checking them takes several times their 50 MB


class Staged:
    """Collects pieces of tables by symbol; returns each symbol's rows in the order added.

    folder  for rows that exceed memory; it is empty again afterwards
    """

    def __init__(self, folder: Path, most_rows: int = MOST_ROWS) -> None:
        self._parent = folder
        self._most_rows = most_rows
        self._folder: Path | None = None
        self._waiting: dict[str, list[pl.DataFrame]] = {}
        self._rows = 0
        # By symbol: files that hold a run of its rows, its first row, its length.
        self._places: dict[str, list[tuple[Path, int, int]]] = {}

    def __enter__(self) -> Staged:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, symbol: str, table: pl.DataFrame) -> None:
        """More rows of a symbol."""
        self._waiting.setdefault(symbol, []).append(table)
        self._rows += len(table)
        if self._rows >= self._most_rows:
            self._spill()

    def symbols(self) -> list[str]:
        """All symbols, sorted."""
        return sorted({*self._waiting, *self._places})

    def pieces(self, symbol: str) -> Iterator[pl.DataFrame]:
        """Rows of one symbol in pieces of a bounded size."""
        rows: list[pl.DataFrame] = []
        for file, start, count in self._places.get(symbol, []):
            if sum(map(len, rows)) + count > self._most_rows and rows:
                yield pl.concat(rows)
                rows = []
            rows.append(pl.scan_ipc(file, glob=False).slice(start, count).collect())
        rows += self._waiting.get(symbol, [])
        if rows:
            yield pl.concat(rows)

    def _spill(self) -> None:
        if self._folder is None:
            self._parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=".import-", dir=self._parent))
        file = self._folder / f"{len(list(self._folder.iterdir())):06}.arrow"
        start = 0
        for symbol, tables in self._waiting.items():
            count = sum(map(len, tables))
            self._places.setdefault(symbol, []).append((file, start, count))
            start += count
        pl.concat([table for tables in self._waiting.values() for table in tables]).write_ipc(file)
        self._waiting, self._rows = {}, 0


LOG = "imports.jsonl"


@dataclass(frozen=True)
class ImportOutcome:
    """Rows of one symbol imported from one file, or why none were.

    rows      in the file
    new, same, revised  as the catalog counts them
    repairs   rows that each repair moved or dropped
    error     the sentence, where nothing was imported
    """

    file: str
    symbol: str
    rows: int = 0
    new: int = 0
    same: int = 0
    revised: int = 0
    repairs: dict[str, int] = field(default_factory=dict)
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def write_log(
    folder: Path, outcomes: list[ImportOutcome], sha256: str, reading: dict[str, Any]
) -> None:
    """Append a line for each symbol to the collection's log; returns when the disk has them."""
    now = timestamp()
    with (folder / LOG).open("a") as log:
        for outcome in outcomes:
            line = outcome.to_json() | {"sha256": sha256, "reading": reading, "at": now}
            log.write(json.dumps(line) + "\n")
        log.flush()
        os.fsync(log.fileno())


_MB = 1 << 20
_TIME = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Import:
    """What to import, and how.

    into     name of the collection
    files    by symbol; a file with a symbol column says its symbols itself
    reading  of all files; `bar` must be given
    revise   whether rows that differ from stored ones replace them
    guessed  whether calendar, zone or stamp were guessed, so that all rows must confirm them
    """

    into: str
    files: dict[str, list[Path]]
    reading: Reading
    source: str = ""
    repairs: Repairs = field(default_factory=Repairs)
    revise: bool = False
    guessed: bool = True
    most_rows: int = MOST_ROWS


def run_import(
    job: Import, catalog: Catalog, progress: Progress | None = None
) -> list[ImportOutcome]:
    """Import files into a collection of the catalog; the outcome for each symbol of each file.

    A file that cannot be imported is an outcome with an error, and the others go on. Imported rows
    are durable, so the same import after an interruption continues where it stopped. Raises
    `ConfigError` when the collection holds other bars, `StorageError` when the disk refuses.

    >>> import tempfile
    >>> from barstack.bars import Catalog
    >>> from barstack.testing import sound_bars
    >>> from barstack.worlds import table_of
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "SPY.parquet"
    ...     table_of(sound_bars()).write_parquet(file)
    ...     job = Import("mine", {"SPY": [file]}, Reading(calendar="XNYS", bar="30min"), folder)
    ...     (outcome,) = run_import(job, Catalog(Path(folder) / "catalog"))
    >>> outcome.symbol, outcome.new
    ('SPY', 400)
    """
    reading = job.reading
    if reading.bar is None:
        raise ConfigError("Set how long a bar is with bar: 5min.")
    facts = Facts(
        bar=reading.bar,
        calendar=reading.calendar,
        hours=reading.hours,
        source=job.source,
        day_zone=reading.day_zone,
    )
    collection = catalog.create(job.into, facts)
    files = [(symbol, file) for symbol, files in job.files.items() for file in files]
    sizes = {file: file.stat().st_size // _MB + 1 for _, file in files}
    outcomes: list[ImportOutcome] = []
    with (progress or Progress()).step(f"import {job.into}", sum(sizes.values())) as step:
        for symbol, file in files:
            outcomes += _import_file(job, collection, symbol, file, _Steps(step, sizes[file]))
    return outcomes


class _Steps:
    """Progress through one file in megabytes."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._left = progress, total

    def read(self, table: pl.DataFrame) -> None:
        self._advance(min(self._left, int(table.estimated_size()) // _MB))

    def done(self) -> None:
        self._advance(self._left)

    def _advance(self, units: int) -> None:
        self._left -= units
        if units:
            self._progress.advance(units)


def _import_file(
    job: Import, collection: Collection, symbol: str, file: Path, steps: _Steps
) -> list[ImportOutcome]:
    outcomes: list[ImportOutcome] = []
    with Staged(collection.folder, job.most_rows) as staged:
        try:
            for name, table in _timed(job, file, symbol, steps):
                staged.add(name, table)
            if not staged.symbols():
                raise DataError(f"{file.name} holds no bars.")
        except StorageError:
            raise
        except BarstackError as error:
            outcomes.append(ImportOutcome(str(file), symbol, error=str(error)))
        else:
            for name in staged.symbols():
                outcomes.append(_import_symbol(job, collection, name, file, staged))
    taken = [each for each in outcomes if each.error is None]
    if taken:
        write_log(collection.folder, taken, sha256_of(file), job.reading.settings())
    steps.done()
    return outcomes


def _timed(
    job: Import, file: Path, symbol: str, steps: _Steps
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Pieces of each symbol with times in UTC, as the file stamps them."""
    reading, lenient = job.reading, job.repairs.drop_bad_rows
    for raw in batches(file, reading.layout):
        table = named_table(raw, reading.layout, file.name, lenient=lenient)
        steps.read(raw)
        if not len(table):
            continue
        whole = table.filter(pl.col("timestamp").is_not_null()) if lenient else table
        stamps = utc_microseconds(whole["timestamp"], reading.timezone, file.name)
        timed = whole.with_columns(pl.Series("timestamp", stamps).cast(_TIME))
        if len(whole) < len(table):  # rows without a time count among the dropped ones
            without = table.filter(pl.col("timestamp").is_null())
            timed = pl.concat([timed, without.with_columns(timestamp=pl.lit(None, _TIME))])
        if reading.symbol_column is None:
            yield symbol, timed.select("timestamp", *COLUMNS)
            continue
        parts = timed.partition_by("symbol", as_dict=True, include_key=False, maintain_order=True)
        for (name,), part in parts.items():
            if not name:
                raise DataError(
                    f"{file.name}: {len(part):,} row(s) have no symbol in "
                    f"{reading.symbol_column!r}, the first at {part['timestamp'][0]}. Remove them."
                )
            yield str(name), part.select("timestamp", *COLUMNS)


def _import_symbol(
    job: Import, collection: Collection, symbol: str, file: Path, staged: Staged
) -> ImportOutcome:
    try:
        repairs: dict[str, int] = {}
        rows, held = 0, list[pl.DataFrame]()
        # Nothing is stored before all rows are checked.
        for piece in _checked(job, collection, symbol, file, staged, repairs):
            rows += len(piece)
            held = [*held, piece] if rows <= job.most_rows else []
        again = (
            iter([pl.concat(held)]) if held else _checked(job, collection, symbol, file, staged, {})
        )
        new = same = revised = 0
        for piece in again:
            added = collection.add(symbol, piece, revise=job.revise)
            new, same, revised = new + added.new, same + added.same, revised + added.revised
    except StorageError:
        raise
    except BarstackError as error:
        return ImportOutcome(str(file), symbol, error=str(error))
    dropped = sum(count for repair, count in repairs.items() if repair != "sort")
    return ImportOutcome(str(file), symbol, rows + dropped, new, same, revised, repairs)


def _checked(
    job: Import,
    collection: Collection,
    symbol: str,
    file: Path,
    staged: Staged,
    repairs: dict[str, int],
) -> Iterator[pl.DataFrame]:
    """The symbol's rows in the stored form, piece by piece; `repairs` counts changed rows."""
    pieces: Iterator[pl.DataFrame] = staged.pieces(symbol)
    if job.repairs.sort or job.repairs.keep:  # rows anywhere in the file may belong together
        pieces = iter([pl.concat(list(pieces))])
    length_us = collection.facts.length_us
    before_us: int | None = None
    for piece in pieces:
        clean, done = repaired(piece, job.repairs, length_us)
        for repair, count in done.items():
            repairs[repair] = repairs.get(repair, 0) + count
        if not len(clean):
            continue
        refuse_violations(clean, symbol, length_us, file.name, before_us)
        before_us = int(clean["timestamp"].to_physical()[-1])
        table, _ = table_from_frame(
            clean,
            symbol,
            calendar=job.reading.calendar,
            stamp=job.reading.stamp,
            length_us=length_us,
            day_zone=collection.facts.day_zone,
            where=file.name,
        )
        if job.guessed:
            check_agrees(stamps_of(table), symbol, length_us, job.reading, file.name)
        yield table
    if before_us is None:
        raise DataError(f"{file.name}: no row of {symbol} is left. Look at the file.")
