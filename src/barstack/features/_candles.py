"""Candles: the shape of single bars, and runs of them."""

from __future__ import annotations

import numpy as np

from ._kernel import feature


@feature(group="candles", memory=0, unit="fraction", low=-1, high=1)
def body(state, bar):
    """(close - open) / (high - low); 0 without a range."""
    spread = bar.high - bar.low
    return (bar.close - bar.open) / spread if spread > 0.0 else 0.0


@feature(group="candles", memory=0, unit="fraction", low=0, high=1)
def upper_wick(state, bar):
    """(high - max(open, close)) / (high - low); 0 without a range."""
    spread = bar.high - bar.low
    return (bar.high - max(bar.open, bar.close)) / spread if spread > 0.0 else 0.0


@feature(group="candles", memory=0, unit="fraction", low=0, high=1)
def lower_wick(state, bar):
    """(min(open, close) - low) / (high - low); 0 without a range."""
    spread = bar.high - bar.low
    return (min(bar.open, bar.close) - bar.low) / spread if spread > 0.0 else 0.0


@feature(group="candles", memory=1, sessions=1, unit="log")
def gap(state, bar):
    """ln(first open of this session / last close of the session before), through the session."""
    if bar.new_session:
        state[0] = bar.log_gap if bar.previous_close > 0.0 else np.nan
    return state[0]


@feature(group="candles", memory=1, warmup=1, unit="bars")
def streak(state, bar):
    """Number of closes in a row that rose (positive) or fell (negative); 0 after no change."""
    if bar.close > bar.previous_close:
        state[0] = max(state[0], 0.0) + 1.0
    elif bar.close < bar.previous_close:
        state[0] = min(state[0], 0.0) - 1.0
    else:
        state[0] = 0.0
    return state[0] if bar.previous_close > 0.0 else np.nan
