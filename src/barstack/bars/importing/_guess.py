"""Guess how a table is to be read, and say why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barstack.core.arrays import Ints
from barstack.core.errors import ConfigError, DataError, did_you_mean

from .._bars import COLUMNS
from .._columns import as_polars, check_years, parse_text
from ._files import batches, is_text
from ._guess_clock import WrittenTimes, guess_clock, guess_length
from ._guess_columns import (
    guess_prices,
    guess_symbol_column,
    guess_unnamed,
    guess_volume,
    plain,
)
from ._guess_text import guess_numbers, guess_text
from ._guess_times import guess_time
from ._layout import Clue, Given, Layout, Reading
from ._tables import named_table

# Years of minutes for one symbol. What is read later must still agree with what was guessed.
_SAMPLE_BYTES = 24 << 20
_SAMPLE_ROWS = 400_000
SETTINGS = (*Reading.model_fields, "dayfirst", "symbol")
_MOST_FILES = 8
_MOST_SERIES = 16
_OPENS = ("open time", "opentime", "time period start", "start time")
_CLOSES = ("close time", "time period end", "end time")


@dataclass(frozen=True)
class Guess:
    """How a table is guessed to be read.

    clues  one for each setting
    first  the first rows, read accordingly; None while something must be answered
    where  the file or folder
    """

    clues: tuple[Clue, ...]
    first: pl.DataFrame | None
    where: str

    @property
    def open(self) -> tuple[Clue, ...]:
        """Settings that the table does not show."""
        return tuple(clue for clue in self.clues if clue.open)

    @property
    def reading(self) -> Reading:
        """How to read the table; `ConfigError` while something is open."""
        if self.open:
            raise ConfigError(f"{self.where}: {sentence(self.open)}")
        return self.likeliest

    @property
    def likeliest(self) -> Reading:
        """As `reading`, with the defaults of settings that are open."""
        values: dict[str, Any] = {}
        columns: dict[str, str] = {}
        for clue in self.clues:
            if clue.open or clue.value is None or clue.setting in ("symbol", "dayfirst"):
                continue
            if clue.setting.startswith("columns."):
                columns[clue.setting.removeprefix("columns.")] = clue.value
            else:
                values[clue.setting] = clue.value
        return Reading(columns=columns, **values)


def sentence(unanswered: Sequence[Clue]) -> str:
    """Which settings must be given, and how.

    >>> sentence([Clue("stamp", None, "Nothing closes.", "unsure", ("open", "close"))])
    'stamp: Nothing closes. Say it with --stamp (open, close).'
    """
    parts = []
    for clue in unanswered:
        choices = f" ({', '.join(clue.choices)})" if clue.choices else ""
        parts.append(f"{clue.setting}: {clue.because} Say it with {clue.option}{choices}.")
    return " ".join(parts)


def guess(source: Any, given: Given | None = None, *, where: str = "the table") -> Guess:
    """Guess how a table, a file, or several files of one kind are to be read.

    Parameters
    ----------
    source
        A pandas or polars table, a path, or paths of files with the same layout.
    given
        Settings that need not be guessed, by the names of `Reading`'s fields; `columns` maps time,
        open and so on to the table's own names, `dayfirst` distinguishes 05/01 from 01/05.
    where
        What messages call a table; a file is called by its name.

    Raises
    ------
    DataError
        Where there is no table.
    ConfigError
        For unknown settings.

    >>> table = pl.DataFrame({"Date": ["2026-01-05", "2026-01-06"], "Open": [1.0, 1.1],
    ...     "High": [1.2, 1.2], "Low": [0.9, 1.0], "Last": [1.1, 1.2]})
    >>> guess(table, {"calendar": "XNYS"}).reading.settings()["columns"]["close"]
    'Last'
    """
    given = dict(given or {})
    for setting in given:
        if setting not in SETTINGS:
            raise ConfigError(f"Unknown setting {setting!r}. {did_you_mean(setting, SETTINGS)}")
    Reading(**{name: value for name, value in given.items() if name in Reading.model_fields})
    if isinstance(source, (str, Path)):
        source = [Path(source)]
    if isinstance(source, (list, tuple)) and source and isinstance(source[0], (str, Path)):
        return _guess_files([Path(file) for file in source], given)
    return _guess_tables([as_polars(source, where)], Layout(), [], given, where, own=False)


def _guess_files(files: list[Path], given: dict[str, Any]) -> Guess:
    step = max(1, len(files) // _MOST_FILES)
    chosen = files[::step][:_MOST_FILES]
    errors: list[DataError] = []
    tables: list[pl.DataFrame] = []
    layout, found = Layout(), list[Clue]()
    for file in chosen:
        try:
            if not tables:
                layout, found = guess_text(file, given) if is_text(file) else (Layout(), [])
            table = next(batches(file, layout, block_bytes=_SAMPLE_BYTES, block_rows=_SAMPLE_ROWS))
        except DataError as error:  # one bad file does not hide how the others are to be read
            errors.append(error)
            continue
        if not tables or table.columns == tables[0].columns:
            tables.append(table)
    if not tables:
        raise errors[0]
    where = str(files[0]) if len(files) == 1 else f"{files[0].parent}"
    return _guess_tables(tables, layout, found, given, where, own=not is_text(chosen[0]))


def _guess_tables(
    tables: list[pl.DataFrame],
    layout: Layout,
    found: list[Clue],
    given: dict[str, Any],
    where: str,
    *,
    own: bool,
) -> Guess:
    raw = pl.concat(tables, how="vertical_relaxed")
    # A list, a record, bytes or a duration is no time, no number and no symbol.
    raw = raw.select(
        name
        for name, kind in raw.schema.items()
        if not (kind.is_nested() or kind in (pl.Binary, pl.Object, pl.Duration))
    )
    if not len(raw):
        raise DataError(f"{where} holds no bars: no rows below the names of the columns.")
    columns = given.get("columns", {})
    times = guess_time(raw, given, where)
    found = [*found, *times]
    taken = {clue.value for clue in times if clue.setting.startswith("columns.")}
    found += guess_numbers(raw.select([n for n in raw.columns if n not in taken]), given)
    marks = {each.setting: each.value for each in found}
    decimal, thousands = marks.get("decimal") or ".", marks.get("thousands") or ""
    prices = list(guess_prices(raw, columns))
    if layout.header_lines == 0 and all(each.open for each in prices):
        prices = guess_unnamed(raw, taken, decimal, thousands) or prices
    found += prices
    symbols = guess_symbol_column(raw, given, taken)
    if not any(each.setting == "columns.volume" for each in prices):
        known = taken | {each.value for each in prices} | ({symbols.value} if symbols else set())
        found.append(guess_volume(raw, columns, known, decimal, thousands))
    found += [symbols] if symbols else []
    if any(each.open for each in found):
        return Guess(tuple(found), None, where)
    return _with_clock(tables, found, given, where, own=own)


def _with_clock(
    tables: list[pl.DataFrame], found: list[Clue], given: dict[str, Any], where: str, *, own: bool
) -> Guess:
    reading = Guess(tuple(found), None, where).likeliest
    named = [named_table(table, reading.layout, where, lenient=True) for table in tables]
    for raw, table in zip(tables, named, strict=True):
        if table["timestamp"].null_count() > len(table) // 2:  # then the format is wrong
            named_table(raw, reading.layout, where)
    time_column = next(each.value for each in found if each.setting == "columns.time")
    series, zoned = _series(named, where)
    key = plain(time_column)
    if not zoned and any(word in key.split() for word in ("utc", "gmt")):
        found.append(Clue("timezone", "UTC", f"Column {time_column!r} says so.", "sure"))
        given = given | {"timezone": "UTC"}
    length, length_us = guess_length(series, given)
    found.append(length)
    if length_us is not None:
        end = "open" if key in _OPENS else "close" if key in _CLOSES else None
        own = own and _is_own(tables[0])
        dates = named[0]["timestamp"].dtype == pl.Date
        settled = {each.setting for each in found}
        clock = guess_clock(WrittenTimes(series, zoned, end, own, dates), length_us, given)
        found += [each for each in clock if each.setting not in settled]
    return Guess(tuple(found), named[0].head(5), where)


def _series(named: list[pl.DataFrame], where: str) -> tuple[list[Ints], bool]:
    """Times of each symbol, in order, as they are written; and whether they are UTC."""
    series: list[Ints] = []
    zoned = True
    for table in named:
        parts = table.partition_by("symbol") if "symbol" in table.columns else [table]
        for part in parts[: _MOST_SERIES - len(series)]:
            column = part["timestamp"].drop_nulls()
            if column.dtype == pl.String:
                column = parse_text(column, where)
            check_years(column, where)
            zoned = zoned and getattr(column.dtype, "time_zone", None) is not None
            micros = column.cast(pl.Datetime("us")) if column.dtype == pl.Date else column
            stamps = micros.dt.convert_time_zone("UTC") if zoned else micros
            stamps = stamps.dt.cast_time_unit("us").to_physical()
            series.append(np.asarray(stamps.unique().sort().to_numpy()))
    return series, zoned


def _is_own(table: pl.DataFrame) -> bool:
    """Whether a table has the form in which barstack itself writes bars."""
    time = table.schema.get("timestamp")
    return table.columns == ["timestamp", *COLUMNS] and (
        isinstance(time, pl.Datetime) and time.time_zone == "UTC"
    )
