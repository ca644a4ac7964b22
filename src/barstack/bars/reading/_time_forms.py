"""How times are written: the forms that vendors use, and which of them a column is in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl

from .._columns import ISO_8601
from ._layout import EPOCHS
from ._named import parse_times

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
_COUNT = r"^\d{9,19}$"
EXAMPLES = ("%d.%m.%Y %H:%M", "epoch ms")  # for what nobody can guess


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
    if text.str.contains(_COUNT).all() and (epoch := _epoch(text)):
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


def likely_forms(column: pl.Series) -> list[str]:
    """Those in which the most values can be read, if more than half."""
    text = column.drop_nulls().cast(pl.String).str.strip_chars()
    samples = text.gather_every(max(1, len(text) // 5))
    forms = [form for form, pattern in _FORMS if any(map(pattern.match, samples))]
    counts = text.filter(text.str.contains(_COUNT))
    if len(counts) and (epoch := _epoch(counts)):
        forms.append(epoch)
    read = {form: int(parse_times(text, form).count()) for form in forms}
    most = max(read.values(), default=0)
    likely = [form for form in forms if read[form] == most and 2 * most > len(text)]
    return _without_fractions(likely)
