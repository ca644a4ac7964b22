"""Levels of this session and the one before: their highs and lows, pivots, the opening range.

In daily bars every bar is a session, so these look at the day and the day before.
"""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.ratios import position
from ..pieces.rolling import piece

RANGES = 4
_MINUTE_US = 60_000_000


@piece
def ranges(m, new_session, high, low):
    """(high, low) of the session before, 0 before there is one; stores this one's. Memory: 4."""
    if new_session:
        m[2], m[3] = m[0], m[1]
        m[0], m[1] = high, low
    m[0] = max(m[0], high)
    m[1] = min(m[1], low)
    return m[2], m[3]


@feature(group="levels", memory=2, unit="fraction", low=0, high=1)
def session_position(state, bar):
    """(close - low) / (high - low) of the session so far; 0.5 without a range."""
    if bar.new_session:
        state[0], state[1] = bar.high, bar.low
    state[0] = max(state[0], bar.high)
    state[1] = min(state[1], bar.low)
    return position(bar.close, state[1], state[0])


@feature(group="levels", memory=RANGES, sessions=1, unit="fraction")
def prior_session_position(state, bar):
    """(close - low) / (high - low) of the session before; 0.5 where it had no range.

    Below 0 price has left that range downwards, above 1 upwards.
    """
    high, low = ranges(state, bar.new_session, bar.high, bar.low)
    return np.nan if high == 0.0 else position(bar.close, low, high)


@feature(group="levels", memory=RANGES, sessions=1, unit="log")
def prior_high_distance(state, bar):
    """ln(close / high of the session before)."""
    high, _ = ranges(state, bar.new_session, bar.high, bar.low)
    return np.nan if high == 0.0 else math.log(bar.close / high)


@feature(group="levels", memory=RANGES, sessions=1, unit="log")
def prior_low_distance(state, bar):
    """ln(close / low of the session before)."""
    high, low = ranges(state, bar.new_session, bar.high, bar.low)
    return np.nan if high == 0.0 else math.log(bar.close / low)


@feature(group="levels", memory=1, sessions=1, unit="log")
def prior_close_distance(state, bar):
    """ln(close / last close of the session before): the day's change, gap included."""
    if bar.new_session:
        state[0] = bar.previous_close
    return math.log(bar.close / state[0])


@piece
def pivot(m, new_session, high, low, previous_close):
    """(pivot, high, low) of the session before, NaN before there is one. Memory: RANGES + 1.

    The pivot is (high + low + close) / 3.
    """
    above, below = ranges(m, new_session, high, low)
    if new_session:
        m[RANGES] = (above + below + previous_close) / 3.0
    return m[RANGES], above, below


@feature(group="levels", memory=RANGES + 1, sessions=1, unit="fraction")
def pivot_distance(state, bar):
    """1 - P / close, with P = (high + low + close) / 3 of the session before: the floor's pivot."""
    middle, _, _ = pivot(state, bar.new_session, bar.high, bar.low, bar.previous_close)
    return 1.0 - middle / bar.close


@feature(group="levels", memory=RANGES + 1, sessions=1, unit="fraction")
def resistance_1_distance(state, bar):
    """1 - R1 / close, with R1 = 2 P - low of the session before and P its pivot."""
    middle, _, low = pivot(state, bar.new_session, bar.high, bar.low, bar.previous_close)
    return 1.0 - (2.0 * middle - low) / bar.close


@feature(group="levels", memory=RANGES + 1, sessions=1, unit="fraction")
def support_1_distance(state, bar):
    """1 - S1 / close, with S1 = 2 P - high of the session before and P its pivot."""
    middle, high, _ = pivot(state, bar.new_session, bar.high, bar.low, bar.previous_close)
    return 1.0 - (2.0 * middle - high) / bar.close


@piece
def opening_range(m, new_session, opened_at, session_open, minutes, high, low):
    """(high, low) of the bars that opened in a session's first minutes, so far. Memory: 2.

    The first bar always counts, however long or late it is.
    """
    if new_session:
        m[0], m[1] = high, low
    elif opened_at < session_open + minutes * _MINUTE_US:
        m[0] = max(m[0], high)
        m[1] = min(m[1], low)
    return m[0], m[1]


@feature(group="levels", memory=2, unit="fraction", bounds={"minutes": (1, 1440)})
def opening_range_position(state, bar, minutes=30):
    """(close - low) / (high - low) of the session's first `minutes`; 0.5 without a range.

    Until they have passed, of the range so far. With longer bars, the first is the opening range.
    """
    high, low = opening_range(
        state, bar.new_session, bar.opened_at, bar.session_open, minutes, bar.high, bar.low
    )
    return position(bar.close, low, high)


@feature(
    group="levels",
    memory=3,
    unit="side",
    low=-1,
    high=1,
    source="Crabel (1990)",
    bounds={"minutes": (1, 1440)},
)
def opening_range_breakout(state, bar, minutes=30):
    """Side on which price last closed outside the session's first `minutes`: 1 above, -1 below.

    0 until it has done so in this session.
    """
    high, low = opening_range(
        state, bar.new_session, bar.opened_at, bar.session_open, minutes, bar.high, bar.low
    )
    if bar.new_session:
        state[2] = 0.0
    if bar.close > high:
        state[2] = 1.0
    elif bar.close < low:
        state[2] = -1.0
    return state[2]
