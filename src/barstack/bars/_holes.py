"""Holes: bars that are missing where neither the calendar nor the bars' own habit explains it.

Whatever is said of the time before a bar follows from the calendar and from bars up to that one,
so that labels known by a moment stay as they are when more bars come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from barstack.core.arrays import Bools, Ints
from barstack.core.times import DAY_US

from ._sessions import ALWAYS, sessions

if TYPE_CHECKING:
    from ._bars import Bars


_ONCE_IN = 1000  # bars: what has come before less often than this is not usual
_HOUR_US = DAY_US // 24
_WEEK = 7 * 24  # hours
# Nobody said which calendar these bars have: nights, weekends and holidays are shorter than this.
_SURELY_DUE_US = 5 * DAY_US


def missing_before(bars: Bars) -> Ints:
    """(n_bars,) how many bars are missing between each bar and the one before it.

    Nothing is missing where the calendar has no session, nor at hours of the week at which the
    bars themselves had none in at least half of the weeks before: nights and weekends of files
    without a calendar, the daily break of futures. An hour beside such an hour is excused too, as
    clocks change. In the first week nothing is known of such habits, and so nothing is excused.
    """
    missing = np.zeros(len(bars), np.int64)
    opened_at, closed_at = (
        bars.records[name].astype(np.int64) for name in ("opened_at", "closed_at")
    )
    covered = np.maximum(closed_at[:-1], opened_at[:-1] + bars.length_us)
    rows = np.flatnonzero(opened_at[1:] > covered) + 1
    if not len(rows):
        return missing
    times, due = _due(bars, opened_at, closed_at)
    lost = np.interp(opened_at[rows], times, due) - np.interp(covered[rows - 1], times, due)
    # A day's bar lasts as long as its session: of those so far the longest, as half days are short.
    longest = np.maximum.accumulate(closed_at - opened_at)
    unit = longest[rows - 1] if bars.length_us >= DAY_US else bars.length_us
    missing[rows] = np.floor(lost / unit + 0.5)
    if not bars.calendar:
        apart = opened_at[rows] - covered[rows - 1]
        long = apart > _SURELY_DUE_US + (bars.length_us if bars.length_us > DAY_US else 0)
        missing[rows[long]] = np.maximum(missing[rows[long]], apart[long] // bars.length_us)
    return missing


def holes_before(missing: Ints, most: int) -> Bools:
    """(n_bars,) whether a hole lies before each bar.

    missing  (n_bars,) bars missing before each
    most     bars of a holding; a longer stretch is a hole in any case

    A stretch of up to `most` bars is none where stretches at least as long have come before, once
    in every 1,000 bars: such bars are left out where nothing traded.
    """
    holes = missing > 0
    rows = np.flatnonzero(missing)
    lengths = missing[rows]
    for length in np.unique(lengths[lengths <= most]):
        rows, lengths = rows[lengths >= length], lengths[lengths >= length]
        before: Ints = np.arange(len(rows))  # stretches at least as long
        usual = (lengths == length) & (before >= 1 + rows // _ONCE_IN)
        holes[rows[usual]] = False
    return np.asarray(holes)


def _due(bars: Bars, opened_at: Ints, closed_at: Ints) -> tuple[Ints, Ints]:
    """(times, microseconds up to each of them in which bars are due); linear between."""
    first, last = int(opened_at[0] // _HOUR_US), int(-(-closed_at[-1] // _HOUR_US))
    opens, closes = _sessions_of(bars, first * _HOUR_US, last * _HOUR_US)
    hours = np.arange(first, last + 1) * _HOUR_US
    times = np.unique(np.concatenate([hours, opens, closes]))
    begins = times[:-1]
    row = np.minimum(np.searchsorted(closes, begins, side="right"), len(closes) - 1)
    inside = (opens[row] <= begins) & (begins < closes[row])
    # With the hour after the last, which excuses the one beside it whether or not more bars come.
    free = _free_hours(bars, opened_at, closed_at, first, last + 1)
    inside &= ~free[begins // _HOUR_US - first]
    return times, np.concatenate([[0], np.cumsum(np.where(inside, np.diff(times), 0))])


def _sessions_of(bars: Bars, begin: int, end: int) -> tuple[Ints, Ints]:
    """(opens, closes) of the sessions between two moments; of no calendar, those that bars name."""
    if bars.calendar == ALWAYS:
        return np.array([begin]), np.array([end])
    if bars.calendar:
        found = sessions(bars.calendar, bars.hours)
        opens, closes = found.open, found.close
    else:
        named = np.unique(bars.records[["session_open", "session_close"]])
        opens, closes = (np.ascontiguousarray(named[name]) for name in named.dtype.names or ())
        closes = np.minimum(closes, np.append(opens[1:], closes[-1:]))
    within = (closes > begin) & (opens < end)
    if not within.any():
        return np.array([begin]), np.array([begin])
    return np.maximum(opens[within], begin), np.minimum(closes[within], end)


def _free_hours(bars: Bars, opened_at: Ints, closed_at: Ints, first: int, last: int) -> Bools:
    """(last - first,) hours in which, by the weeks before, no bar is to be expected."""
    hours = np.arange(first, last)
    begins, ends = opened_at // _HOUR_US - first, (closed_at - 1) // _HOUR_US - first + 1
    open_ = np.bincount(begins, minlength=len(hours) + 1) - np.bincount(
        ends, minlength=len(hours) + 1
    )
    zone = sessions(bars.calendar, bars.hours).zone if bars.calendar else "UTC"
    local = hours + _ahead(hours, zone)
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


def _ahead(hours: Ints, zone: str) -> Ints:
    """(n_hours,) whole hours that a zone's clock is ahead of UTC."""
    if zone == "UTC":
        return np.zeros(len(hours), np.int64)
    import polars as pl  # noqa: PLC0415 (its clock changes are vectorised, and it is loaded anyway)

    clock = pl.Series(hours * _HOUR_US).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    shown = clock.dt.replace_time_zone(None).to_physical().to_numpy() // _HOUR_US
    return np.asarray(shown - hours)
