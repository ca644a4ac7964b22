"""At which bar a holding over a horizon ends, and whether it reaches across missing bars."""

from __future__ import annotations

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Bools, Ints
from barstack.core.horizon import Horizon
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.times import DAY_US, NEVER, KnownAt, microseconds, parse_duration


def leave(bars: Bars, horizon: Horizon, *, overnight: bool = True) -> tuple[Ints, KnownAt]:
    """Where each decision is left, and when that is known.

    overnight  where false, a holding ends with its session at the latest, and the decision at a
               session's last bar holds nothing
    returns    exit_row (n_bars,) the bar at whose close it is left; `len(bars)` while open, and
               the decision's own row where nothing is held
               known_at (n_bars,) that bar's close, or of a session's last bar the session's end
               where it is later: only then is it known to be the last; NaT while open
    """
    rows = np.arange(len(bars))
    times = microseconds(AT_EACH_CLOSE.decided_at(bars.closed_at))
    last, ends = _session_ends(bars)
    if horizon.unit == "bars":
        exit_row = np.minimum(rows + min(horizon.count, len(bars)), len(bars))
    elif horizon.unit == "sessions":
        number = np.cumsum(np.diff(bars.records["session"], prepend=-1) != 0) - 1
        ahead = min(horizon.count, len(bars))  # bars are as many sessions as they are at most
        lasts = np.append(np.unique(last), [len(bars)] * ahead)
        exit_row = lasts[number + ahead]
    else:
        exit_row = np.searchsorted(times, times + horizon.count)
    by_session = np.full(len(bars), horizon.unit == "sessions")
    if not overnight:
        cut = exit_row > last
        exit_row = np.where(cut, last, exit_row)
        by_session |= cut
    inside = np.minimum(exit_row, len(bars) - 1)
    known = np.where(by_session, ends[inside], times[inside])
    # A session's last bar is known to be that once the session is over or the next has begun.
    unfinished = by_session & (last[inside] == len(bars) - 1) & (ends[inside] > times[-1])
    open_ = (exit_row >= len(bars)) | unfinished
    exit_row = np.where(open_, len(bars), exit_row).astype(np.int64)
    return exit_row, KnownAt(np.where(open_, NEVER, known.view("datetime64[us]")))


def _session_ends(bars: Bars) -> tuple[Ints, Ints]:
    """(n_bars,) the last row of each bar's session, and when that session is surely over."""
    session = bars.records["session"]
    ends = np.flatnonzero(np.append(session[1:] != session[:-1], True))
    last = ends[np.searchsorted(ends, np.arange(len(bars)))]
    over = np.maximum(bars.records["session_close"], bars.records["closed_at"])
    return last, over[last]


def across_hole(bars: Bars, horizon: Horizon, known_at: KnownAt, max_gap: str | None) -> Bools:
    """(n_bars,) whether a hole or a bad print lies between each decision and its holding's end.

    known_at  (n_bars,) when holdings end; NaT while open, and so not across anything yet
    max_gap   what counts as a hole instead: neighbouring bars further apart than this
    """
    if max_gap is None:
        holes = bars.holes(_bars_in(bars, horizon))
    else:
        spacing = np.diff(bars.closed_at, prepend=bars.closed_at[:1])
        holes = spacing > np.timedelta64(parse_duration(max_gap), "us")
    passed = np.cumsum(holes | bars.prints)
    ended = ~np.isnat(known_at)
    # The last bar closed by then: a session's end may be known later than its last bar closes.
    exits = np.searchsorted(bars.closed_at, known_at[ended], side="right") - 1
    found = np.zeros(len(bars), bool)
    found[ended] = passed[exits] > passed[ended]
    return found


def _bars_in(bars: Bars, horizon: Horizon) -> int:
    """How many bars a horizon has where none is missing, by the first bar's session."""
    if horizon.unit == "bars":
        return horizon.count
    span_us = horizon.count * (DAY_US if horizon.unit == "sessions" else 1)
    if bars.length_us < DAY_US:
        first = bars.records[0]
        session_us = min(int(first["session_close"] - first["session_open"]), DAY_US)
        days, rest_us = divmod(span_us, DAY_US)
        span_us = days * session_us + min(rest_us, session_us)
    return max(span_us // bars.length_us, 1)
