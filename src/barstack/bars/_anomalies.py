"""Missing bars and off-market prices: what no label may hold through."""

from __future__ import annotations

import numpy as np
import polars as pl

from barstack.core.arrays import Array, Bools, Ints
from barstack.core.times import DAY_US

from ._clocks import on_clock
from ._sessions import ALWAYS, sessions

_ONCE_IN = 1000  # bars: gaps rarer than once in so many are unusual
_HOUR_US = DAY_US // 24
_WEEK = 7 * 24  # hours
# Of an unknown calendar: nights, weekends and holidays are shorter than this.
_SURELY_DUE_US = 5 * DAY_US
LEAST_PRINT = float(np.log(1.2))  # beyond the closes on either side
_RANGES = 10.0  # times the usual range of a bar
_BEFORE, _FEWEST = 50, 5  # bars before that show the usual range


def missing_before(records: Array, length_us: int, calendar: str, hours: str) -> Ints:
    """(n_bars,) how many bars are missing between each bar and the one before it.

    Nothing is missing where the calendar has no session, nor at hours of the week at which the
    bars themselves had none in at least half of the weeks before: nights and weekends of files
    without a calendar, the daily break of futures. An hour beside such an hour is excused too, as
    clocks change. In the first week no such pattern is known, and nothing is excused. All of it
    follows from the calendar and earlier bars, so that labels stay as they are when bars are added.
    """
    missing = np.zeros(len(records), np.int64)
    opened_at, closed_at = (records[name].astype(np.int64) for name in ("opened_at", "closed_at"))
    covered = np.maximum(closed_at[:-1], opened_at[:-1] + length_us)
    rows = np.flatnonzero(opened_at[1:] > covered) + 1
    if not len(rows):
        return missing
    times, due = _due(records, calendar, hours)
    lost = np.interp(opened_at[rows], times, due) - np.interp(covered[rows - 1], times, due)
    # A day's bar lasts as long as its session: of those so far the longest, as half days are short.
    longest = np.maximum.accumulate(closed_at - opened_at)
    unit = longest[rows - 1] if length_us >= DAY_US else length_us
    missing[rows] = np.floor(lost / unit + 0.5)
    if not calendar:
        gaps_us = opened_at[rows] - covered[rows - 1]
        long = gaps_us > _SURELY_DUE_US + (length_us if length_us > DAY_US else 0)
        missing[rows[long]] = np.maximum(missing[rows[long]], gaps_us[long] // length_us)
    return missing


def holes_before(missing: Ints, most: int) -> Bools:
    """(n_bars,) whether a hole lies before each bar.

    missing  (n_bars,) bars missing before each
    most     bars of a holding; a longer gap is a hole in any case

    A gap of up to `most` bars is no hole where gaps at least as long have occurred before, once in
    every 1,000 bars: such bars are left out where nothing traded.
    """
    holes = missing > 0
    rows = np.flatnonzero(missing)
    lengths = missing[rows]
    for length in np.unique(lengths[lengths <= most]):
        rows, lengths = rows[lengths >= length], lengths[lengths >= length]
        before: Ints = np.arange(len(rows))  # gaps at least as long
        usual = (lengths == length) & (before >= 1 + rows // _ONCE_IN)
        holes[rows[usual]] = False
    return np.asarray(holes)


def _due(records: Array, calendar: str, hours: str) -> tuple[Ints, Ints]:
    """(times, microseconds up to each of them in which bars are due); linear between."""
    opened_at, closed_at = (records[name].astype(np.int64) for name in ("opened_at", "closed_at"))
    first, last = int(opened_at[0] // _HOUR_US), int(-(-closed_at[-1] // _HOUR_US))
    opens, closes = _sessions_of(records, calendar, hours, first * _HOUR_US, last * _HOUR_US)
    grid = np.arange(first, last + 1) * _HOUR_US
    times = np.unique(np.concatenate([grid, opens, closes]))
    begins = times[:-1]
    row = np.minimum(np.searchsorted(closes, begins, side="right"), len(closes) - 1)
    inside = (opens[row] <= begins) & (begins < closes[row])
    # With the hour after the last, which excuses the one beside it whether or not more bars come.
    zone = sessions(calendar, hours).zone if calendar else "UTC"
    free = _free_hours(opened_at, closed_at, first, last + 1, zone)
    inside &= ~free[begins // _HOUR_US - first]
    return times, np.concatenate([[0], np.cumsum(np.where(inside, np.diff(times), 0))])


def _sessions_of(
    records: Array, calendar: str, hours: str, begin: int, end: int
) -> tuple[Ints, Ints]:
    """(opens, closes) of the sessions between two moments; without a calendar, the bars' own."""
    if calendar == ALWAYS:
        return np.array([begin]), np.array([end])
    if calendar:
        found = sessions(calendar, hours)
        opens, closes = found.open, found.close
    else:
        named = np.unique(records[["session_open", "session_close"]])
        opens, closes = (np.ascontiguousarray(named[name]) for name in named.dtype.names or ())
        closes = np.minimum(closes, np.append(opens[1:], closes[-1:]))
    within = (closes > begin) & (opens < end)
    if not within.any():
        return np.array([begin]), np.array([begin])
    return np.maximum(opens[within], begin), np.minimum(closes[within], end)


def _free_hours(opened_at: Ints, closed_at: Ints, first: int, last: int, zone: str) -> Bools:
    """(last - first,) hours in which, by the weeks before, no bar is expected."""
    hours = np.arange(first, last)
    begins, ends = opened_at // _HOUR_US - first, (closed_at - 1) // _HOUR_US - first + 1
    open_ = np.bincount(begins, minlength=len(hours) + 1) - np.bincount(
        ends, minlength=len(hours) + 1
    )
    local = hours if zone == "UTC" else on_clock(hours * _HOUR_US, zone) // _HOUR_US
    begin = local[0] // _WEEK * _WEEK
    n_weeks = -(-(local.max() + 1 - begin) // _WEEK)
    filled, seen = np.zeros((2, n_weeks * _WEEK), bool)
    filled[local[np.cumsum(open_)[:-1] > 0] - begin] = True
    seen[local[0] - begin :] = True
    filled, seen = filled.reshape(n_weeks, _WEEK), seen.reshape(n_weeks, _WEEK)
    seen &= filled.any(axis=1, keepdims=True)
    times_filled, times_seen = (
        np.cumsum(each, axis=0, dtype=np.int64) - each for each in (filled & seen, seen)
    )
    free = ((times_seen > 0) & (2 * times_filled <= times_seen)).ravel()[local - begin]
    if zone != "UTC":
        return np.asarray(free)
    beside = free.copy()
    beside[1:] |= free[:-1]
    beside[:-1] |= free[1:]
    return np.asarray(beside)


def far_prints(records: Array) -> Bools:
    """(n_bars,) bars whose open, high or low lies far beyond both their close and the one before.

    Beyond by a sixth of the price and ten times the median range of the fifty bars before: it
    follows from the bar and those before it, as all that labels depend on.
    """
    logs = {name: np.log(records[name]) for name in ("open", "high", "low", "close")}
    before = np.concatenate([logs["close"][:1], logs["close"][:-1]])
    top, bottom = np.maximum(before, logs["close"]), np.minimum(before, logs["close"])
    beyond = np.maximum(logs["high"] - top, bottom - logs["low"])
    # One expression: each call of a series by itself costs as much as the median.
    median = pl.col("range").rolling_median(_BEFORE, min_samples=_FEWEST)
    ranges = pl.DataFrame({"range": logs["high"] - logs["low"]})
    usual = ranges.select(median.shift(1).fill_null(np.inf))["range"].to_numpy()
    limit = np.maximum(LEAST_PRINT, _RANGES * usual)
    return np.asarray(beyond > limit)
