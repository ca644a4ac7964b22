"""Horizons: how long a decision is held, and at which bar it is left."""

from __future__ import annotations

import re

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Ints
from barstack.core.errors import ConfigError
from barstack.core.times import (
    NEVER,
    KnownAt,
    canonical_duration,
    decide_at_close,
    format_duration,
    microseconds,
    parse_duration,
)

_SESSIONS = re.compile(
    r"([0-9]{1,18})\s*sessions?"
)  # more digits than an integer holds are refused


def sessions_of(horizon: str | int) -> int | None:
    """How many sessions a horizon such as `2sessions` spans; None where it is of another kind."""
    match = _SESSIONS.fullmatch(horizon) if isinstance(horizon, str) else None
    return int(match.group(1)) if match else None


def check_horizon(horizon: str | int, bars: Bars | None = None) -> None:
    """`ConfigError` unless a horizon lies ahead and, given bars, is a whole number of them."""
    sessions = sessions_of(horizon)
    if isinstance(horizon, int):
        if horizon < 1:
            raise ConfigError(f"A horizon of {horizon} bars does not lie ahead; give 1 or more.")
    elif sessions is not None:
        if sessions < 1:
            raise ConfigError(f"A horizon of {horizon} does not lie ahead; give 1session or more.")
    else:
        length_us = parse_duration(horizon)
        if bars is not None and length_us < bars.length_us:
            raise ConfigError(
                f"Horizon {horizon} is shorter than a bar of {bars.symbol} "
                f"({format_duration(bars.length_us)}). Ask for one bar or more."
            )
        if bars is not None and length_us % bars.length_us:
            below = length_us - length_us % bars.length_us
            raise ConfigError(
                f"Horizon {horizon} is no whole number of bars of {bars.symbol}, "
                f"{format_duration(bars.length_us)} each: it would end at a close later than it "
                f"says. Ask for {format_duration(below)} or "
                f"{format_duration(below + bars.length_us)}."
            )


def horizon_name(horizon: str | int) -> str:
    """As columns are called: `12bars`, `4h`, `1session`."""
    return f"{horizon}bars" if isinstance(horizon, int) else horizon


def canonical_horizon(horizon: str | int) -> str | int:
    """The one form of a horizon, so that `60min` and `1h` are one trial and one column.

    >>> canonical_horizon("60min"), canonical_horizon("24h"), canonical_horizon("1sessions")
    ('1h', '1d', '1session')
    """
    sessions = sessions_of(horizon)
    if isinstance(horizon, int):
        return horizon
    if sessions is not None:
        return "1session" if sessions == 1 else f"{sessions}sessions"
    return canonical_duration(horizon)


def leave(bars: Bars, horizon: str | int, *, overnight: bool = True) -> tuple[Ints, KnownAt]:
    """Where each decision is left, and when that is known.

    overnight  where false, a holding ends with its session at the latest, and the decision at a
               session's last bar holds nothing
    returns    exit_row (n_bars,) the bar at whose close it is left; `len(bars)` while open, and
               the decision's own row where nothing is held
               known_at (n_bars,) that bar's close, or of a session's last bar the session's end
               where it is later: only then is it known to be the last; NaT while open
    """
    rows = np.arange(len(bars))
    times = microseconds(decide_at_close(bars.closed_at))
    last, ends = _session_ends(bars)
    sessions = sessions_of(horizon)
    if isinstance(horizon, int):
        exit_row = np.minimum(rows + min(horizon, len(bars)), len(bars))
    elif sessions is not None:
        number = np.cumsum(np.diff(bars.records["session"], prepend=-1) != 0) - 1
        ahead = min(sessions, len(bars))  # bars are as many sessions as they are at most
        lasts = np.append(np.unique(last), [len(bars)] * ahead)
        exit_row = lasts[number + ahead]
    else:
        exit_row = np.searchsorted(times, times + parse_duration(horizon))
    by_session = np.full(len(bars), sessions is not None)
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
