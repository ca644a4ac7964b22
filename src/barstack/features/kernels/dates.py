"""Dates: where in its week, month and year a session lies. Worked out once a session."""

from __future__ import annotations

import math

from .._kernel import feature
from ..pieces.rolling import piece

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
    """How many of these days, both included, are not in a weekend."""
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
