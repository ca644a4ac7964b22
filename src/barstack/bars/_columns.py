"""Columns of foreign tables: found by name, times to UTC, prices to numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from barstack.core.arrays import Floats, Ints
from barstack.core.errors import DataError, did_you_mean
from barstack.core.times import DAY_US

from ._bars import COLUMNS, Columns
from ._clocks import split_zone

_FIRST_S, _END_S = -2_208_988_800, 4_133_980_800  # the years 1900 to 2100, in seconds
TIME_NAMES = ("timestamp", "datetime", "date", "time", "ts")
ISO_8601 = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$"


class Read(NamedTuple):
    """A foreign table as numbers.

    table    as polars
    stamps   (n_rows,) microseconds UTC
    columns  prices and volume, each (n_rows,), NaN where the source has none
    zone     of the clock on which the times are written, where the table or the caller names it
    """

    table: pl.DataFrame
    stamps: Ints
    columns: Columns
    zone: str | None


def read_columns(frame: Any, timezone: str | None, where: str) -> Read:
    """Times, prices and volume of a pandas or polars table; `DataError` where they are unclear."""
    table = as_polars(frame, where)
    named = match_columns(table, where)
    stamps = utc_microseconds(table[named["time"]], timezone, where)
    columns = {name: numbers(table[named[name]], where) for name in COLUMNS}
    zones = (getattr(table.schema[n], "time_zone", None) for n in table.columns if _is_time(n))
    return Read(table, stamps, columns, next(filter(None, zones), timezone))


def stored_table(stamps: Ints, columns: Columns) -> pl.DataFrame:
    """The stored form: `timestamp` (datetime64[us, UTC]) and float64 prices and volume."""
    start = pl.Series("timestamp", stamps).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame([start, *(pl.Series(name, columns[name]) for name in COLUMNS)])


def stamps_of(table: pl.DataFrame) -> Ints:
    """(n_rows,) times of a table in the stored form, microseconds UTC."""
    return table["timestamp"].to_physical().to_numpy()


def columns_of(table: pl.DataFrame) -> Columns:
    """Prices and volume of a table in the stored form."""
    return {name: table[name].to_numpy() for name in COLUMNS}


def first_row(wrong: Any) -> int:
    """Row of the first that is true."""
    return int(np.argmax(np.asarray(wrong)))


def as_polars(frame: Any, where: str) -> pl.DataFrame:
    """The table with a time column, from pandas or polars."""
    if isinstance(frame, pl.DataFrame):
        return frame
    if not (hasattr(frame, "reset_index") and hasattr(frame, "columns")):  # a Series has one only
        raise DataError(f"{where} is a {type(frame).__name__}; give a pandas or polars DataFrame.")
    if getattr(frame.columns, "nlevels", 1) > 1:
        raise _two_levels(where, frame.columns[0])
    is_time = frame.index.dtype.kind == "M" or _is_time(str(frame.index.name))
    if is_time and not any(_is_time(str(name)) for name in frame.columns):
        frame = frame.rename_axis("timestamp").reset_index()
    _refuse_repeated(map(str, frame.columns), where)
    return pl.DataFrame([_from_pandas(str(name), frame[name], where) for name in frame.columns])


def _is_time(name: str) -> bool:
    return name.lower() in TIME_NAMES


def _two_levels(where: str, example: Any) -> DataError:
    return DataError(
        f"{where} has columns on two levels, such as {example}, as yfinance gives them. Take one "
        "symbol of it, such as frame.xs('SPY', axis=1, level=1), or download it with "
        "multi_level_index=False."
    )


def _from_pandas(name: str, column: Any, where: str) -> pl.Series:
    # Column by column, as polars' own conversion needs pyarrow and warns about timezones.
    if (zone := getattr(column.dtype, "tz", None)) is not None:
        utc = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
        moments = pl.Series(name, utc).dt.replace_time_zone("UTC")
        try:  # in the zone it was written in, which distinguishes dates from moments
            return moments.dt.convert_time_zone(_zone_name(zone))
        except pl.exceptions.PolarsError:  # a fixed offset without a zone name
            return moments
    values = column.to_numpy()
    if values.dtype.kind == "M" and np.datetime_data(values.dtype)[0] == "s":  # polars has none
        seconds = np.where(np.isnat(values), 0, values.astype(np.int64)).astype(float)
        check_years(pl.Series(name, seconds * 1e6), where)
        return pl.Series(name, values.astype("datetime64[ms]"))
    if values.dtype != object:
        return pl.Series(name, values)
    # pandas marks missing text as NaN, which polars takes for a number.
    whole = [None if hole else each for each, hole in zip(values, column.isna(), strict=True)]
    try:
        return pl.Series(name, whole)
    except TypeError:
        kinds = sorted({type(each).__name__ for each in whole if each is not None})
        raise DataError(
            f"{where}: column {name!r} holds values of several kinds, {' and '.join(kinds)}. "
            "Store one kind."
        ) from None


def _zone_name(zone: Any) -> str:
    """Its name in polars, which has names for offsets of whole hours."""
    offset = zone.utcoffset(None)
    hours = 0 if offset is None else offset.total_seconds() / 3600
    return f"Etc/GMT{-int(hours):+d}" if hours and hours == int(hours) else str(zone)


def _refuse_repeated(columns: Iterable[str], where: str) -> None:
    for name, count in Counter(name.lower() for name in columns).items():
        if count > 1 and name in (*COLUMNS, *TIME_NAMES):
            raise DataError(f"{where} has {count} columns called {name!r}. Keep one of them.")


def match_columns(table: pl.DataFrame, where: str) -> dict[str, str]:
    """The table's names of the price columns, of volume, and under `time` of the time column."""
    _refuse_repeated(table.columns, where)
    two_levels = [name for name in table.columns if re.match(r"\('\w+', '", name)]
    if two_levels:
        raise _two_levels(where, two_levels[0])
    by_lower = {name.lower(): name for name in table.columns}
    time = next((by_lower[name] for name in TIME_NAMES if name in by_lower), None)
    if time is None:
        raise DataError(
            f"{where} has no time column. Name it {' or '.join(TIME_NAMES)}; "
            f"it has {', '.join(table.columns)}."
        )
    for name in COLUMNS:
        if name not in by_lower:
            hint = did_you_mean(name, table.columns)
            extra = " Add one of zeros if the source has none." if name == "volume" else ""
            raise DataError(f"{where} has no column {name!r}. {hint}{extra}")
    return {name: by_lower[name] for name in COLUMNS} | {"time": time}


def utc_microseconds(column: pl.Series, timezone: str | None, where: str) -> Ints:
    """Microseconds UTC; `DataError` for times that are ambiguous."""
    if column.null_count():
        raise DataError(
            f"{where}: row {first_row(column.is_null())} of {column.name!r} has no time."
        )
    if column.dtype == pl.String:
        column = parse_text(column, where)
    check_years(column, where)
    if column.dtype == pl.Date:  # a date names a session, in no zone
        return column.cast(pl.Datetime("us")).to_physical().to_numpy()
    if not isinstance(column.dtype, pl.Datetime):
        raise DataError(
            f"{where}: column {column.name!r} holds {column.dtype}, not times. "
            "Store datetimes, or ISO 8601 text such as 2026-01-05T14:30:00Z."
        )
    column = column.dt.cast_time_unit("us")
    if column.dtype.time_zone is None:  # type: ignore[attr-defined]  # checked to be Datetime
        if timezone is None and (column.to_physical() % DAY_US == 0).all():
            return column.to_physical().to_numpy()  # whole dates, as above
        if timezone is None:
            raise DataError(
                f"{where}: times in {column.name!r} carry no timezone, for instance {column[0]}. "
                "Say which with timezone: America/New_York (or UTC), or localise the times."
            )
        zone, hours = split_zone(timezone)
        try:
            column = (column - timedelta(hours=hours)).dt.replace_time_zone(zone)
        except pl.exceptions.PolarsError as error:
            reason = str(error).splitlines()[0].split(". ")[0]
            raise DataError(
                f"{where}: cannot read the times as {timezone}: {reason}. Name a "
                "zone such as America/New_York, or store UTC."
            ) from None
    return column.dt.convert_time_zone("UTC").to_physical().to_numpy()


def check_years(column: pl.Series, where: str) -> None:
    """`DataError` for a time outside the years 1900 to 2100, with its row.

    column  dates, datetimes, or microseconds since 1970; other columns are not checked. Checked in
            its own unit, as a far year overflows when it is converted
    """
    per_second = 1e6
    if column.dtype == pl.Date:
        per_second = 1 / 86_400
    elif isinstance(column.dtype, pl.Datetime):
        per_second = {"ms": 1e3, "us": 1e6, "ns": 1e9}[column.dtype.time_unit]
    elif not column.dtype.is_numeric():
        return
    seconds = column.to_physical().cast(pl.Float64) / per_second
    strange = ((seconds < _FIRST_S) | (seconds >= _END_S)).fill_null(False)
    if not strange.any():
        return
    row = first_row(strange)
    year = np.datetime64(int(seconds[row]), "s").astype("datetime64[Y]").astype(int) + 1970
    raise DataError(
        f"{where}: row {row} of {column.name!r} lies in the year {year}, and "
        f"{int(strange.sum()):,} row(s) in all lie outside 1900 to 2100. Counts since 1970 that "
        "change their unit, such as from milliseconds to microseconds, look so, and so do years "
        "of two digits read as four. Mend those rows, or bring in each part by itself with its "
        "own time format."
    )


def parse_text(column: pl.Series, where: str) -> pl.Series:
    """Datetimes from ISO 8601 text; `DataError` with the first row that is not."""
    if column.dtype != pl.String:
        raise DataError(
            f"{where}: {column.name!r} holds {column.dtype}, which says no moment. Name the "
            "column of times with columns: {time: ...}."
        )
    try:
        # Only ISO 8601: in 01/05/2026 the day and the month are ambiguous.
        if column.str.contains(ISO_8601).all():
            return column.str.to_datetime(time_unit="us")
    except pl.exceptions.PolarsError:
        pass  # such as month 13
    row = first_row([not _is_iso(text) for text in column])
    raise DataError(
        f"{where}: cannot read {column[row]!r} in row {row} of {column.name!r} as a time. "
        "Use ISO 8601, such as 2026-01-05T14:30:00Z."
    )


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def not_numbers(column: pl.Series, where: str) -> DataError:
    """The error for a column of another kind."""
    shown = "" if column.dtype.is_nested() else f" ({column[0]!r} in row 0)"
    return DataError(
        f"{where}: column {column.name!r} holds {column.dtype}{shown}, not numbers. Convert it."
    )


def numbers(column: pl.Series, where: str) -> Floats:
    """Floats, NaN where the source has none."""
    if not column.dtype.is_numeric():
        raise not_numbers(column, where)
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
