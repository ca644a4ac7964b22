"""The plan of an import: which files go into which collection, and how they are read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from barstack.core.errors import ConfigError, DataError

from .._bars import Bars
from ._files import find_files, is_pattern
from ._guess import Guess, guess
from ._layout import Given


@dataclass(frozen=True)
class Plan:
    """One collection to be imported.

    into   its name
    path   of the files
    files  by symbol
    guess  how to read them
    error  why they cannot be read at all, for one folder among many
    """

    into: str
    path: str
    files: dict[str, list[Path]]
    guess: Guess
    error: str | None = None

    @property
    def n_files(self) -> int:
        return sum(map(len, self.files.values()))


def plan_import(path: str, into: str | None, given: Given) -> list[Plan]:
    """A plan for the files at `path`; for a folder of folders one for each, by its name.

    given  what need not be guessed, as `guess` takes it; `symbol` gives all files to one symbol

    Raises `DataError` where there is nothing to read, `ConfigError` without a name. Of many
    folders, one that cannot be read is a plan with an error.

    >>> import tempfile
    >>> from barstack.testing import sound_bars
    >>> from barstack.worlds import table_of
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table_of(sound_bars()).write_parquet(Path(folder) / "SPY.parquet")
    ...     (plan,) = plan_import(folder, "mine", {})
    >>> list(plan.files), plan.guess.reading.calendar
    (['SPY'], 'XNYS')
    """
    whole = Path(path).expanduser()
    folders = _folders_of_files(whole) if whole.is_dir() else []
    if folders:
        if into is not None:
            raise ConfigError(
                f"{path} holds {len(folders)} folders of files, such as {folders[0].name}; each "
                "becomes a collection of its own name. Leave --into out, or name one of them."
            )
        return [_plan_of_many(folder, given) for folder in folders]
    if into is None:
        if is_pattern(path) or not whole.is_dir():
            find_files(path)  # a missing file is reported before a missing name
            raise ConfigError(f"Name the collection that {path} goes into: --into NAME.")
        into = Path(os.path.abspath(whole)).name
    return [_plan(path, into, given)]


def _folders_of_files(whole: Path) -> list[Path]:
    try:
        find_files(whole)
    except DataError:
        below = sorted(each for each in whole.iterdir() if each.is_dir())
        return [each for each in below if not each.name.startswith(".") and _has_files(each)]
    return []


def _has_files(folder: Path) -> bool:
    try:
        return bool(find_files(folder))
    except DataError:
        return False


def _plan_of_many(folder: Path, given: Given) -> Plan:
    try:
        return _plan(str(folder), folder.name, given)
    except DataError as error:
        return Plan(folder.name, str(folder), {}, Guess((), None, str(folder)), str(error))


def _plan(path: str, into: str, given: Given) -> Plan:
    files = find_files(path)
    every = [file for each in files.values() for file in each]
    if "symbol" in given:
        files = {str(given["symbol"]): every}
    hints = {name: value for name, value in given.items() if name != "symbol"}
    return Plan(into, path, files, guess(every, hints))


def preview(plan: Plan) -> Bars | None:
    """The first bars, read as guessed; None while a setting is open. May raise `DataError`.

    >>> import tempfile
    >>> from barstack.bars.importing import plan_import
    >>> from barstack.testing import sound_bars
    >>> from barstack.worlds import table_of
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table_of(sound_bars()).write_parquet(Path(folder) / "SPY.parquet")
    ...     (plan,) = plan_import(folder, "mine", {})
    >>> preview(plan)
    Bars(SPY, 5 x 30min, 2016-01-04 14:30 UTC .. 2016-01-04 17:00 UTC)
    """
    found = plan.guess
    if found.open or found.first is None:
        return None
    table = found.first
    if "symbol" in table.columns:
        table = table.filter(pl.col("symbol") == table["symbol"][0])
    symbol = str(table["symbol"][0]) if "symbol" in table.columns else next(iter(plan.files))
    in_order = table.unique("timestamp", keep="first", maintain_order=True).sort("timestamp")
    return found.reading.bar_format.read(in_order, symbol, mostly_inside=False, where=plan.path)
