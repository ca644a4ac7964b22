"""Which column holds the time, and in which format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import polars as pl

from barstack.core.errors import DataError

from .._columns import ISO_8601, first_row
from ._guess_columns import plain
from ._layout import EPOCHS, Clue, Given, as_given
from ._tables import joined, own_column, parse_times

_DATE_FORMS = {
    "%Y-%m-%d": r"\d{4}-\d{1,2}-\d{1,2}",
    "%Y/%m/%d": r"\d{4}/\d{1,2}/\d{1,2}",
    "%Y.%m.%d": r"\d{4}\.\d{1,2}\.\d{1,2}",
    "%Y%m%d": r"(?:19|20)\d{6}",
    "%d %b %Y": r"\d{1,2} [A-Z][a-z]{2} \d{4}",
    "%d-%b-%Y": r"\d{1,2}-[A-Za-z]{3}-\d{4}",
    "%d-%b-%y": r"\d{1,2}-[A-Za-z]{3}-\d{2}",
    "%b %d, %Y": r"[A-Z][a-z]{2} \d{1,2}, \d{4}",
    "%B %d, %Y": r"[A-Z][a-z]{3,} \d{1,2}, \d{4}",
} | {
    form.replace("/", mark).replace("%Y", f"%{year}"): r"\d{1,2}M\d{1,2}M\d{W}".replace(
        "M", re.escape(mark)
    ).replace("W", "4" if year == "Y" else "2")
    for form, mark, year in product(("%d/%m/%Y", "%m/%d/%Y"), "/-.", "Yy")
}
_CLOCK_FORMS = {
    "%H:%M:%S%.f": r"\d{1,2}:\d{2}:\d{2}\.\d+",
    "%H:%M:%S": r"\d{1,2}:\d{2}:\d{2}",
    "%H:%M": r"\d{1,2}:\d{2}",
    "%H%M%S": r"\d{6}",
    "%H%M": r"\d{4}",
    "%I:%M:%S %p": r"\d{1,2}:\d{2}:\d{2} [AaPp][Mm]",
    "%I:%M %p": r"\d{1,2}:\d{2} [AaPp][Mm]",
    "%I-%p": r"\d{1,2}-[AaPp][Mm]",
}
_GAPS = {" ": " ", "T": "T", ", ": ", ", "": ""}
_ZONES = {"": "", "Z": "Z", "%z": r"[+-]\d{2}:?\d{2}", " %z": r" [+-]\d{2}:?\d{2}", " UTC": " UTC",
          " GMT": " GMT"}  # fmt: skip


@cache
def _all_forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Every form with its pattern; three thousand, which take half a second to compile."""
    return tuple(_each_form())


def _each_form() -> Iterator[tuple[str, re.Pattern[str]]]:
    for form, pattern in _DATE_FORMS.items():
        yield form, re.compile(f"^{pattern}$")
    for date, gap, clock, zone in product(
        _DATE_FORMS.items(), _GAPS.items(), _CLOCK_FORMS.items(), _ZONES.items()
    ):
        digits_only = date[0] == "%Y%m%d" and clock[0] in ("%H%M%S", "%H%M")
        if gap[0] or digits_only:
            form = date[0] + gap[0] + clock[0] + zone[0]
            yield form, re.compile(f"^{date[1]}{gap[1]}{clock[1]}{zone[1]}$")


_COUNT = r"^\d{9,19}$"
EXAMPLES = ("%d.%m.%Y %H:%M", "epoch ms")  # where none can be guessed


@dataclass(frozen=True)
class Written:
    """The format of a column of times.

    forms    those in which every value can be read; two where day and month are ambiguous
    because  the evidence
    """

    forms: tuple[str | None, ...]
    because: str


def how_written(column: pl.Series) -> Written | None:
    """In which forms all times of a column can be read; None when they are no times.

    >>> how_written(pl.Series(["05/01/2026", "06/01/2026"])).forms
    ('%d/%m/%Y', '%m/%d/%Y')
    >>> how_written(pl.Series(["05/01/2026", "13/01/2026"])).forms
    ('%d/%m/%Y',)
    >>> how_written(pl.Series([1767623400, 1767623700])).forms
    ('epoch s',)
    """
    values = column.drop_nulls()
    fractions = values.dtype.is_float() and not bool((values == values.round()).all())
    if not len(values) or fractions or values.dtype == pl.Time:
        return None
    if values.dtype.is_temporal():
        return Written((None,), "times")
    if values.dtype.is_numeric():
        values = values.cast(pl.Int64, strict=False).drop_nulls()
        if not len(values):  # none is finite
            return None
    text = values.cast(pl.String).str.strip_chars()
    if text.str.contains(_COUNT).all() and (epoch := _epoch(text)):
        return Written((epoch,), f"counts of {_UNITS[epoch]} since 1970, the first {text[0]}")
    if text.str.contains(ISO_8601).all() and text.dtype == column.dtype:
        return Written((None,), f"ISO 8601, such as {text[0]}")
    first = str(text[0])
    forms = [form for form, pattern in _all_forms() if pattern.match(first)]
    forms = [form for form in forms if not parse_times(text, form).has_nulls()]
    forms = _without_fractions(forms)
    return Written(tuple(forms), _evidence(text, forms)) if forms else None


_UNITS = {"epoch s": "seconds", "epoch ms": "milliseconds", "epoch us": "microseconds",
          "epoch ns": "nanoseconds"}  # fmt: skip


def _epoch(text: pl.Series) -> str | None:
    """The unit in which all counts lie between 1990 and 2100, or None."""
    counts = text.cast(pl.Int64, strict=False).to_numpy()
    for unit, per_second in zip(EPOCHS, (1, 10**3, 10**6, 10**9), strict=True):
        seconds = counts / per_second
        if np.all((seconds > 631_152_000) & (seconds < 4_102_444_800)):
            return unit
    return None


def _without_fractions(forms: list[str]) -> list[str]:
    plainer = [form for form in forms if "%.f" not in form]
    return plainer or forms


def _evidence(text: pl.Series, forms: list[str]) -> str:
    if len(forms) > 1:
        return f"such as {text[0]}, where nobody can tell the day from the month"
    first, second = ("day", "month") if forms[0].startswith("%d") else ("month", "day")
    place = 1 if first == "day" else 2
    if re.match(r"%[dm][/.-]%[dm]", forms[0]):
        parts = text.str.extract(r"^(\d+)\D(\d+)", place).cast(pl.Int64)
        shown = text[int(parts.arg_max() or 0)]
        return f"{first} before {second}: {shown} can be read no other way"
    return f"such as {text[0]}"


def likely_forms(column: pl.Series) -> list[str]:
    """Formats in which the most values can be read, if more than half."""
    text = column.drop_nulls().cast(pl.String).str.strip_chars()
    samples = text.gather_every(max(1, len(text) // 5))
    forms = [form for form, pattern in _all_forms() if any(map(pattern.match, samples))]
    counts = text.filter(text.str.contains(_COUNT))
    if len(counts) and (epoch := _epoch(counts)):
        forms.append(epoch)
    read = {form: int(parse_times(text, form).count()) for form in forms}
    most = max(read.values(), default=0)
    likely = [form for form in forms if read[form] == most and 2 * most > len(text)]
    return _without_fractions(likely)


_Pick = tuple[str, str | None]  # the column of times, and the one of dates beside it

# The surest first: a column that names an end of the bar precedes one that does not.
_TIME_NAMES = (
    "open time", "opentime", "time period start", "start time", "timestamp", "datetime",
    "date time", "time utc", "date utc", "timestamp utc", "datetime utc", "date gmt", "time gmt",
    "gmt time", "local time", "unix timestamp", "unix time", "unix", "epoch", "date", "time", "ts",
    "t", "day", "dt", "dtyyyymmdd", "index", "index level 0", "unnamed 0", "", "close time",
    "time period end", "end time",
)  # fmt: skip
_DATES = ("date", "day", "dtyyyymmdd", "tradedate", "trade date")
_CLOCKS = ("time", "clock", "timeofday", "time of day", "hour")


def guess_time(raw: pl.DataFrame, given: Given, where: str) -> list[Clue]:
    """The time column, or those of date and time of day, and their format.

    Raises `DataError` where a column is not there, or is not in the given format.
    """
    columns = given.get("columns", {})
    picked = [(columns["time"], columns.get("date"))] if "time" in columns else _candidates(raw)
    if "time_format" in given:
        return _in_given_format(raw, columns, picked, given["time_format"], where)
    for own, date in picked:
        if written := how_written(_column(raw, own, date, where)):
            return [*_place(raw, columns, own, date, picked), _form(written, given.get("dayfirst"))]
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
    """The clue of the column, or of the two columns."""
    if "time" in columns:
        return [
            as_given(f"columns.{role}", columns[role])
            for role in ("time", "date")[: 1 + bool(date)]
        ]
    rivals = [name for name, _ in picked if name != own and _may_be_time(raw[name])]
    aside = f", before {rivals[0]!r}" if rivals else ""
    because = f"Columns {date!r} and {own!r} together." if date else f"Column {own!r}{aside}."
    sure = plain(own) in _TIME_NAMES or date is not None
    time = Clue("columns.time", own, because, "sure" if sure else "likely")
    return [Clue("columns.date", date, because, "sure"), time] if date else [time]


def _nowhere(raw: pl.DataFrame, form: str) -> Clue:
    because = f"No column holds times {form}."
    return Clue("columns.time", None, because, "unsure", tuple(raw.columns[:8]))


def _in_given_format(
    raw: pl.DataFrame, columns: Given, picked: list[_Pick], form: str, where: str
) -> list[Clue]:
    """The first column of which most values can be read in the given format."""
    if "time" not in columns and form not in EPOCHS:  # any number may be a count
        named = _by_name(raw)
        others = [name for name in raw.columns if name not in named]
        picked = [*picked, *((name, None) for name in (*named, *others))]
    if not picked:
        return [_nowhere(raw, f"written {form}")]
    for own, date in picked:
        column = _column(raw, own, date, where)
        if 2 * parse_times(column, form).null_count() < len(column):
            return [*_place(raw, columns, own, date, picked), as_given("time_format", form)]
    column = _column(raw, *picked[0], where)
    row = first_row(parse_times(column, form).is_null())
    way = next(each for each in (*likely_forms(column), *EXAMPLES) if each != form)
    raise DataError(
        f"{where}: cannot read {column[row]!r} in row {row} of {column.name!r} as a time written "
        f"{form}, nor most others. Say how times are written with --time-format, such as {way!r}."
    )


def _unread(column: pl.Series) -> Clue:
    """The clue that the format must be given, with the first value that shows why."""
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
        return as_given("time_format", wanted[0])
    if len(forms) > 1:
        because = f"Written {written.because}: {forms[0]} or {forms[1]}."
        return Clue("dayfirst", None, because, "unsure", ("--dayfirst", "--monthfirst"))
    because = written.because[:1].upper() + written.because[1:] + "."
    return Clue("time_format", forms[0], because, "sure")


def _candidates(raw: pl.DataFrame) -> list[_Pick]:
    """Columns that may hold the time, each alone or with one of dates, the best first."""
    by_plain = {plain(name): name for name in reversed(raw.columns)}
    pairs: list[_Pick] = [
        (by_plain[clock], by_plain[date])
        for date, clock in product(_DATES, _CLOCKS)
        if date in by_plain and clock in by_plain and _is_clock(raw[by_plain[clock]])
    ]
    # Absolute times first: a column of local times beside them adds nothing.
    named = _by_name(raw)
    others = [name for name in raw.columns if name not in named and "close" not in plain(name)]
    singles = [*sorted(named, key=lambda name: not _is_absolute(raw[name])), *others]
    return [*pairs, *((name, None) for name in singles if _may_be_time(raw[name]))]


def _by_name(raw: pl.DataFrame) -> list[str]:
    by_plain = {plain(name): name for name in reversed(raw.columns)}
    return [by_plain[name] for name in _TIME_NAMES if name in by_plain]


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
