"""Times of a history, before it is known which bars they name."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import polars as pl

from barstack.bars.importing import how_written, parse_times
from barstack.core.arrays import Bools, Ints
from barstack.core.errors import DataError

_FIRST, _END = -2_208_988_800_000_000, 4_133_980_800_000_000  # the years 1900 to 2100


@dataclass(frozen=True, eq=False)
class Stamps:
    """Times as they are written.

    Attributes
    ----------
    at_us
        (n_rows,) microseconds since 1970: UTC where they carry a zone, else on their own clock.
    zoned
        Whether they carry a zone.
    dates
        Whether they are dates, or midnights throughout.
    """

    at_us: Ints
    zoned: bool
    dates: bool

    def take(self, rows: Ints | Bools) -> Stamps:
        """Those of some rows."""
        return Stamps(self.at_us[rows], self.zoned, self.dates)


def moments_of(column: pl.Series, where: str, span_us: tuple[int, int]) -> Stamps:
    """The times in a column, in whatever way they are written.

    Parameters
    ----------
    column
        Without nulls.
    span_us
        First opening and last close of the bars: where 05/01 may be May or January, the reading
        is taken that more of the bars' time holds.

    Raises
    ------
    DataError
        With the first value that is no time.

    >>> moments_of(pl.Series(["2026-01-05 14:30", "2026-01-05 15:00"]), "a file", (0, 1)).zoned
    False
    """
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    read = _read(column, where, span_us)
    if read.null_count():
        row = int(np.argmax(read.is_null().to_numpy()))
        raise DataError(
            f"{where}: {column[row]!r} in row {row} of {column.name!r} is not written as the other "
            f"times are; {read.null_count():,} such row(s) in all. Write all alike, such as "
            "2026-01-05T14:30:00Z."
        )
    dates = read.dtype == pl.Date
    if dates:
        read = read.cast(pl.Datetime("us"))
    zoned = getattr(read.dtype, "time_zone", None) is not None
    if zoned:
        read = read.dt.convert_time_zone("UTC")
    at_us = read.dt.cast_time_unit("us").to_physical().to_numpy().astype(np.int64)
    strange = (at_us < _FIRST) | (at_us >= _END)
    if strange.any():
        row = int(np.argmax(strange))
        raise DataError(
            f"{where}: {column[row]!r} in row {row} of {column.name!r} lies outside the years 1900 "
            f"to 2100; {int(strange.sum()):,} such row(s) in all. Mend or remove them."
        )
    return Stamps(at_us, zoned, dates or bool((at_us % 86_400_000_000 == 0).all()))


def _read(column: pl.Series, where: str, span_us: tuple[int, int]) -> pl.Series:
    if column.dtype.is_temporal() and column.dtype not in (pl.Time, pl.Duration):
        return column
    mixed = _with_offsets(column)
    if mixed is not None:
        return mixed
    written = how_written(column)
    if written is None:
        row = _odd(column)
        raise DataError(
            f"{where}: {column[row]!r} in row {row} of {column.name!r} is not a time in a form "
            "that is known, or not all are written alike. Write them as 2026-01-05T14:30:00Z, "
            "and with a zone either all or none."
        )
    readings = [
        column.cast(pl.String).str.to_datetime(time_unit="us", strict=False)
        if form is None
        else parse_times(column, form)
        for form in written.forms
    ]
    return max(readings, key=lambda each: _within(each, span_us))


def _with_offsets(column: pl.Series) -> pl.Series | None:
    """ISO text of which each value carries an offset, as pandas and freqtrade write it."""
    if column.dtype != pl.String:
        return None
    if not column.str.contains(r"^\d{4}-\d{2}-\d{2}[T ].*(Z|[+-]\d{2}:?\d{2})$").all():
        return None
    text = column.str.replace(r" ", "T").str.replace(r"Z$", "+00:00")
    text = text.str.replace(r"([+-]\d{2})(\d{2})$", "$1:$2")
    with suppress(pl.exceptions.PolarsError):
        return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False)
    return None


def _within(read: pl.Series, span_us: tuple[int, int]) -> int:
    at = read.cast(pl.Datetime("us")) if read.dtype == pl.Date else read
    values = at.dt.cast_time_unit("us").to_physical()
    return int(((values >= span_us[0]) & (values <= span_us[1])).sum() or 0)


def _odd(column: pl.Series) -> int:
    """The first row that cannot be read by itself, or the first one."""
    for row, value in enumerate(column.head(10_000)):
        if how_written(pl.Series([value])) is None:
            return row
    return 0
