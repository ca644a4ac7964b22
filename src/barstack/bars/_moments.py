"""Moments at which rows were known. A calendar date is none, however it is written."""

from __future__ import annotations

from datetime import time

import numpy as np
import polars as pl

from barstack.core.arrays import Ints
from barstack.core.errors import DataError
from barstack.core.times import parse_duration

from ._checks import first_row
from ._columns import parse_text, utc_microseconds

AT_ONCE = "0s"  # no duration elsewhere, as it says nothing there
_BARE_DATE = r"^\s*\d{4}-\d{2}-\d{2}\s*$"
_WRITTEN_MIDNIGHT = r"[T ]00:00(:00(\.0+)?)?\s*(Z|[+-]\d{2}:?\d{2})\s*$"
# Where dates are often taken for midnights, and the change of clocks then shows it.
_ZONES = ("America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin")


def read_moments(
    column: pl.Series, known_after: str | None, timezone: str | None, where: str
) -> Ints:
    """(n_rows,) microseconds UTC at which each row was known.

    known_after  how much later than the column says: from a date on the clock of `timezone`,
                 from a moment as time passes
    timezone     of dates and moments that carry none

    Raises `DataError` for dates without `known_after`, as text, as dates or as midnights, and
    for times without a zone.
    """
    if not len(column):
        return np.empty(0, np.int64)
    named_dates = False
    if column.dtype == pl.String and not column.null_count():
        named_dates = len(column) > 1 and bool(column.str.contains(_WRITTEN_MIDNIGHT).all())
        column = _from_text(column, where)
    named_dates = named_dates or column.dtype == pl.Date
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if not isinstance(column.dtype, pl.Datetime) or column.null_count():
        return utc_microseconds(column, timezone, where)  # which says what is wrong
    if known_after is None and (named_dates or _are_dates(column, timezone)):
        raise DataError(
            f"{where}: {column.name!r} holds calendar dates such as {column[0]:%Y-%m-%d}, and a "
            "date does not say when on that day, or after it, a row could be known. Give moments "
            "such as 2026-01-05T21:30Z, or say how long after each date's midnight it was known "
            f"with known_after: 16h and timezone: America/New_York ({AT_ONCE}: at midnight)."
        )
    if column.dtype.time_zone is None and timezone is None:
        raise DataError(
            f"{where}: times in {column.name!r} carry no timezone, for instance {column[0]}. Say "
            "which with timezone: America/New_York (or UTC)."
        )
    later_us = 0 if known_after in (None, AT_ONCE) else parse_duration(str(known_after))
    # From a date it counts on the clock: 16h is four o'clock also on the day the clocks change.
    # Row by row, so that a live row means what it means in history.
    on_the_clock = _at_midnight(column).to_numpy() * later_us
    moved = column + pl.Series(on_the_clock).cast(pl.Duration("us"))
    return np.asarray(utc_microseconds(moved, timezone, where) + (later_us - on_the_clock))


def _from_text(column: pl.Series, where: str) -> pl.Series:
    bare = column.str.contains(_BARE_DATE)
    if bare.any() and not bare.all():
        row = first_row(bare)
        raise DataError(
            f"{where}: row {row} of {column.name!r} is a date, {column[row]!r}, among moments. "
            "Say at what time it was known."
        )
    moments = parse_text(column, where)
    return moments.cast(pl.Date) if bare.all() else moments


def _at_midnight(column: pl.Series) -> pl.Series:
    return column.dt.time() == time()


def _are_dates(column: pl.Series, timezone: str | None) -> bool:
    """Whether all lie at midnight; that of a single row with a zone may be chance.

    In UTC, midnights of another zone are told by the change of clocks: no moments of a day are
    an hour earlier all summer by chance.
    """
    assert isinstance(column.dtype, pl.Datetime)
    zoned = column.dtype.time_zone is not None
    if len(column) == 1 and (zoned or timezone is not None):
        return False
    if bool(_at_midnight(column).all()):
        return True
    return zoned and any(_midnights_of(zone, column) for zone in _ZONES)


def _midnights_of(zone: str, column: pl.Series) -> bool:
    local = column.dt.convert_time_zone(zone)
    return bool(_at_midnight(local).all()) and local.dt.dst_offset().n_unique() > 1
