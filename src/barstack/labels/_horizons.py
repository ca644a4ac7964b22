"""At which bar a holding over a horizon ends."""

from __future__ import annotations

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Ints
from barstack.core.horizon import Horizon
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.times import NEVER, KnownAt, microseconds


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
