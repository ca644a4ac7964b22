"""How stored rows are read: only the parts, and of those only the ends, that are asked for."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import polars as pl

from barstack.core.errors import DataError, did_you_mean

from ._folders import cannot_read, symbol_of
from ._manifest import MANIFEST, Manifest, Part, refuse_lost
from ._parts import CANONICAL, missing, read_part, read_tail

T = TypeVar("T")
_SHOWN = 30  # names that a sentence can bear


def symbols_in(collection: Path) -> list[str]:
    """Symbols that have a manifest, sorted; `StorageError` where one has been lost."""
    for folder in collection.glob("*/"):
        refuse_lost(folder)
    return sorted(symbol_of(file.parent.name) for file in collection.glob(f"*/{MANIFEST}"))


def read_whole(folder: Path, symbol: str, read: Callable[[Manifest], T]) -> T:
    """What `read` makes of a manifest and the files it lists, all of one moment.

    A reader that dawdles may find that a file of its manifest was replaced and removed. Then there
    is a newer manifest, and it begins again.
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


def load_manifest(folder: Path, symbol: str) -> Manifest:
    """What is stored of `symbol`; `DataError` when it is not there."""
    try:
        return Manifest.load(folder)
    except FileNotFoundError:
        raise no_such(symbol, folder.parent) from None


def no_such(symbol: str, collection: Path) -> DataError:
    """What to say of a symbol that a collection does not have."""
    known = symbols_in(collection)
    hint = did_you_mean(symbol, known)
    if len(known) > _SHOWN:
        near = ", ".join(difflib.get_close_matches(symbol, known, n=5)) or "none"
        hint = f"It has {len(known):,} symbols; of similar name: {near}."
    return DataError(f"Collection {collection.name!r} has no {symbol!r}. {hint}")


def read_rows(
    folder: Path, parts: list[Part], start_us: int | None, end_us: int | None, last: int | None
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
