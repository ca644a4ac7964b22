"""Bars from the user's own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from barstack.core.errors import DataError, did_you_mean

from .._provider import Provider, register

_READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": pl.read_parquet,
    ".csv": pl.read_csv,
}


@register("files")
class Files(Provider):
    """A parquet or CSV file for each symbol; the file's name without its ending is the symbol."""

    path: str  # a file, or a folder of files
    symbols: tuple[str, ...] | None = None  # from a folder: only these

    def read(self, folder: Path) -> dict[str, Any]:
        path = folder / Path(self.path).expanduser()
        if path.is_dir():
            found = _by_symbol(sorted(file for file in path.iterdir() if _readable(file)))
        elif path.is_file():
            found = {path.stem: path}
        else:
            raise DataError(
                f"{self.path} is neither a file nor a folder (looked at {path.resolve()}). "
                "Paths in a study start at the study file's folder."
            )
        wanted = self.symbols or tuple(found)
        for symbol in wanted:
            if symbol not in found:
                raise DataError(f"No file for {symbol} in {path}. {did_you_mean(symbol, found)}")
        if not wanted:
            raise DataError(f"{path} holds no .parquet or .csv file.")
        return {symbol: _table(found[symbol]) for symbol in wanted}


def _by_symbol(files: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in files:
        if file.stem in found:
            raise DataError(
                f"{found[file.stem]} and {file.name} are both for {file.stem}. Remove one of them."
            )
        found[file.stem] = file
    return found


def _readable(file: Path) -> bool:
    return file.suffix.lower() in _READERS and not file.name.startswith(".")


def _table(file: Path) -> pl.DataFrame:
    if not _readable(file):
        raise DataError(f"{file} ends in {file.suffix!r}. Give a .parquet or .csv file.")
    if file.stat().st_size == 0:
        raise DataError(f"{file} is empty: 0 bytes. Fetch or export it again.")
    kind = file.suffix.lower()
    try:
        return _READERS[kind](file)
    # A damaged parquet file can make polars panic, which is no ordinary exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(
            f"{file} cannot be read as {kind[1:]}: {str(error).splitlines()[0]}. "
            "Check that it is complete and that its ending tells what it is."
        ) from None
