"""Calendar: where in its session and week a bar closes. All of it is known in advance."""

from __future__ import annotations

import math

from ._kernel import feature


@feature(group="calendar", memory=0, unit="fraction", low=0, high=1)
def session_progress(state, bar):
    """Part of the session that has passed when the bar closes; 1 at the close, half days too."""
    length = bar.session_close - bar.session_open
    return min(max((bar.closed_at - bar.session_open) / length, 0.0), 1.0)


@feature(group="calendar", memory=0, unit="minutes", low=0)
def minutes_to_close(state, bar):
    """Minutes from the bar's close to the session's; 0 at and after it."""
    return max((bar.session_close - bar.closed_at) / 60_000_000.0, 0.0)


@feature(group="calendar", memory=0, unit="sine", low=-1, high=1)
def time_of_day_sin(state, bar):
    """sin of the time of day (UTC) at the bar's close, one turn a day."""
    return math.sin(2.0 * math.pi * (bar.closed_at % 86_400_000_000) / 86_400_000_000.0)


@feature(group="calendar", memory=0, unit="cosine", low=-1, high=1)
def time_of_day_cos(state, bar):
    """cos of the time of day (UTC) at the bar's close, one turn a day."""
    return math.cos(2.0 * math.pi * (bar.closed_at % 86_400_000_000) / 86_400_000_000.0)


# 1970-01-01, session 0, was a Thursday: three days after Monday.
@feature(group="calendar", memory=0, unit="sine", low=-1, high=1)
def day_of_week_sin(state, bar):
    """sin of the session's day of the week, one turn a week from Monday."""
    return math.sin(2.0 * math.pi * ((bar.session + 3) % 7) / 7.0)


@feature(group="calendar", memory=0, unit="cosine", low=-1, high=1)
def day_of_week_cos(state, bar):
    """cos of the session's day of the week, one turn a week from Monday."""
    return math.cos(2.0 * math.pi * ((bar.session + 3) % 7) / 7.0)
