"""Candles: the shape of single bars, and runs of them."""

from __future__ import annotations

import math

import numpy as np

from ._kernel import feature


@feature(group="candles", memory=0, warmup=0, unit="fraction", low=-1, high=1)
def body(state, bar):
    """(close - open) / (high - low); 0 without a range."""
    spread = bar.high - bar.low
    return (bar.close - bar.open) / spread if spread > 0.0 else 0.0


@feature(group="candles", memory=0, warmup=0, unit="fraction", low=0, high=1)
def upper_wick(state, bar):
    """(high - max(open, close)) / (high - low); 0 without a range."""
    spread = bar.high - bar.low
    return (bar.high - max(bar.open, bar.close)) / spread if spread > 0.0 else 0.0


@feature(group="candles", memory=0, warmup=0, unit="fraction", low=0, high=1)
def lower_wick(state, bar):
    """(min(open, close) - low) / (high - low); 0 without a range."""
    spread = bar.high - bar.low
    return (min(bar.open, bar.close) - bar.low) / spread if spread > 0.0 else 0.0


@feature(group="candles", memory=0, warmup=0, unit="fraction", low=-1, high=1)
def wick_balance(state, bar):
    """(lower wick - upper wick) / (lower wick + upper wick); 0 without wicks."""
    upper = bar.high - max(bar.open, bar.close)
    lower = min(bar.open, bar.close) - bar.low
    return (lower - upper) / (lower + upper) if lower + upper > 0.0 else 0.0


@feature(group="candles", memory=3, warmup=1, unit="log")
def gap(state, bar):
    """ln(first open of this session / last close of the session before), through the session.

    0 in the first session, whose gap nobody saw. state: session, its gap, last close.
    """
    first = state[2] == 0.0
    if not first and state[0] != bar.session:
        state[1] = math.log(bar.open / state[2])
    state[0] = bar.session
    state[2] = bar.close
    return np.nan if first else state[1]


@feature(group="candles", memory=2, warmup=1, unit="bars")
def streak(state, bar):
    """Number of closes in a row that rose (positive) or fell (negative); 0 after no change."""
    previous = state[1]
    state[1] = bar.close
    if previous == 0.0:
        return np.nan
    if bar.close > previous:
        state[0] = max(state[0], 0.0) + 1.0
    elif bar.close < previous:
        state[0] = min(state[0], 0.0) - 1.0
    else:
        state[0] = 0.0
    return state[0]
