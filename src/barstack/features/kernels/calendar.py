"""Calendar: where a bar closes in its session, and where the session lies in week, month and year.

All of it is known in advance but for the bars that are missing. Times count from the session's
open, so daylight saving time has no effect; in markets that never close, sessions are UTC days.
Values of dates are computed once a session.
"""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.rolling import piece

_MINUTE_US = 60_000_000.0
_TURN_PER_DAY = 2.0 * math.pi / 86_400_000_000.0
_LENGTHS = 10  # sessions that tell how long a whole one is


@feature(group="calendar", memory=0, unit="fraction", low=0, high=1)
def session_progress(state, bar):
    """Fraction of the session elapsed at the bar's close; 1 at the session's close."""
    length = bar.session_close - bar.session_open
    return min(max((bar.closed_at - bar.session_open) / length, 0.0), 1.0)


@feature(group="calendar", memory=0, unit="minutes", low=0)
def minutes_from_open(state, bar):
    """Minutes from the session's open to the bar's close."""
    return max((bar.closed_at - bar.session_open) * (1.0 / _MINUTE_US), 0.0)


@feature(group="calendar", memory=0, unit="minutes", low=0)
def minutes_to_close(state, bar):
    """Minutes from the bar's close to the session's close; 0 at and after it."""
    return max((bar.session_close - bar.closed_at) * (1.0 / _MINUTE_US), 0.0)


@feature(group="calendar", memory=0, unit="sine", low=-1, high=1)
def time_of_day_sin(state, bar):
    """sin of the time from the session's open to the bar's close, one turn in 24 hours.

    Exchange time of day, unaffected by daylight saving time, with 0 at the open; in markets that
    never close, UTC time of day.
    """
    return math.sin(_TURN_PER_DAY * (bar.closed_at - bar.session_open))


@feature(group="calendar", memory=0, unit="cosine", low=-1, high=1)
def time_of_day_cos(state, bar):
    """cos of the time from the session's open to the bar's close, one turn in 24 hours."""
    return math.cos(_TURN_PER_DAY * (bar.closed_at - bar.session_open))


@feature(group="calendar", memory=0, unit="cosine", low=-1, high=1)
def session_smile(state, bar):
    """cos of the session's elapsed fraction at the bar's midpoint, one turn per session.

    1 at open and close, -1 halfway: the shape that volume and volatility have within a day.
    """
    length = bar.session_close - bar.session_open
    middle = 0.5 * (bar.opened_at + bar.closed_at)
    passed = min(max((middle - bar.session_open) / length, 0.0), 1.0)
    return math.cos(2.0 * math.pi * passed)


@feature(group="calendar", memory=_LENGTHS + 3, sessions=1, unit="0 or 1", low=0, high=1)
def half_day(state, bar):
    """1 if the session is shorter than the longest of the last eleven, itself included, else 0.

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
    """Calendar days since the previous session: 1, after a weekend 3, more after holidays.

    Constant through the session; sessions that are missing from the bars count as holidays.
    """
    # state: the session, its value, and sessions begun.
    if bar.new_session:
        state[1] = bar.session - state[0]
        state[0] = bar.session
        state[2] += 1
    return state[1] if state[2] > 1.0 else np.nan


@feature(group="calendar", memory=2, unit="bars", low=0)
def missing_bars(state, bar):
    """Gap before the bar, in bars: since the previous close, or since the open in the first bar.

    0 where nothing is missing. Time between sessions does not count; `days_since_last_session`
    shows missing days.
    """
    # state: when the bar before closed, and how long it was. Sessions may cut bars short.
    length = float(bar.closed_at - bar.opened_at)
    since = bar.session_open if bar.new_session else int(state[0])
    usual = length if bar.new_session else max(length, state[1])
    state[0], state[1] = bar.closed_at, length
    return max((bar.opened_at - since) / usual, 0.0)


_TURN = 2.0 * math.pi


@piece
def month_of(days):
    """(months since March of year 0, first day of the month, days in it) of days since 1970.

    Counted in years that begin in March, so that leap days come last (Hinnant 2013).
    """
    days = days + 719_468
    era = days // 146_097
    in_era = days - era * 146_097
    year = (in_era - in_era // 1460 + in_era // 36_524 - in_era // 146_096) // 365
    in_year = in_era - (365 * year + year // 4 - year // 100)
    month = (5 * in_year + 2) // 153
    first = days - (in_year - (153 * month + 2) // 5) - 719_468
    length = (153 * (month + 1) + 2) // 5 - (153 * month + 2) // 5
    if month == 11:  # February
        length = 29 if (year + 1) % 4 == 0 and ((year + 1) % 100 != 0 or year == 399) else 28
    return 12 * (400 * era + year) + month, first, length


@piece
def weekdays_between(first, last):
    """Number of weekdays from one day to another, both included."""
    count = 0
    for day in range(first, last + 1):
        count += 1 if (day + 3) % 7 < 5 else 0
    return count


@piece
def year_turn(session):
    """Angle of the session's day in a year of twelve equal months, 0 on 1 January."""
    month, first, length = month_of(session)
    # March is month 0 of its year; January, two before, begins the turn.
    return _TURN / 12.0 * ((month + 2) % 12 + (session - first) / length)


# 1970-01-01, session 0, was a Thursday: three days after Monday.
@feature(group="calendar", memory=1, unit="sine", low=-1, high=1)
def day_of_week_sin(state, bar):
    """sin of the session's day of the week, one turn a week from Monday."""
    if bar.new_session:
        state[0] = math.sin(_TURN / 7.0 * ((bar.session + 3) % 7))
    return state[0]


@feature(group="calendar", memory=1, unit="cosine", low=-1, high=1)
def day_of_week_cos(state, bar):
    """cos of the session's day of the week, one turn a week from Monday."""
    if bar.new_session:
        state[0] = math.cos(_TURN / 7.0 * ((bar.session + 3) % 7))
    return state[0]


@feature(group="calendar", memory=1, unit="fraction", low=0, high=1)
def day_of_month(state, bar):
    """(Day of the month - 1) / (days in the month - 1): 0 on the first, 1 on the last."""
    if bar.new_session:
        _, first, length = month_of(bar.session)
        state[0] = (bar.session - first) / (length - 1.0)
    return state[0]


@feature(
    group="calendar",
    memory=1,
    unit="0 or 1",
    low=0,
    high=1,
    source="Lakonishok, Smidt (1988)",
)
def turn_of_month(state, bar):
    """1 in the last weekday of a month and the first three of the next, else 0.

    Weekdays by the calendar, as holidays ahead are not in the bars. A weekend day belongs to the
    weekday before it.
    """
    if bar.new_session:
        _, first, length = month_of(bar.session)
        begun = weekdays_between(first, min(bar.session, first + 6))
        left = weekdays_between(max(bar.session, first + length - 7) + 1, first + length - 1)
        state[0] = 1.0 if begun <= 3 or left == 0 else 0.0
    return state[0]


@feature(group="calendar", memory=1, unit="sine", low=-1, high=1)
def month_sin(state, bar):
    """sin of the session's day in the year, in twelve equal months, one turn from 1 January."""
    if bar.new_session:
        state[0] = math.sin(year_turn(bar.session))
    return state[0]


@feature(group="calendar", memory=1, unit="cosine", low=-1, high=1)
def month_cos(state, bar):
    """cos of the session's day in the year, in twelve equal months, one turn from 1 January."""
    if bar.new_session:
        state[0] = math.cos(year_turn(bar.session))
    return state[0]
