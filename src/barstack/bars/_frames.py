"""The door for tables of bars: pandas or polars in, checked `Bars` out, or a sentence why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from barstack.core.arrays import Floats, Ints
from barstack.core.errors import ConfigError, DataError, did_you_mean
from barstack.core.times import DAY_US, iso

from ._bars import BAR, Bars
from ._clocks import clock_of, ends_of, starts_of
from ._columns import TIME_NAMES, as_polars, match_columns, numbers, utc_microseconds
from ._sessions import ALWAYS, Sessions, sessions
from ._validation import (
    COLUMNS,
    check_length,
    check_order,
    check_prices,
    commonest_spacing,
    first_row,
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

    frame      columns open, high, low, close, volume and a time column (timestamp, datetime,
               date, time or ts; for pandas also the index), in any case and order
    calendar   exchange code such as XNYS, or 24/7: its sessions end the bars that reach past them
    hours      "regular" or "extended"; bars outside are dropped
    stamp      "open" or "close": which end of the bar the time column names
    timezone   zone of times that carry none; without it such times are refused
    length_us  length of a bar; by default the commonest spacing
    day_zone   with 24/7, the zone on whose clock bars longer than an hour begin; by default the
               one that their times show, else UTC
    mostly_inside  whether to refuse a table that lies mostly outside the sessions
    where      what error messages call the table

    Raises `DataError` for anything that is not a clean series of bars, `ConfigError` for an
    unknown option. Nothing is repaired.

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
    given = as_polars(frame, where)
    table, length_us = table_from_frame(
        given,
        symbol,
        calendar=calendar,
        stamp=stamp,
        timezone=timezone,
        length_us=length_us,
        day_zone=day_zone,
        where=where,
    )
    return bars_from_table(
        table,
        symbol,
        length_us=length_us,
        calendar=calendar,
        hours=hours,
        day_zone=day_zone or _written_zone(given, timezone),
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
    """A checked table in the one form that is stored, and how long its bars are.

    Arguments and errors as in `bars_from_frame`. The table has `timestamp` (datetime64[us, UTC],
    the start of the bar, rising, each once) and float64 open, high, low, close, volume.
    """
    given = as_polars(frame, where)
    if not len(given):
        raise DataError(f"{where} holds no bars. Give {symbol} a file with rows.")
    named = match_columns(given, where)
    stamps = utc_microseconds(given[named["time"]], timezone, where)
    columns = {name: numbers(given[named[name]], where) for name in COLUMNS}
    check_order(stamps, symbol, where)
    check_prices(stamps, columns, symbol, where)
    if length_us is None:
        length_us = commonest_spacing(stamps, symbol, where)
    # A day's end names its session, short or not; any other bar begins its length before.
    by_session = calendar != ALWAYS and length_us == DAY_US
    clock = clock_of(stamps, length_us, day_zone or _written_zone(given, timezone))
    refuse_live_row(stamps, symbol, length_us, calendar, clock, where)
    if calendar != ALWAYS:
        clock = None
    if stamp == "close":
        stamps = stamps - 1 if by_session else starts_of(stamps, length_us, clock)
    check_length(stamps, symbol, length_us, calendar, where, clock)
    refuse_forming(stamps, symbol, length_us, calendar, clock, where)
    start = pl.Series("timestamp", stamps).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame([start, *(pl.Series(name, columns[name]) for name in COLUMNS)]), length_us


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
    """Bars from a table in the form that `table_from_frame` gives: sessions found, times closed."""
    opened_at = table["timestamp"].to_physical().to_numpy()
    columns = {name: table[name].to_numpy() for name in COLUMNS}
    return _with_sessions(
        opened_at, columns, symbol, length_us, calendar, hours, day_zone, mostly_inside, where
    )


def _with_sessions(
    opened_at: Ints,
    columns: dict[str, Floats],
    symbol: str,
    length_us: int,
    calendar: str,
    hours: str,
    day_zone: str | None,
    mostly_inside: bool,
    where: str,
) -> Bars:
    found = sessions(calendar, hours, since_us=int(opened_at[0]) if len(opened_at) else 0)
    day, opens, closes, inside = found.locate(opened_at, length_us)
    keep = inside == 1
    if len(found.day):
        _check_known(opened_at, found, symbol, calendar, where)
    # US shares trade 6.5 of 16 hours in the regular session; markets open day and night have less
    # than a third of their bars in it, and days lie inside one session or in none.
    if mostly_inside and keep.mean() < (1 if length_us >= DAY_US else 1 / 3):
        first = iso(np.datetime64(int(opened_at[~keep][0]), "us"))
        raise DataError(
            f"{where}: {(~keep).sum():,} of {len(keep):,} bars of {symbol} lie outside the "
            f"{hours} sessions of calendar {calendar}, the first at {first}. Name the calendar "
            f"the symbol trades on, set hours: extended, or use calendar: {ALWAYS}."
        )
    records = np.zeros(int(keep.sum()), BAR)
    for name in COLUMNS:
        records[name] = columns[name][keep]
    records["session"], records["session_open"], records["session_close"] = (
        day[keep],
        opens[keep],
        closes[keep],
    )
    starts = opened_at[keep]
    if calendar == ALWAYS:
        records["opened_at"] = starts
    else:
        records["opened_at"] = (
            opens[keep] if length_us >= DAY_US else np.maximum(starts, opens[keep])
        )
    records["closed_at"] = _closed_at(starts, length_us, calendar, closes[keep], day_zone)
    repeats = np.diff(records["closed_at"]) <= 0
    if repeats.any():
        at = iso(np.datetime64(int(opened_at[keep][first_row(repeats) + 1]), "us"))
        raise DataError(
            f"{where}: the bar of {symbol} at {at} lies in the same session of {calendar} as the "
            "one before. Name the calendar the symbol trades on, or remove one of them."
        )
    return Bars(symbol, length_us, records, int((~keep).sum()), calendar, hours)


def _check_known(opened_at: Ints, found: Sessions, symbol: str, calendar: str, where: str) -> None:
    """`DataError` for bars before the first or after the last session that a calendar knows."""
    early, late = opened_at < found.open[0] - DAY_US, opened_at >= found.close[-1]
    if not (early | late).any():
        return
    row = first_row(early | late)
    first, last = (np.datetime64(int(found.day[place]), "D") for place in (0, -1))
    way = "Leave them out" if early.any() else "Look at their year"
    raise DataError(
        f"{where}: sessions of {calendar} are known from {first} to {last}, and the bar of "
        f"{symbol} in row {row} opens at {iso(np.datetime64(int(opened_at[row]), 'us'))}; "
        f"{int((early | late).sum()):,} such bar(s) in all. {way}, or use calendar: {ALWAYS}."
    )


def _written_zone(given: pl.DataFrame, timezone: str | None) -> str | None:
    """The zone on whose clock the times of a table are written, where it says so."""
    zones = [
        getattr(dtype, "time_zone", None)
        for name, dtype in given.schema.items()
        if name.lower() in TIME_NAMES
    ]
    return next(filter(None, zones), timezone)


def closed_at(
    opened_at: Ints,
    length_us: int,
    calendar: str,
    hours: str,
    day_zone: str | None = None,
) -> Ints:
    """(n_bars,) first moment at which bars that start at `opened_at` could be known, in UTC.

    Those outside all sessions, which `bars_from_table` leaves out, end with their own length.
    """
    found = sessions(calendar, hours, since_us=int(opened_at[0]) if len(opened_at) else 0)
    _, _, closes, inside = found.locate(opened_at, length_us)
    ends = _closed_at(opened_at, length_us, calendar, closes, day_zone)
    return np.where(inside, ends, opened_at + length_us)


def _closed_at(
    opened_at: Ints,
    length_us: int,
    calendar: str,
    session_close: Ints,
    day_zone: str | None,
) -> Ints:
    # Exchanges stamp a bar with its open. We keep the close: the first moment anyone could know
    # it. Where the session ends inside a bar, that is the session's close, half days included.
    if calendar == ALWAYS:
        return ends_of(opened_at, length_us, clock_of(opened_at, length_us, day_zone))
    return (
        session_close if length_us >= DAY_US else np.minimum(opened_at + length_us, session_close)
    )
