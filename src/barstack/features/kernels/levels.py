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
    newest_min,
    rolling_max,
    rolling_min,
    rolling_range,
)
from ..pieces.ratios import position


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
    # state: this session's high; the highest of those before it, and how many sessions ago.
    if bar.new_session:
        state[1] = np.nan
        if state[0] > 0.0:
            state[1], age = newest_max(state[3:], state[0], sessions)
            state[2] = age + 1.0
        state[0] = bar.high
    state[0] = max(state[0], bar.high)
    if math.isnan(state[1]):
        return np.nan
    return 0.0 if state[0] >= state[1] else state[2]


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
    # state: this session's low; the lowest of those before it, and how many sessions ago.
    if bar.new_session:
        state[1] = np.nan
        if state[0] > 0.0:
            state[1], age = newest_min(state[3:], state[0], sessions)
            state[2] = age + 1.0
        state[0] = bar.low
    state[0] = min(state[0], bar.low)
    if math.isnan(state[1]):
        return np.nan
    return 0.0 if state[0] <= state[1] else state[2]
