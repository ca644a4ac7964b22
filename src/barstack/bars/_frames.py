"""Bars from tables: pandas or polars in, checked `Bars` out, or an error that says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from barstack.core.arrays import Ints
from barstack.core.errors import ConfigError, DataError, did_you_mean
from barstack.core.times import DAY_US, iso

from ._bars import BAR, Bars
from ._clocks import clock_of, ends_of, starts_of
from ._columns import as_polars, columns_of, first_row, read_columns, stamps_of, stored_table
from ._sessions import ALWAYS, Sessions, sessions
from ._validation import (
    check_length,
    check_order,
    check_prices,
    commonest_spacing,
    refuse_forming,
    refuse_live_row,
)

STAMPS = ("open", "close")
HOURS = ("regular", "extended")


def bars_from_frame(
    frame: Any,
    symbol: str,
    *,
    calendar: str = ALWAYS,
    hours: str = "regular",
    stamp: str = "open",
    timezone: str | None = None,
    length_us: int | None = None,
    day_zone: str | None = None,
    mostly_inside: bool = True,
    where: str = "frame",
) -> Bars:
    """Bars from a pandas or polars table.

    Parameters
    ----------
    frame
        Columns open, high, low, close, volume and a time column (timestamp, datetime, date, time
        or ts; for pandas also the index), in any case and order.
    calendar
        Exchange code such as XNYS, or 24/7: its sessions end the bars that reach past them.
    hours
        "regular" or "extended"; bars outside are dropped.
    stamp
        "open" or "close": which end of the bar the time column names.
    timezone
        Zone of times that carry none; without it such times are refused.
    length_us
        Length of a bar, microseconds; by default the commonest spacing.
    day_zone
        With 24/7, the zone on whose clock bars longer than an hour begin; by default the one that
        their times show, else UTC.
    mostly_inside
        Whether to refuse a table that lies mostly outside the sessions.
    where
        Name of the table in error messages.

    Raises
    ------
    DataError
        For anything that is not a clean series of bars; nothing is repaired.
    ConfigError
        For an unknown option.

    >>> import polars as pl
    >>> from datetime import datetime, timezone
    >>> stamps = [datetime(2026, 1, 5, h, tzinfo=timezone.utc) for h in (14, 15)]
    >>> frame = pl.DataFrame({"timestamp": stamps, "open": [1.0, 2.0], "high": [2.0, 2.0],
    ...                       "low": [1.0, 2.0], "close": [2.0, 2.0], "volume": [9.0, 9.0]})
    >>> bars_from_frame(frame, "TOY")
    Bars(TOY, 2 x 1h, 2026-01-05 14:00 UTC .. 2026-01-05 16:00 UTC)
    """
    for name, value, choices in (("stamp", stamp, STAMPS), ("hours", hours, HOURS)):
        if value not in choices:
            raise ConfigError(f"Unknown {name} {value!r}. {did_you_mean(value, choices)}")
    table, length_us, zone = _checked_table(
        frame, symbol, calendar, stamp, timezone, length_us, day_zone, where
    )
    return bars_from_table(
        table,
        symbol,
        length_us=length_us,
        calendar=calendar,
        hours=hours,
        day_zone=zone,
        mostly_inside=mostly_inside,
        where=where,
    )


def table_from_frame(
    frame: Any,
    symbol: str,
    *,
    calendar: str = ALWAYS,
    stamp: str = "open",
    timezone: str | None = None,
    length_us: int | None = None,
    day_zone: str | None = None,
    where: str = "frame",
) -> tuple[pl.DataFrame, int]:
    """A checked table in the stored form, and the length of its bars, microseconds.

    Parameters and errors as in `bars_from_frame`. The table has `timestamp` (datetime64[us, UTC],
    the start of the bar, rising, each once) and float64 open, high, low, close, volume.

    >>> from barstack.testing import sound_bars
    >>> from barstack.worlds import table_of
    >>> table, length_us = table_from_frame(table_of(sound_bars()), "A", calendar="XNYS")
    >>> table.columns, length_us // 60_000_000
    (['timestamp', 'open', 'high', 'low', 'close', 'volume'], 30)
    """
    return _checked_table(frame, symbol, calendar, stamp, timezone, length_us, day_zone, where)[:2]


def _checked_table(
    frame: Any,
    symbol: str,
    calendar: str,
    stamp: str,
    timezone: str | None,
    length_us: int | None,
    day_zone: str | None,
    where: str,
) -> tuple[pl.DataFrame, int, str | None]:
    """As `table_from_frame`, with the zone on whose clock long bars may begin."""
    if not len(frame := as_polars(frame, where)):
        raise DataError(f"{where} holds no bars. Give {symbol} a file with rows.")
    _, stamps, columns, zone = read_columns(frame, timezone, where)
    zone = day_zone or zone
    check_order(stamps, symbol, where)
    check_prices(stamps, columns, symbol, where)
    if length_us is None:
        length_us = commonest_spacing(stamps, symbol, where)
    clock = clock_of(stamps, length_us, zone)
    refuse_live_row(stamps, symbol, length_us, calendar, clock, where)
    if calendar != ALWAYS:
        clock = None
    if stamp == "close":
        # A day's end names its session, short or not; any other bar begins its length before.
        by_session = calendar != ALWAYS and length_us == DAY_US
        stamps = stamps - 1 if by_session else starts_of(stamps, length_us, clock)
    check_length(stamps, symbol, length_us, calendar, where, clock)
    refuse_forming(stamps, symbol, length_us, calendar, clock, where)
    return stored_table(stamps, columns), length_us, zone


def bars_from_table(
    table: pl.DataFrame,
    symbol: str,
    *,
    length_us: int,
    calendar: str = ALWAYS,
    hours: str = "regular",
    day_zone: str | None = None,
    mostly_inside: bool = True,
    where: str = "table",
) -> Bars:
    """Bars from a table in the stored form: assigned to sessions, with their closing times.

    Parameters and errors as in `bars_from_frame`.

    >>> from barstack.testing import sound_bars
    >>> from barstack.worlds import table_of
    >>> bars_from_table(table_of(sound_bars()), "A", length_us=1_800_000_000, calendar="XNYS")
    Bars(A, 400 x 30min, 2016-01-04 14:30 UTC .. 2016-02-17 19:30 UTC)
    """
    starts = stamps_of(table)
    found = _sessions_since(starts, calendar, hours)
    if len(found.day):
        _check_known(starts, found, symbol, calendar, where)
    day, opens, closes, inside = found.locate(starts, length_us)
    # The regular session of US shares is 6.5 of 16 hours; that of markets open day and night holds
    # less than a third of their bars, and days lie inside one session or in none.
    if mostly_inside and inside.mean() < (1 if length_us >= DAY_US else 1 / 3):
        raise DataError(
            f"{where}: {(~inside).sum():,} of {len(inside):,} bars of {symbol} lie outside the "
            f"{hours} sessions of calendar {calendar}, the first at {iso(starts[~inside][0])}. "
            f"Name the calendar the symbol trades on, set hours: extended, or use calendar: "
            f"{ALWAYS}."
        )
    starts, opens, closes = starts[inside], opens[inside], closes[inside]
    records = np.zeros(len(starts), BAR)
    for name, values in columns_of(table).items():
        records[name] = values[inside]
    records["session"], records["session_open"], records["session_close"] = (
        day[inside],
        opens,
        closes,
    )
    records["opened_at"] = starts
    if calendar != ALWAYS:
        records["opened_at"] = opens if length_us >= DAY_US else np.maximum(starts, opens)
    records["closed_at"] = _closed_at(starts, length_us, calendar, closes, day_zone)
    repeats = np.diff(records["closed_at"]) <= 0
    if repeats.any():
        raise DataError(
            f"{where}: the bar of {symbol} at {iso(starts[first_row(repeats) + 1])} lies in the "
            f"same session of {calendar} as the one before. Name the calendar the symbol trades "
            "on, or remove one of them."
        )
    return Bars(symbol, length_us, records, int((~inside).sum()), calendar, hours)


def _sessions_since(starts: Ints, calendar: str, hours: str) -> Sessions:
    return sessions(calendar, hours, since_us=int(starts[0]) if len(starts) else 0)


def _check_known(starts: Ints, found: Sessions, symbol: str, calendar: str, where: str) -> None:
    """`DataError` for bars before the first or after the last session that a calendar knows."""
    early, late = starts < found.open[0] - DAY_US, starts >= found.close[-1]
    if not (early | late).any():
        return
    row = first_row(early | late)
    first, last = (np.datetime64(int(found.day[place]), "D") for place in (0, -1))
    way = "Leave them out" if early.any() else "Look at their year"
    raise DataError(
        f"{where}: sessions of {calendar} are known from {first} to {last}, and the bar of "
        f"{symbol} in row {row} opens at {iso(starts[row])}; {int((early | late).sum()):,} such "
        f"bar(s) in all. {way}, or use calendar: {ALWAYS}."
    )


def closed_at(
    starts: Ints, length_us: int, calendar: str, hours: str, day_zone: str | None = None
) -> Ints:
    """(n_bars,) first moment at which bars that start then could be known, microseconds UTC.

    Bars outside all sessions, which `bars_from_table` leaves out, end with their own length.
    """
    _, _, closes, inside = _sessions_since(starts, calendar, hours).locate(starts, length_us)
    ends = _closed_at(starts, length_us, calendar, closes, day_zone)
    return np.where(inside, ends, starts + length_us)


def _closed_at(
    starts: Ints, length_us: int, calendar: str, session_close: Ints, day_zone: str | None
) -> Ints:
    # A bar is known at its close. Where the session ends inside a bar, that is the session's close,
    # half days included.
    if calendar == ALWAYS:
        return ends_of(starts, length_us, clock_of(starts, length_us, day_zone))
    return session_close if length_us >= DAY_US else np.minimum(starts + length_us, session_close)
