"""Levels: where price stands against highs and lows of the last bars and sessions."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.extremes import (
    EXTREME,
    NEWEST_EXTREME,
    RANGE,
    newest_max,
    rolling_max,
    rolling_min,
    rolling_range,
)
from ..pieces.ratios import position
from ..pieces.rolling import piece


@feature(
    group="levels",
    memory=lambda window: EXTREME + window,
    warmup=lambda window: window - 1,
    unit="log",
    high=0,
)
def distance_to_high(state, bar, window=50):
    """ln(close / highest high of `window` bars)."""
    high = rolling_max(state, bar.high, window)
    return math.log(bar.close / high)


@feature(
    group="levels",
    memory=lambda window: EXTREME + window,
    warmup=lambda window: window - 1,
    unit="log",
    low=0,
)
def distance_to_low(state, bar, window=50):
    """ln(close / lowest low of `window` bars)."""
    low = rolling_min(state, bar.low, window)
    return math.log(bar.close / low)


@feature(
    group="levels",
    memory=lambda window: 2 + RANGE + 2 * window,
    warmup=lambda window: window,
    unit="fraction",
    source="Donchian (1960)",
)
def donchian_position(state, bar, window=20):
    """(close - lowest low) / (highest high - lowest low) of the `window` bars before this one.

    Above 1 price has broken out upwards, below 0 downwards; 0.5 where they had no range.
    """
    # state: highest and lowest up to the bar before, NaN where it is too early for them.
    high, low = state[0], state[1]
    state[0], state[1] = rolling_range(state[2:], bar.high, bar.low, window)
    return np.nan if math.isnan(bar.previous_close) else position(bar.close, low, high)


@piece
def _sessions_since(m, new_session, high, sessions):
    """Sessions since the highest of this session so far and the `sessions` before it.

    Memory: 3 + NEWEST_EXTREME + 2 * sessions.
    """
    # m: this session's highest; the highest of those before it, and how many sessions ago.
    if new_session:
        m[1] = np.nan
        if m[0] != 0.0:
            m[1], age = newest_max(m[3:], m[0], sessions)
            m[2] = age + 1.0
        m[0] = high
    m[0] = max(m[0], high)
    if math.isnan(m[1]):
        return np.nan
    return 0.0 if m[0] >= m[1] else m[2]


@feature(
    group="levels",
    memory=lambda sessions: 3 + NEWEST_EXTREME + 2 * sessions,
    sessions=lambda sessions: sessions,
    unit="sessions",
    low=0,
)
def sessions_since_high(state, bar, sessions=20):
    """Sessions since the highest high of this session so far and the `sessions` before it.

    0 while this session has it.
    """
    return _sessions_since(state, bar.new_session, bar.high, sessions)


@feature(
    group="levels",
    memory=lambda sessions: 3 + NEWEST_EXTREME + 2 * sessions,
    sessions=lambda sessions: sessions,
    unit="sessions",
    low=0,
)
def sessions_since_low(state, bar, sessions=20):
    """Sessions since the lowest low of this session so far and the `sessions` before it.

    0 while this session has it.
    """
    return _sessions_since(state, bar.new_session, -bar.low, sessions)
