"""Which column tells the time, and how it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl

from .._columns import ISO_8601
from ._finding import Finding, Given, given
from ._guess_columns import plain
from ._layout import EPOCHS
from ._named import joined, parse_times

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


def _all_forms() -> Iterator[tuple[str, re.Pattern[str]]]:
    for form, pattern in _DATE_FORMS.items():
        yield form, re.compile(f"^{pattern}$")
    for date, gap, clock, zone in product(
        _DATE_FORMS.items(), _GAPS.items(), _CLOCK_FORMS.items(), _ZONES.items()
    ):
        digits_only = date[0] == "%Y%m%d" and clock[0] in ("%H%M%S", "%H%M")
        if gap[0] or digits_only:
            form = date[0] + gap[0] + clock[0] + zone[0]
            yield form, re.compile(f"^{date[1]}{gap[1]}{clock[1]}{zone[1]}$")


_FORMS = tuple(_all_forms())


@dataclass(frozen=True)
class Written:
    """How a column of times is written.

    forms    those in which every value can be read; two where day and month cannot be told
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
    text = values.cast(pl.String).str.strip_chars()
    if text.str.contains(r"^\d{9,19}$").all() and (epoch := _epoch(text)):
        return Written((epoch,), f"counts of {_UNITS[epoch]} since 1970, the first {text[0]}")
    if text.str.contains(ISO_8601).all() and text.dtype == column.dtype:
        return Written((None,), f"ISO 8601, such as {text[0]}")
    first = str(text[0])
    forms = [form for form, pattern in _FORMS if pattern.match(first)]
    forms = [form for form in forms if not parse_times(text, form).has_nulls()]
    forms = _without_fractions(forms)
    return Written(tuple(forms), _evidence(text, forms)) if forms else None


_UNITS = {"epoch s": "seconds", "epoch ms": "milliseconds", "epoch us": "microseconds",
          "epoch ns": "nanoseconds"}  # fmt: skip


def _epoch(text: pl.Series) -> str | None:
    """The unit in which all counts lie between 1990 and 2100."""
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


def guess_time(raw: pl.DataFrame, said: Given, dayfirst: bool | None) -> list[Finding]:
    """The time column, or those of date and time of day, and how they are written."""
    if "time" in said:
        picked = [(said["time"], said.get("date"), "given")]
    else:
        picked = [(*pick, "sure") for pick in _candidates(raw)]
    for own, date, certainty in picked:
        column = joined(raw[date], raw[own]) if date else raw[own]
        written = how_written(column)
        if written is None:
            continue
        if certainty == "given":
            found = [given("columns.time", own)]
            found += [given("columns.date", date)] if date else []
        else:
            rivals = [name for name, _, _ in picked if name != own and _same_time(raw, name)]
            aside = f", before {rivals[0]!r}" if rivals else ""
            because = f"Column {own!r}{aside}."
            found = []
            if date:
                because = f"Columns {date!r} and {own!r} together."
                found = [Finding("columns.date", date, because, "sure")]
            sure = plain(own) in _NAMES or date is not None
            found.append(Finding("columns.time", own, because, "sure" if sure else "likely"))
        return [*found, _form(written, dayfirst)]
    return [
        Finding("columns.time", None, "No column holds times.", "unsure", tuple(raw.columns[:8]))
    ]


def _form(written: Written, dayfirst: bool | None) -> Finding:
    forms = written.forms
    if dayfirst is not None and len(forms) > 1:
        wanted = [form for form in forms if form and form.startswith("%d") == dayfirst]
        return given("time_format", wanted[0])
    if len(forms) > 1:
        because = f"Written {written.because}: {forms[0]} or {forms[1]}."
        return Finding("dayfirst", None, because, "unsure", ("--dayfirst", "--monthfirst"))
    because = written.because[:1].upper() + written.because[1:] + "."
    return Finding("time_format", forms[0], because, "sure")


def _candidates(raw: pl.DataFrame) -> list[tuple[str, str | None]]:
    """Columns that may tell the time, each alone or with one of dates, the best first."""
    by_plain = {plain(name): name for name in reversed(raw.columns)}
    pairs: list[tuple[str, str | None]] = [
        (by_plain[clock], by_plain[date])
        for date, clock in product(_DATES, _CLOCKS)
        if date in by_plain and clock in by_plain and _is_clock(raw[by_plain[clock]])
    ]
    # Absolute times first: beside them a column of local times says nothing new.
    named = [by_plain[name] for name in _NAMES if name in by_plain]
    others = [name for name in raw.columns if name not in named and "close" not in plain(name)]
    singles = [*sorted(named, key=lambda name: not _is_absolute(raw[name])), *others]
    return [*pairs, *((name, None) for name in singles if _may_be_time(raw[name]))]


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


def _same_time(raw: pl.DataFrame, name: str) -> bool:
    return _may_be_time(raw[name])
