"""Which column tells the time, and how it is written."""

from __future__ import annotations

from itertools import product

import polars as pl

from barstack.core.errors import DataError

from .._checks import first_row
from ._clue import Clue, Given, given
from ._guess_columns import plain
from ._layout import EPOCHS
from ._named import joined, own_column, parse_times
from ._time_forms import EXAMPLES, Written, how_written, likely_forms

_Pick = tuple[str, str | None]  # the column of times, and the one of dates beside it

# The surest first: a column that says which end of the bar it is comes before one that does not.
_NAMES = (
    "open time", "opentime", "time period start", "start time", "timestamp", "datetime",
    "date time", "time utc", "date utc", "timestamp utc", "datetime utc", "date gmt", "time gmt",
    "gmt time", "local time", "unix timestamp", "unix time", "unix", "epoch", "date", "time", "ts",
    "t", "day", "dt", "dtyyyymmdd", "index", "index level 0", "unnamed 0", "", "close time",
    "time period end", "end time",
)  # fmt: skip
_DATES = ("date", "day", "dtyyyymmdd", "tradedate", "trade date")
_CLOCKS = ("time", "clock", "timeofday", "time of day", "hour")


def guess_time(raw: pl.DataFrame, said: Given, where: str) -> list[Clue]:
    """The time column, or those of date and time of day, and how they are written.

    Raises `DataError` where a column is not there, or is not written as was said.
    """
    columns = said.get("columns", {})
    picked = [(columns["time"], columns.get("date"))] if "time" in columns else _candidates(raw)
    if "time_format" in said:
        return _written_as_said(raw, columns, picked, said["time_format"], where)
    for own, date in picked:
        if written := how_written(_column(raw, own, date, where)):
            return [*_place(raw, columns, own, date, picked), _form(written, said.get("dayfirst"))]
    if not picked:
        return [_nowhere(raw, "in a form that is known")]
    own, date = picked[0]
    return [*_place(raw, columns, own, date, picked), _unread(_column(raw, own, date, where))]


def _column(raw: pl.DataFrame, own: str, date: str | None, where: str) -> pl.Series:
    column = own_column(raw, own, where)
    return joined(own_column(raw, date, where), column) if date else column


def _place(
    raw: pl.DataFrame, columns: Given, own: str, date: str | None, picked: list[_Pick]
) -> list[Clue]:
    """Which column, or which two."""
    if "time" in columns:
        return [
            given(f"columns.{role}", columns[role]) for role in ("time", "date")[: 1 + bool(date)]
        ]
    rivals = [name for name, _ in picked if name != own and _may_be_time(raw[name])]
    aside = f", before {rivals[0]!r}" if rivals else ""
    because = f"Columns {date!r} and {own!r} together." if date else f"Column {own!r}{aside}."
    sure = plain(own) in _NAMES or date is not None
    time = Clue("columns.time", own, because, "sure" if sure else "likely")
    return [Clue("columns.date", date, because, "sure"), time] if date else [time]


def _nowhere(raw: pl.DataFrame, form: str) -> Clue:
    because = f"No column holds times {form}."
    return Clue("columns.time", None, because, "unsure", tuple(raw.columns[:8]))


def _written_as_said(
    raw: pl.DataFrame, columns: Given, picked: list[_Pick], form: str, where: str
) -> list[Clue]:
    """The first column of which most can be read so."""
    if "time" not in columns and form not in EPOCHS:  # any number might count something
        named = _by_name(raw)
        others = [name for name in raw.columns if name not in named]
        picked = [*picked, *((name, None) for name in (*named, *others))]
    if not picked:
        return [_nowhere(raw, f"written {form}")]
    for own, date in picked:
        column = _column(raw, own, date, where)
        if 2 * parse_times(column, form).null_count() < len(column):
            return [*_place(raw, columns, own, date, picked), given("time_format", form)]
    column = _column(raw, *picked[0], where)
    row = first_row(parse_times(column, form).is_null())
    way = next(each for each in (*likely_forms(column), *EXAMPLES) if each != form)
    raise DataError(
        f"{where}: cannot read {column[row]!r} in row {row} of {column.name!r} as a time written "
        f"{form}, nor most others. Say how times are written with --time-format, such as {way!r}."
    )


def _unread(column: pl.Series) -> Clue:
    """How times are written must be said; with the first value that shows why."""
    forms = likely_forms(column)
    odd = column.is_not_null()
    why = "is in no form that is known"
    if forms:
        odd, why = odd & parse_times(column, forms[0]).is_null(), "is not written as most are"
    row = first_row(odd)
    because = f"{column[row]!r} in row {row} of {column.name!r} {why}."
    return Clue("time_format", None, because, "unsure", tuple(forms) or EXAMPLES)


def _form(written: Written, dayfirst: bool | None) -> Clue:
    forms = written.forms
    if dayfirst is not None and len(forms) > 1:
        wanted = [form for form in forms if form and form.startswith("%d") == dayfirst]
        return given("time_format", wanted[0])
    if len(forms) > 1:
        because = f"Written {written.because}: {forms[0]} or {forms[1]}."
        return Clue("dayfirst", None, because, "unsure", ("--dayfirst", "--monthfirst"))
    because = written.because[:1].upper() + written.because[1:] + "."
    return Clue("time_format", forms[0], because, "sure")


def _candidates(raw: pl.DataFrame) -> list[_Pick]:
    """Columns that may tell the time, each alone or with one of dates, the best first."""
    by_plain = {plain(name): name for name in reversed(raw.columns)}
    pairs: list[_Pick] = [
        (by_plain[clock], by_plain[date])
        for date, clock in product(_DATES, _CLOCKS)
        if date in by_plain and clock in by_plain and _is_clock(raw[by_plain[clock]])
    ]
    # Absolute times first: beside them a column of local times says nothing new.
    named = _by_name(raw)
    others = [name for name in raw.columns if name not in named and "close" not in plain(name)]
    singles = [*sorted(named, key=lambda name: not _is_absolute(raw[name])), *others]
    return [*pairs, *((name, None) for name in singles if _may_be_time(raw[name]))]


def _by_name(raw: pl.DataFrame) -> list[str]:
    by_plain = {plain(name): name for name in reversed(raw.columns)}
    return [by_plain[name] for name in _NAMES if name in by_plain]


def _is_clock(column: pl.Series) -> bool:
    text = column.drop_nulls().cast(pl.String).str.strip_chars()
    return bool(text.str.contains(r"^\d{1,2}:?\d{2}(:?\d{2}(\.\d+)?)?( [AaPp][Mm])?$").all())


def _is_absolute(column: pl.Series) -> bool:
    if isinstance(column.dtype, pl.Datetime):
        return column.dtype.time_zone is not None
    head = column.drop_nulls().head(3).cast(pl.String)
    return bool(len(head)) and bool(
        head.str.contains(
            r"^\d{9,10}$|^\d{12,13}$|^\d{15,16}$|^\d{18,19}$|(Z|[+-]\d{2}:?\d{2}|UTC)$"
        ).all()
    )


def _may_be_time(column: pl.Series) -> bool:
    head = column.drop_nulls().head(50)
    return len(head) > 0 and how_written(head) is not None
