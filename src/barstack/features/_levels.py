"""Levels: where price stands against the highs and lows that traders watch."""

from __future__ import annotations

import math

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


@feature(group="levels", memory=3, warmup=0, unit="fraction", low=0, high=1)
def session_position(state, bar):
    """(close - low) / (high - low) of the session so far; 0.5 without a range."""
    if state[1] == 0.0 or state[0] != bar.session:
        state[0], state[1], state[2] = bar.session, bar.high, bar.low
    state[1] = max(state[1], bar.high)
    state[2] = min(state[2], bar.low)
    spread = state[1] - state[2]
    return (bar.close - state[2]) / spread if spread > 0.0 else 0.5


@feature(group="levels", memory=5, warmup=0, unit="fraction")
def prior_session_position(state, bar):
    """(close - low) / (high - low) of the session before; 0.5 in the first and without a range.

    Below 0 price has left that range downwards, above 1 upwards. state: session, its high and
    low, high and low of the one before.
    """
    if state[0] != bar.session or state[1] == 0.0:
        state[3], state[4] = state[1], state[2]
        state[0], state[1], state[2] = bar.session, bar.high, bar.low
    state[1] = max(state[1], bar.high)
    state[2] = min(state[2], bar.low)
    spread = state[3] - state[4]
    return (bar.close - state[4]) / spread if spread > 0.0 else 0.5
