"""Calendar: where in its session a bar closes, and what kind of session it is.

All of it is known in advance but for the bars that are missing. Times count from the session's
open, so summer time moves nothing; in markets that never close, sessions are days of UTC.
"""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature

_MINUTE_US = 60_000_000.0
_TURN_PER_DAY = 2.0 * math.pi / 86_400_000_000.0
_LENGTHS = 10  # sessions that tell how long a whole one is


@feature(group="calendar", memory=0, unit="fraction", low=0, high=1)
def session_progress(state, bar):
    """Part of the session that has passed when the bar closes; 1 at the close, half days too."""
    length = bar.session_close - bar.session_open
    return min(max((bar.closed_at - bar.session_open) / length, 0.0), 1.0)


@feature(group="calendar", memory=0, unit="minutes", low=0)
def minutes_from_open(state, bar):
    """Minutes from the session's open to the bar's close."""
    return max((bar.closed_at - bar.session_open) * (1.0 / _MINUTE_US), 0.0)


@feature(group="calendar", memory=0, unit="minutes", low=0)
def minutes_to_close(state, bar):
    """Minutes from the bar's close to the session's; 0 at and after it."""
    return max((bar.session_close - bar.closed_at) * (1.0 / _MINUTE_US), 0.0)


@feature(group="calendar", memory=0, unit="sine", low=-1, high=1)
def time_of_day_sin(state, bar):
    """sin of the time from the session's open to the bar's close, one turn in 24 hours.

    Time of day as the exchange's clocks have it, whatever the season, turned so that 0 is the
    open; in markets that never close, the time of day of UTC.
    """
    return math.sin(_TURN_PER_DAY * (bar.closed_at - bar.session_open))


@feature(group="calendar", memory=0, unit="cosine", low=-1, high=1)
def time_of_day_cos(state, bar):
    """cos of the time from the session's open to the bar's close, one turn in 24 hours."""
    return math.cos(_TURN_PER_DAY * (bar.closed_at - bar.session_open))


@feature(group="calendar", memory=0, unit="cosine", low=-1, high=1)
def session_smile(state, bar):
    """cos of the part of the session that has passed at the bar's middle, one turn a session.

    1 at open and close, -1 halfway: the shape that volume and volatility have within a day.
    """
    length = bar.session_close - bar.session_open
    middle = 0.5 * (bar.opened_at + bar.closed_at)
    passed = min(max((middle - bar.session_open) / length, 0.0), 1.0)
    return math.cos(2.0 * math.pi * passed)


@feature(group="calendar", memory=_LENGTHS + 3, sessions=1, unit="0 or 1", low=0, high=1)
def half_day(state, bar):
    """1 where the session is shorter than the longest of it and the ten before, else 0.

    Lengths are the calendar's, known before the session begins.
    """
    # state: sessions begun, the next place, the value, and a ring of lengths.
    if bar.new_session:
        length = float(bar.session_close - bar.session_open)
        longest = length
        for place in range(_LENGTHS):
            longest = max(longest, state[3 + place])
        state[2] = 1.0 if length < longest else 0.0
        place = int(state[1])
        state[3 + place] = length
        state[1] = place + 1 if place + 1 < _LENGTHS else 0
        state[0] += 1
    return state[2] if state[0] > 1.0 else np.nan


@feature(group="calendar", memory=3, sessions=1, unit="days", low=1)
def days_since_last_session(state, bar):
    """Days from the session before to this one: 1, after a weekend 3, more after holidays.

    Through the session; sessions that are missing from the bars count as holidays.
    """
    # state: the session, its value, and sessions begun.
    if bar.new_session:
        state[1] = bar.session - state[0]
        state[0] = bar.session
        state[2] += 1
    return state[1] if state[2] > 1.0 else np.nan


@feature(group="calendar", memory=2, unit="bars", low=0)
def missing_bars(state, bar):
    """Time since the bar before, or since the session's open in its first bar, in bars.

    0 where nothing is missing. Nights and breaks between sessions are not missing; days are bars
    of their own session, so `days_since_last_session` shows those.
    """
    # state: when the bar before closed, and how long it was. Sessions may cut bars short.
    length = float(bar.closed_at - bar.opened_at)
    since = bar.session_open if bar.new_session else int(state[0])
    usual = length if bar.new_session else max(length, state[1])
    state[0], state[1] = bar.closed_at, length
    return max((bar.opened_at - since) / usual, 0.0)
