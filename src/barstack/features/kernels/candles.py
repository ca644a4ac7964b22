"""Candles: the shape of single bars, and how they stand to the bar before."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.ratios import position, share
from ..pieces.rolling import SUM, rolling_mean


@feature(group="candles", memory=0, unit="fraction", low=-1, high=1)
def body(state, bar):
    """(close - open) / (high - low); 0 without a range."""
    return share(bar.close - bar.open, bar.high - bar.low, 0.0)


@feature(group="candles", memory=0, unit="fraction", low=0, high=1)
def upper_wick(state, bar):
    """(high - max(open, close)) / (high - low); 0 without a range."""
    return share(bar.high - max(bar.open, bar.close), bar.high - bar.low, 0.0)


@feature(group="candles", memory=0, unit="fraction", low=0, high=1)
def lower_wick(state, bar):
    """(min(open, close) - low) / (high - low); 0 without a range."""
    return share(min(bar.open, bar.close) - bar.low, bar.high - bar.low, 0.0)


@feature(group="candles", memory=0, unit="fraction", low=-1, high=1)
def wick_balance(state, bar):
    """(lower wick - upper wick) / (lower wick + upper wick); 0 without wicks."""
    upper = bar.high - max(bar.open, bar.close)
    lower = min(bar.open, bar.close) - bar.low
    return share(lower - upper, lower + upper, 0.0)


@feature(group="candles", memory=0, unit="fraction", low=0, high=1)
def close_location(state, bar):
    """(close - low) / (high - low); 0.5 without a range."""
    return position(bar.close, bar.low, bar.high)


@feature(group="candles", memory=1, sessions=1, unit="log")
def gap(state, bar):
    """ln(first open of this session / last close of the session before), through the session."""
    if bar.new_session:
        state[0] = bar.log_gap
    return state[0]


@feature(group="candles", memory=0, warmup=1, unit="log")
def bar_gap(state, bar):
    """ln(open / previous close): nights, breaks, missing bars, and what was never traded."""
    return bar.log_gap


@feature(
    group="candles",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="ratio",
    low=0,
)
def range_expansion(state, bar, window=20):
    """(high - low) / mean of it over `window` bars; 1 where none had a range."""
    return share(bar.high - bar.low, rolling_mean(state, bar.high - bar.low, window), 1.0)


@feature(
    group="candles",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="ratio",
)
def body_expansion(state, bar, window=20):
    """(close - open) / mean of high - low over `window` bars; 0 where none had a range.

    Where `body` tells the shape of a bar, this tells its weight among its neighbours.
    """
    return share(bar.close - bar.open, rolling_mean(state, bar.high - bar.low, window), 0.0)


@feature(
    group="candles",
    memory=lambda window: 1 + SUM + window,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    high=1,
)
def doji(state, bar, window=10):
    """1 where open = close, down to 0 where |close - open| is a tenth of the usual high - low.

    Usual is the mean of the `window` bars before. TA-Lib says doji from 0 on.
    """
    usual = state[0]
    state[0] = 0.1 * rolling_mean(state[1:], bar.high - bar.low, window)
    if math.isnan(bar.previous_close):
        return np.nan
    size = abs(bar.close - bar.open)
    if size >= usual:
        return 1.0 if size == 0.0 else 0.0
    return 1.0 - size / usual


@feature(group="candles", memory=1, warmup=1, unit="bars")
def streak(state, bar):
    """Number of closes in a row that rose (positive) or fell (negative); 0 after no change."""
    if math.isnan(bar.previous_close):
        return np.nan
    if bar.close > bar.previous_close:
        state[0] = max(state[0], 0.0) + 1.0
    elif bar.close < bar.previous_close:
        state[0] = min(state[0], 0.0) - 1.0
    else:
        state[0] = 0.0
    return state[0]
