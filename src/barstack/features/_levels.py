"""Levels: where price stands against the highs and lows that traders watch."""

from __future__ import annotations

import math

import numpy as np

from ._kernel import feature
from ._rolling import EXTREME, rolling_max, rolling_min


@feature(
    group="levels",
    memory=lambda window: EXTREME + 2 * window,
    warmup=lambda window: window - 1,
    unit="log",
    high=0,
)
def distance_to_high(state, bar, window=50):
    """ln(close / highest high of `window` bars)."""
    high, _ = rolling_max(state, bar.high, window)
    return math.log(bar.close / high)


@feature(
    group="levels",
    memory=lambda window: EXTREME + 2 * window,
    warmup=lambda window: window - 1,
    unit="log",
    low=0,
)
def distance_to_low(state, bar, window=50):
    """ln(close / lowest low of `window` bars)."""
    low, _ = rolling_min(state, bar.low, window)
    return math.log(bar.close / low)


@feature(group="levels", memory=2, unit="fraction", low=0, high=1)
def session_position(state, bar):
    """(close - low) / (high - low) of the session so far; 0.5 without a range."""
    if bar.new_session:
        state[0], state[1] = bar.high, bar.low
    state[0] = max(state[0], bar.high)
    state[1] = min(state[1], bar.low)
    spread = state[0] - state[1]
    return (bar.close - state[1]) / spread if spread > 0.0 else 0.5


@feature(group="levels", memory=4, sessions=1, unit="fraction")
def prior_session_position(state, bar):
    """(close - low) / (high - low) of the session before; 0.5 where it had no range.

    Below 0 price has left that range downwards, above 1 upwards. state: high and low of the
    session, and of the one before.
    """
    if bar.new_session:
        state[2], state[3] = state[0], state[1]
        state[0], state[1] = bar.high, bar.low
    state[0] = max(state[0], bar.high)
    state[1] = min(state[1], bar.low)
    if state[2] == 0.0:
        return np.nan
    spread = state[2] - state[3]
    return (bar.close - state[3]) / spread if spread > 0.0 else 0.5
