"""Tables that come in pieces, gathered by symbol; on disk as soon as they are many rows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import polars as pl

MOST_ROWS = 1_000_000  # at once; checking them takes several times their 50 MB


class Staged:
    """Give it pieces with `add`; take each symbol's rows back in the order they came.

    folder  where to keep what is too much for memory; nothing of it stays
    """

    def __init__(self, folder: Path, most_rows: int = MOST_ROWS) -> None:
        self._parent = folder
        self._most_rows = most_rows
        self._folder: Path | None = None
        self._waiting: dict[str, list[pl.DataFrame]] = {}
        self._rows = 0
        # Of each symbol: files in which its rows lie together, from which row, how many.
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
