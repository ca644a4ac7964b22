"""Bars from the user's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from barstack.core.errors import BarstackError, DataError, did_you_mean
from barstack.core.text import listed, printable

from ..importing import Layout, Reading, batches, find_files, guess, named_table, sentence, together
from ._frame_tables import identifies
from ._provider import Provider, register

_SHOWN = 5  # symbols in a message


@register("files")
class FileProvider(Layout, Provider):
    """CSV or parquet files, by symbol or with many symbols in one; also a folder or a pattern.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from barstack.testing import walk
    >>> folder = Path(tempfile.mkdtemp())
    >>> walk(100).to_frame().to_csv(folder / "WALK.csv", index=False)
    >>> FileProvider(path="WALK.csv").load(folder)
    {'WALK': Bars(WALK, 100 x 30min, 2026-01-05 14:30 UTC .. 2026-01-15 15:30 UTC)}
    """

    path: str  # a file, a folder of files, or a pattern such as data/*_5min.csv
    symbols: tuple[str, ...] | None = None  # only these

    def read(self, folder: Path) -> dict[str, Any]:
        tables: dict[str, list[tuple[str, pl.DataFrame]]] = {}
        files = find_files(self.path, folder)
        for symbol, paths in files.items():
            if self.symbols and self.symbol_column is None and symbol not in self.symbols:
                continue
            for file in paths:
                for name, part in self._by_symbol(self._table(file), symbol).items():
                    tables.setdefault(name, []).append((file.name, part))
        for symbol in self.symbols or ():
            if symbol not in tables:
                found = tables if self.symbol_column else files
                hint = did_you_mean(symbol, found)
                raise DataError(f"No file for {symbol} in {folder / self.path}. {hint}")
        return {
            symbol: together(parts, symbol, self.timezone)
            for symbol, parts in sorted(tables.items())
            if symbol in (self.symbols or tables)
        }

    def layout_of(self, folder: Path) -> Layout:
        return Layout(**{name: getattr(self, name) for name in Layout.model_fields})

    def _table(self, file: Path) -> pl.DataFrame:
        layout = self.layout_of(file.parent)
        parts = []
        values: dict[str, set[str]] = {}
        try:
            for batch in batches(file, layout):
                parts.append(named_table(batch, layout, file.name))
                for name in filter(identifies, batch.columns):
                    found = batch[name].drop_nulls().cast(pl.String).str.strip_chars()
                    values.setdefault(name, set()).update(found.unique())
            table = pl.concat(parts)
            if self.symbol_column is None:
                _check_one_symbol(values, len(table), layout, file.name)
        except DataError as refused:
            raise DataError(f"{refused}{self._suggestion(file)}") from None
        return table

    def _by_symbol(self, table: pl.DataFrame, symbol: str) -> dict[str, pl.DataFrame]:
        if self.symbol_column is None:
            return {symbol: table}
        parts = table.partition_by("symbol", as_dict=True, include_key=False)
        return {str(name): part for (name,), part in parts.items()}

    def _suggestion(self, file: Path) -> str:
        """The guessed layout of the file, as settings to write down."""
        import yaml  # noqa: PLC0415 (only for messages)

        defaults = Reading().content()
        given = {name: getattr(self, name) for name in defaults}
        given = {name: value for name, value in given.items() if value != defaults[name]}
        try:
            guessed = guess(file, given)
        except BarstackError:  # no table at all, which the error before says
            return ""
        settings = guessed.likeliest.settings()
        if not settings or settings == {key: given[key] for key in settings if key in given}:
            return ""
        shown = {"bars": {"provider": "files", "path": self.path} | settings}
        text = yaml.safe_dump(shown, sort_keys=False, default_flow_style=None, width=88)
        unanswered = f"\n{sentence(guessed.open)}" if guessed.open else ""
        return f"\nIt looks laid out so; check it and write it down:\n{text}{unanswered}"


def _check_one_symbol(values: dict[str, set[str]], rows: int, layout: Layout, where: str) -> None:
    """`DataError` where a column that is not read tells several instruments apart by its name."""
    for name, own in values.items():
        if name not in layout.columns.values() and 2 <= len(own) <= max(2, rows // 2):
            shown = listed(list(map(printable, sorted(own))), _SHOWN)
            raise DataError(
                f"{where} has {shown} in column {name!r}, which is not read: bars of several "
                f"instruments would be read as one series. If it names symbols, write "
                f"symbol_column: {name}; if not, rename the column or leave it out."
            )
