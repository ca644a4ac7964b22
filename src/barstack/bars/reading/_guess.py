"""Guess how a table is to be read, and say why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barstack.core.errors import ConfigError, DataError, did_you_mean

from .._checks import COLUMNS
from .._columns import as_polars, parse_text
from ._files import is_text
from ._finding import Finding, Given
from ._guess_clock import guess_clock, guess_length
from ._guess_columns import guess_prices, guess_symbol_column, guess_volume, plain
from ._guess_numbers import guess_numbers
from ._guess_text import guess_text
from ._guess_times import guess_time
from ._guess_unnamed import guess_unnamed
from ._layout import Layout, Reading
from ._markets import Stamps
from ._named import named_table
from ._samples import sample

SETTINGS = (*Reading.model_fields, "dayfirst", "symbol")
_MOST_FILES = 8
_MOST_SERIES = 16
_OPENS = ("open time", "opentime", "time period start", "start time")
_CLOSES = ("close time", "time period end", "end time")


@dataclass(frozen=True)
class Guess:
    """What was guessed of a table.

    findings  one for each setting
    first     the first rows, read accordingly; None while something must be answered
    where     what was looked at
    """

    findings: tuple[Finding, ...]
    first: pl.DataFrame | None
    where: str

    @property
    def open(self) -> tuple[Finding, ...]:
        """What nobody can tell from the table."""
        return tuple(finding for finding in self.findings if finding.open)

    @property
    def reading(self) -> Reading:
        """How to read the table; `ConfigError` while something is open."""
        if self.open:
            raise ConfigError(f"{self.where}: {sentence(self.open)}")
        return self.likeliest

    @property
    def likeliest(self) -> Reading:
        """As `reading`, with nothing said where something is open."""
        values: dict[str, Any] = {}
        columns: dict[str, str] = {}
        for finding in self.findings:
            if finding.open or finding.value is None or finding.setting in ("symbol", "dayfirst"):
                continue
            if finding.setting.startswith("columns."):
                columns[finding.setting.removeprefix("columns.")] = finding.value
            else:
                values[finding.setting] = finding.value
        return Reading(columns=columns, **values)


def sentence(unanswered: Sequence[Finding]) -> str:
    """What must be said, and how."""
    parts = []
    for finding in unanswered:
        choices = f" ({', '.join(finding.choices)})" if finding.choices else ""
        parts.append(f"{finding.setting}: {finding.because} Say it with {finding.option}{choices}.")
    return " ".join(parts)


def guess(source: Any, said: Given | None = None) -> Guess:
    """Guess how a table, a file, or several files of one kind are to be read.

    source  a pandas or polars table, a path, or paths of files laid out alike
    said    what need not be guessed, by the names of `Reading`'s fields; `columns` maps time,
            open and so on to the table's own names, `dayfirst` tells 05/01 from 01/05

    Raises `DataError` where there is no table, `ConfigError` for unknown settings.

    >>> table = pl.DataFrame({"Date": ["2026-01-05", "2026-01-06"], "Open": [1.0, 1.1],
    ...     "High": [1.2, 1.2], "Low": [0.9, 1.0], "Last": [1.1, 1.2]})
    >>> guess(table, {"calendar": "XNYS"}).reading.settings()["columns"]["close"]
    'Last'
    """
    said = dict(said or {})
    for setting in said:
        if setting not in SETTINGS:
            raise ConfigError(f"Unknown setting {setting!r}. {did_you_mean(setting, SETTINGS)}")
    Reading(**{name: value for name, value in said.items() if name in Reading.model_fields})
    if isinstance(source, (str, Path)):
        source = [Path(source)]
    if isinstance(source, (list, tuple)) and source and isinstance(source[0], (str, Path)):
        return _guess_files([Path(file) for file in source], said)
    return _guess_tables([as_polars(source, "table")], Layout(), [], said, "table", own=False)


def _guess_files(files: list[Path], said: dict[str, Any]) -> Guess:
    step = max(1, len(files) // _MOST_FILES)
    chosen = files[::step][:_MOST_FILES]
    faults: list[DataError] = []
    tables: list[pl.DataFrame] = []
    layout, found = Layout(), list[Finding]()
    for file in chosen:
        try:
            if not tables:
                layout, found = guess_text(file, said) if is_text(file) else (Layout(), [])
            table = sample(file, layout)
        except DataError as fault:  # one bad file does not hide how the others are to be read
            faults.append(fault)
            continue
        if not tables or table.columns == tables[0].columns:
            tables.append(table)
    if not tables:
        raise faults[0]
    where = str(files[0]) if len(files) == 1 else f"{files[0].parent}"
    return _guess_tables(tables, layout, found, said, where, own=not is_text(chosen[0]))


def _guess_tables(
    tables: list[pl.DataFrame],
    layout: Layout,
    found: list[Finding],
    said: dict[str, Any],
    where: str,
    *,
    own: bool,
) -> Guess:
    raw = pl.concat(tables, how="vertical_relaxed")
    if not len(raw):
        raise DataError(f"{where} holds no bars: no rows below the names of the columns.")
    columns = said.get("columns", {})
    times = guess_time(raw, columns, said.get("dayfirst"))
    found = [*found, *_unless_said(times, said, "time_format")]
    taken = {finding.value for finding in times if finding.setting.startswith("columns.")}
    found += guess_numbers(raw.select([n for n in raw.columns if n not in taken]), said)
    marks = {each.setting: each.value for each in found}
    decimal, thousands = marks.get("decimal") or ".", marks.get("thousands") or ""
    prices = list(guess_prices(raw, columns))
    if layout.header_lines == 0 and all(each.open for each in prices):
        prices = guess_unnamed(raw, taken, decimal, thousands) or prices
    found += prices
    symbols = guess_symbol_column(raw, said, taken)
    if not any(each.setting == "columns.volume" for each in prices):
        known = taken | {each.value for each in prices} | ({symbols.value} if symbols else set())
        found.append(guess_volume(raw, columns, known, decimal, thousands))
    found += [symbols] if symbols else []
    if any(each.open for each in found):
        return Guess(tuple(found), None, where)
    return _with_clock(tables, found, said, where, own=own)


def _unless_said(found: list[Finding], said: Given, setting: str) -> list[Finding]:
    if setting not in said:
        return found
    kept = [each for each in found if each.setting not in (setting, "dayfirst")]
    return [*kept, Finding(setting, said[setting], "As you say.", "given")]


def _with_clock(
    tables: list[pl.DataFrame], found: list[Finding], said: dict[str, Any], where: str, *, own: bool
) -> Guess:
    reading = Guess(tuple(found), None, where).likeliest
    named = [named_table(table, reading.layout, where, lenient=True) for table in tables]
    for raw, table in zip(tables, named, strict=True):
        if table["timestamp"].null_count() > len(table) // 2:  # then the format is at fault
            named_table(raw, reading.layout, where)
    time_column = next(each.value for each in found if each.setting == "columns.time")
    series, zoned = _series(named, where)
    key = plain(time_column)
    if not zoned and any(word in key.split() for word in ("utc", "gmt")):
        found.append(Finding("timezone", "UTC", f"Column {time_column!r} says so.", "sure"))
        said = said | {"timezone": "UTC"}
    length, length_us = guess_length(series, said)
    found.append(length)
    if length_us is not None:
        end = "open" if key in _OPENS else "close" if key in _CLOSES else None
        own = own and _is_own(tables[0])
        dates = named[0]["timestamp"].dtype == pl.Date
        clock = guess_clock(series, length_us, said, zoned=zoned, named=end, own=own, dates=dates)
        settled = {each.setting for each in found}
        found += [each for each in clock if each.setting not in settled]
    return Guess(tuple(found), named[0].head(5), where)


def _series(named: list[pl.DataFrame], where: str) -> tuple[list[Stamps], bool]:
    """Times of each symbol, in order, as they are written; and whether they are UTC."""
    series: list[Stamps] = []
    zoned = True
    for table in named:
        parts = table.partition_by("symbol") if "symbol" in table.columns else [table]
        for part in parts[: _MOST_SERIES - len(series)]:
            column = part["timestamp"].drop_nulls()
            if column.dtype == pl.String:
                column = parse_text(column, where)
            zoned = zoned and getattr(column.dtype, "time_zone", None) is not None
            micros = column.cast(pl.Datetime("us")) if column.dtype == pl.Date else column
            stamps = micros.dt.convert_time_zone("UTC") if zoned else micros
            stamps = stamps.dt.cast_time_unit("us").to_physical()
            series.append(np.asarray(stamps.unique().sort().to_numpy()))
    return series, zoned


def _is_own(table: pl.DataFrame) -> bool:
    """Whether a table has the one form in which barstack itself writes bars."""
    time = table.schema.get("timestamp")
    return table.columns == ["timestamp", *COLUMNS] and (
        isinstance(time, pl.Datetime) and time.time_zone == "UTC"
    )
