"""A collection: bars of one length on one calendar, for as many symbols as there are."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import polars as pl

from barstack.core.errors import ConfigError, DataError, StorageError, did_you_mean
from barstack.core.files import make_folder, sync_folder

from .._bars import Bars
from .._frames import HOURS, bars_from_table
from ._facts import Facts
from ._folders import cannot_read, folder_of, locked, symbol_of
from ._manifest import (
    MANIFEST,
    UNLISTED,
    WAY_OUT,
    Summary,
    SymbolManifest,
    refuse_lost,
    sha256_of_json,
)
from ._parts import STORED, checked_size, fingerprint, missing, read_part, read_rows
from ._rows import Added, canonical
from ._writing import LONG_US, Writer

_LOCK = ".lock"
T = TypeVar("T")
_SHOWN = 30  # names in one sentence


class Collection:
    """Bars of one length on one calendar. `Catalog` opens it.

    Any number of processes may read and write at once. Each symbol changes atomically: a reader
    sees it as before an `add` or as after it, also after a crash.
    """

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.folder = folder
        self.facts = facts
        self._begun = False  # whether the facts are known to be on disk

    def __repr__(self) -> str:
        return f"Collection({self.name!r}, bar={self.facts.bar}, calendar={self.facts.calendar})"

    @property
    def name(self) -> str:
        return self.folder.name

    def symbols(self) -> list[str]:
        """All symbols, sorted."""
        return symbols_in(self.folder)

    def add(
        self,
        symbol: str,
        table: pl.DataFrame,
        *,
        covered: tuple[int, int] | None = None,
        revise: bool = False,
    ) -> Added:
        """Store rows, all of them or none; they are durable when it returns.

        table    in the form that `barstack.bars.table_from_frame` gives
        covered  [from, to) in microseconds UTC: the source was queried for this whole range,
                 whether or not it had bars there
        revise   replace stored bars of the same time that differ

        Rows that are stored already are skipped. Raises `DataError` for invalid bars, for bars that
        overlap stored ones, or that differ from them without `revise`; also with it, where only a
        part of a history would be adjusted. `StorageError` when the disk refuses or another
        process locks the symbol for a minute. `ConfigError` where another process has meanwhile
        begun a collection of that name with other facts.
        """
        facts = self.facts
        rows = canonical(table, symbol, facts, self.name)
        spans = [] if covered is None else [_checked_span(covered)]
        folder = self._folder(symbol)
        if not self._begun:
            self.facts = facts = facts.begin(self.folder)
            self._begun = True
        make_folder(folder)
        with locked(folder / _LOCK):
            return Writer(folder, symbol, facts, self.name).add(rows, spans, revise)

    def remove(self, symbol: str) -> None:
        """Remove all bars of a symbol and what was covered, so that it can be brought in again."""
        folder = self._folder(symbol)
        manifest = folder / MANIFEST
        if not manifest.exists():
            raise no_such(symbol, self.folder)
        if not manifest.is_file():
            raise StorageError(f"{manifest} is not a file and was not made by barstack. Remove it.")
        with locked(folder / _LOCK):
            (folder / UNLISTED).touch()
            manifest.unlink(missing_ok=True)
            sync_folder(folder)
            Writer(folder, symbol, self.facts, self.name).sweep(SymbolManifest(symbol))

    def bars(
        self,
        symbol: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        last: int | None = None,
        hours: str | None = None,
        known_by_us: int | None = None,
    ) -> Bars:
        """Bars of one symbol.

        start_us, end_us  only bars whose stamp lies in [start_us, end_us), microseconds UTC
        last              only so many, the newest of them, after dropping by hours
        hours             "regular" or "extended"; by default those of the collection
        known_by_us       only bars closed at or before this moment

        Raises `DataError` for a unknown symbol, and where most of a fortnight or more
        lies outside the sessions; `StorageError` for damaged files.
        """
        end = min((each for each in (end_us, known_by_us) if each is not None), default=None)
        wanted = None if last is None else _checked_last(last)
        while True:
            table = self.table(symbol, start_us=start_us, end_us=end, last=wanted)
            bars = self._as_bars(symbol, table, hours or self.facts.hours, last is None)
            if known_by_us is not None:
                known = bars.records["closed_at"] <= known_by_us
                bars = replace(bars, records=bars.records[known])
            if last is None:
                return bars
            if len(bars) >= last or len(table) < (wanted or 0):
                return bars[-last:]
            wanted = 4 * (wanted or 0)  # some were dropped: read further back

    def table(
        self,
        symbol: str,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        last: int | None = None,
    ) -> pl.DataFrame:
        """Stored rows in the form of `table_from_frame`, inside and outside the sessions.

        Arguments and errors as in `bars`.
        """
        folder = self._folder(symbol)
        if last is not None:
            _checked_last(last)
        return read_whole(
            folder,
            symbol,
            lambda manifest: read_rows(folder, manifest.parts, start_us, end_us, last),
        )

    def scan(self, symbols: Iterable[str] | None = None) -> pl.LazyFrame:
        """A lazy table of all bars of some symbols, by default of all: for work in bounded memory.

        Columns symbol, timestamp (start), closed_at, open, high, low, close, volume; symbol after
        symbol, each in time order. It shows what is stored now, without later additions.
        Collect it within an hour: replaced files are kept that long.
        """
        files = self.files(symbols)
        if not files:
            return STORED.to_frame().lazy()
        return pl.scan_parquet(files, glob=False, schema=STORED)

    def files(self, symbols: Iterable[str] | None = None) -> list[Path]:
        """The parquet files of some symbols, by default of all, for other tools to read.

        The folders may also hold files that are not, or no longer, part of the collection.
        """
        found: list[Path] = []
        for symbol in self.symbols() if symbols is None else symbols:
            folder = self._folder(symbol)
            found += read_whole(folder, symbol, partial(_checked_files, folder))
        return found

    def covered(self, symbol: str) -> list[tuple[int, int]]:
        """Ranges [from, to) for which the source was queried completely, disjoint and in order."""
        try:
            return list(SymbolManifest.load(self._folder(symbol)).covered)
        except FileNotFoundError:
            return []

    def summary(self, symbol: str) -> Summary:
        """Figures on the stored bars of one symbol; reads one small file."""
        return load_manifest(self._folder(symbol), symbol).summary

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all bars of all symbols; it changes when any value does."""
        facts = [self.facts.length_us, self.facts.calendar]
        return sha256_of_json([facts, [self.summary(each).fingerprint for each in self.symbols()]])

    def verify(self, symbol: str) -> Summary:
        """Read every byte of a symbol; `StorageError` unless all of it is as written."""
        folder = self._folder(symbol)

        def read(manifest: SymbolManifest) -> Summary:
            for name, period in manifest.periods.items():
                rows = pl.concat([read_part(folder, part) for part in period.parts])
                rising = rows["timestamp"].is_sorted() and rows["timestamp"].is_unique().all()
                if not rising or fingerprint(rows) != period.fingerprint:
                    raise StorageError(
                        f"{folder}: the bars of {name} are not those written. {WAY_OUT}"
                    )
            return manifest.summary

        return read_whole(folder, symbol, read)

    def _folder(self, symbol: str) -> Path:
        return self.folder / folder_of(symbol)

    def _as_bars(self, symbol: str, table: pl.DataFrame, hours: str, all_of_it: bool) -> Bars:
        if hours not in HOURS:
            raise ConfigError(f"Unknown hours {hours!r}. {did_you_mean(hours, HOURS)}")
        stamps = table["timestamp"].to_physical()
        long = all_of_it and len(table) > 0 and int(stamps[-1] - stamps[0]) >= LONG_US
        return bars_from_table(
            table,
            symbol,
            length_us=self.facts.length_us,
            calendar=self.facts.calendar,
            hours=hours,
            day_zone=self.facts.day_zone,
            mostly_inside=long,
            where=self.name,
        )


def _checked_files(folder: Path, manifest: SymbolManifest) -> list[Path]:
    return [checked_size(folder, part) for part in manifest.parts]


def _checked_span(covered: tuple[int, int]) -> tuple[int, int]:
    start_us, end_us = int(covered[0]), int(covered[1])
    if start_us >= end_us:
        raise ConfigError(
            f"covered must be [from, to) in microseconds with from before to, not {covered}."
        )
    return start_us, end_us


def _checked_last(last: int) -> int:
    if last < 1:
        raise ConfigError(f"last must be 1 or more, got {last}.")
    return last


def symbols_in(collection: Path) -> list[str]:
    """Symbols that have a manifest, sorted; `StorageError` where one has been lost."""
    for folder in collection.glob("*/"):
        refuse_lost(folder)
    return sorted(symbol_of(file.parent.name) for file in collection.glob(f"*/{MANIFEST}"))


def read_whole(folder: Path, symbol: str, read: Callable[[SymbolManifest], T]) -> T:
    """The result of `read` on a manifest and the files it lists, all of one state.

    A slow reader may find that a file of its manifest was replaced and removed. Then there is a
    newer manifest, and it starts again.
    """
    manifest = load_manifest(folder, symbol)
    while True:
        try:
            return read(manifest)
        except FileNotFoundError as gone:
            newer = load_manifest(folder, symbol)
            if newer == manifest:
                raise missing(gone) from None
            manifest = newer
        except OSError as error:
            raise cannot_read(error) from error


def load_manifest(folder: Path, symbol: str) -> SymbolManifest:
    """The manifest of `symbol`; `DataError` when there is none."""
    try:
        return SymbolManifest.load(folder)
    except FileNotFoundError:
        raise no_such(symbol, folder.parent) from None


def no_such(symbol: str, collection: Path) -> DataError:
    """The error for a symbol that a collection does not have."""
    known = symbols_in(collection)
    hint = did_you_mean(symbol, known)
    if len(known) > _SHOWN:
        near = ", ".join(difflib.get_close_matches(symbol, known, n=5)) or "none"
        hint = f"It has {len(known):,} symbols; of similar name: {near}."
    return DataError(f"Collection {collection.name!r} has no {symbol!r}. {hint}")
