"""Raw tables with the standard column names, times and numbers; several as one."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from barstack.core.clock import timestamp
from barstack.core.errors import ConfigError, DataError, did_you_mean

from .._bars import COLUMNS
from .._columns import (
    TIME_NAMES,
    check_years,
    columns_of,
    first_row,
    match_columns,
    not_numbers,
    utc_microseconds,
)
from .._validation import check_order, values_at
from ._layout import EPOCHS, ZEROS, Layout

NOTHING = ("", "nan", "null", "none", "n/a", "na", "#n/a", "-", "--")
_FAR_US = 2**62
_LONGER_US = 4_102_444_800_000  # the year 2100 in milliseconds, read as microseconds
_MONEY = r"^[\s$€£¥]+|[\s$€£¥]+$"


def named_table(
    raw: pl.DataFrame, layout: Layout, where: str, *, lenient: bool = False
) -> pl.DataFrame:
    """Columns `timestamp`, open, high, low, close, volume, and `symbol` where the layout has one.

    Times are datetimes, or dates, or ISO 8601 text, with a zone or without, as
    `table_from_frame` takes them; prices are float64.

    lenient  leave values that cannot be read empty, rather than raise `DataError`

    >>> import polars as pl
    >>> names = ("open", "high", "low", "close")
    >>> raw = pl.DataFrame({"t": ["2026-01-05"]} | dict.fromkeys(names, ["1,5"]))
    >>> layout = Layout(columns={"time": "t", "volume": "zeros"}, decimal=",")
    >>> named_table(raw, layout, "a table").row(0)[1:]
    (1.5, 1.5, 1.5, 1.5, 0.0)
    """
    named = _places(raw, layout, where)
    columns = [_times(raw, named, layout, where, lenient)]
    for role in COLUMNS:
        if role == "volume" and named[role] == ZEROS and ZEROS not in raw.columns:
            columns.append(pl.Series(role, [0.0]).new_from_index(0, len(raw)))
        else:
            columns.append(_numbers(raw[named[role]], layout, where, lenient).alias(role))
    if layout.symbol_column is not None:
        symbols = own_column(raw, layout.symbol_column, where)
        columns.append(symbols.cast(pl.String).str.strip_chars().alias("symbol"))
    return pl.DataFrame(columns)


def _places(raw: pl.DataFrame, layout: Layout, where: str) -> dict[str, str]:
    """The table's name of each column: those of the layout, the others by exact name."""
    given = layout.columns
    for name in given.values():
        if name != ZEROS:
            own_column(raw, name, where)
    taken = {*given, *given.values(), *(TIME_NAMES if "time" in given else ())}
    rest = [name for name in raw.columns if name.lower() not in taken and name not in taken]
    stand_ins = ["timestamp" if role == "time" else role for role in given if role != "date"]
    return match_columns(pl.DataFrame(schema=[*rest, *stand_ins]), where) | given


def own_column(raw: pl.DataFrame, name: str, where: str) -> pl.Series:
    """A column by the table's own name; `DataError` where there is none."""
    if name not in raw.columns:
        raise DataError(f"{where} has no column {name!r}. {did_you_mean(name, raw.columns)}")
    return raw[name]


def _times(
    raw: pl.DataFrame, named: dict[str, str], layout: Layout, where: str, lenient: bool
) -> pl.Series:
    column, form = raw[named["time"]], layout.time_format
    if "date" in named:
        column = joined(raw[named["date"]], column)
    if form is None:
        if column.dtype == pl.String:
            column = column.str.strip_chars()
            if lenient:
                column = pl.select(
                    pl.when(column.str.contains(r"^\d{4}-\d{2}-\d{2}")).then(column)
                ).to_series()
        return column.alias("timestamp")
    read = parse_times(column, form)
    _refuse_other_times(column, read, form, where)
    unread = read.is_null() if not lenient else pl.Series([False])
    if unread.any():
        row = first_row(unread)
        raise DataError(
            f"{where}: cannot read {column[row]!r} in row {row} of {column.name!r} as a time "
            f"written {form}; {int(unread.sum())} such row(s) in all. Repair or remove them, as "
            "barstack import --drop-bad-rows does, or say how times are written with time_format."
        )
    return read.alias("timestamp")


def _refuse_other_times(column: pl.Series, read: pl.Series, form: str, where: str) -> None:
    """`DataError` for times that can be read in the format and clearly mean others."""
    check_years(read.alias(column.name), where)
    if "%y" in form:  # 62 is read as 2062, and no bar lies ahead
        strange = (read.dt.year() > int(timestamp()[:4]) + 1).fill_null(False)
        meant = "two digits do not tell the century. Write years with four"
    elif form in EPOCHS and form != "epoch s":
        # A count of a longer unit, of 1990 to 2100, lies in the first weeks of 1970.
        micros = read.to_physical()
        if bool((micros < 0).any()):  # a history that goes through those weeks
            return
        strange = (micros < _LONGER_US).fill_null(False)
        meant = "that is a count of a longer unit. Say which with time_format"
    else:
        return
    if strange.any():
        row = first_row(strange)
        raise DataError(
            f"{where}: {column[row]!r} in row {row} of {column.name!r}, read as {form}, lies in "
            f"{read[row]:%Y-%m-%d}; {int(strange.sum()):,} such row(s) in all: {meant}."
        )


def joined(dates: pl.Series, clocks: pl.Series) -> pl.Series:
    """A column of dates and one of times of day as one column of text.

    >>> joined(pl.Series(["2026-01-05"]), pl.Series(["09:30"])).to_list()
    ['2026-01-05 09:30']
    """
    texts = [_as_text(each) for each in (dates, clocks)]
    return pl.select(pl.concat_str(*texts, separator=" ")).to_series().alias(dates.name)


def _as_text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String).str.strip_chars()


def parse_times(column: pl.Series, form: str) -> pl.Series:
    """Datetimes or dates, null where the text is not of that form.

    >>> parse_times(pl.Series(["13/01/2026 09:30"]), "%d/%m/%Y %H:%M").to_list()
    [datetime.datetime(2026, 1, 13, 9, 30)]
    """
    if form in EPOCHS:
        counts = column.cast(pl.String).str.strip_chars() if column.dtype == pl.String else column
        whole = counts.cast(pl.Float64, strict=False) if counts.dtype.is_float() else counts
        units = whole.cast(pl.Int64, strict=False)
        factor = EPOCHS[form] or 1  # nanoseconds are divided below
        units = units.clip(-_FAR_US // factor, _FAR_US // factor)  # so that no product overflows
        micros = units * factor if EPOCHS[form] else units // 1000
        return micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    text = _as_text(column)
    if not any(part in form for part in ("%H", "%I")):
        return text.str.to_date(form, strict=False)
    minutes = "" if "%M" in form else " 00"  # polars takes an hour only with its minutes
    complete = form + (" %M" if minutes else "")
    try:
        read = (text + minutes).str.to_datetime(complete, time_unit="us", strict=False)
    except pl.exceptions.ComputeError as error:  # such as an hour of twelve without AM and PM
        why = str(error).splitlines()[0]
        raise ConfigError(f"Times cannot be written {form}. {why}") from None
    if form.endswith(("Z", "UTC", "GMT")) and read.dtype.time_zone is None:  # type: ignore[attr-defined]
        read = read.dt.replace_time_zone("UTC")
    return read


def _numbers(column: pl.Series, layout: Layout, where: str, lenient: bool) -> pl.Series:
    if column.dtype.is_numeric():
        return column.cast(pl.Float64).fill_null(float("nan"))
    if column.dtype != pl.String:
        raise not_numbers(column, where)
    read = parse_numbers(column, layout.decimal, layout.thousands)
    unread = read.is_null()
    if unread.any() and not lenient:
        row = first_row(unread)
        raise DataError(
            f"{where}: {column[row]!r} in row {row} of {column.name!r} is not a number with "
            f"decimal mark {layout.decimal!r}"
            + (f" and thousands {layout.thousands!r}" if layout.thousands else "")
            + f"; {int(unread.sum())} such row(s) in all. Repair or remove them, or say how "
            "numbers are written with decimal and thousands."
        )
    return read.fill_null(float("nan"))


def parse_numbers(column: pl.Series, decimal: str, thousands: str) -> pl.Series:
    """Floats; NaN for text such as n/a, null where it is no number.

    >>> parse_numbers(pl.Series(["1.234,5", "n/a", "soon"]), ",", ".").to_list()
    [1234.5, nan, None]
    """
    text = column.str.replace_all(_MONEY, "")
    if decimal == "." and not thousands:
        read = text.cast(pl.Float64, strict=False)
    else:
        point, group = _escaped(decimal), _escaped(thousands)
        whole = rf"\d{{1,3}}(?:{group}\d{{3}})+|\d+" if thousands else r"\d+"
        if thousands == ",":  # India groups by two above the thousand: 70,23,928
            whole += r"|\d{1,2}(?:,\d{2})+,\d{3}"
        formed = text.str.contains(rf"^[+-]?(?:{whole})?(?:{point}\d*)?(?:[eE][+-]?\d+)?$")
        plain = text.str.replace_all(group, "") if thousands else text
        plain = plain.str.replace_all(decimal, ".", literal=True)
        read = pl.select(pl.when(formed).then(plain.cast(pl.Float64, strict=False))).to_series()
    nothing = text.is_null() | text.str.to_lowercase().is_in(list(NOTHING))
    return pl.select(pl.when(nothing).then(float("nan")).otherwise(read)).to_series()


def _escaped(mark: str) -> str:
    return rf"\{mark}" if mark and mark in ".'" else ("[ \u00a0\u202f]" if mark == " " else mark)


def together(
    tables: Sequence[tuple[str, pl.DataFrame]], symbol: str, timezone: str | None
) -> pl.DataFrame:
    """One table of `named_table`'s form from several, each with the name of its file.

    Raises `DataError` where one is not in order, or two have different bars of one time.
    """
    if len(tables) == 1:
        return tables[0][1]
    parts = []
    for place, (where, table) in enumerate(tables):
        stamps = utc_microseconds(table["timestamp"], timezone, where)
        check_order(stamps, symbol, where)
        start = pl.Series("timestamp", stamps).cast(pl.Datetime("us", "UTC"))
        parts.append(table.select(start, *COLUMNS, pl.lit(place).alias("file")))
    rows = pl.concat(parts).sort("timestamp", "file")
    distinct = rows.unique(["timestamp", *COLUMNS], keep="first", maintain_order=True)
    repeats = distinct.filter(pl.col("timestamp").is_duplicated())
    if len(repeats):
        first, second = repeats.head(2).iter_rows(named=True)
        columns = columns_of(repeats)
        raise DataError(
            f"{tables[first['file']][0]} and {tables[second['file']][0]} have different bars of "
            f"{symbol} at {first['timestamp']:%Y-%m-%d %H:%M} UTC: {values_at(columns, 0)}, and "
            f"{values_at(columns, 1)}; {len(repeats) // 2} such time(s) in all. Keep one of them."
        )
    return distinct.drop("file")
