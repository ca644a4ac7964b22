"""Candles: the shape of a bar, how it stands to the bar before, and patterns of two and three.

A pattern has a side, 1 up and -1 down, or is 1 where it is present and 0 elsewhere.
"""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.ratios import position, share
from ..pieces.rolling import SUM, piece, rolling_mean


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
    """ln(first open of this session / last close of the previous one), constant through it."""
    if bar.new_session:
        state[0] = bar.log_gap
    return state[0]


@feature(group="candles", memory=0, warmup=1, unit="log")
def bar_gap(state, bar):
    """ln(open / previous close): the gap between two bars, nights and breaks included."""
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

    `body` measures the shape of a bar, this its size relative to recent bars.
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

    The usual range is the mean of the previous `window` bars. TA-Lib's doji are values of 0 or
    more.
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


@piece
def kept(m, high, low):
    """High and low of the previous call; stores these for the next. Memory: 2."""
    before = m[0], m[1]
    m[0], m[1] = high, low
    return before


@piece
def inside(high, low, of_high, of_low):
    """Whether one range lies within another and differs from it."""
    # Not `and`: a branch on prices is mispredicted half of the time.
    return (high <= of_high) & (low >= of_low) & ((high < of_high) | (low > of_low))


@feature(group="candles", memory=2, warmup=1, unit="0 or 1", low=0, high=1)
def inside_bar(state, bar):
    """1 if the bar's range lies within the previous bar's and differs from it, else 0."""
    high, low = kept(state, bar.high, bar.low)
    if math.isnan(bar.previous_close):
        return np.nan
    return 1.0 if inside(bar.high, bar.low, high, low) else 0.0


@feature(group="candles", memory=2, warmup=1, unit="0 or 1", low=0, high=1)
def outside_bar(state, bar):
    """1 if the previous bar's range lies within this bar's and differs from it, else 0."""
    high, low = kept(state, bar.high, bar.low)
    if math.isnan(bar.previous_close):
        return np.nan
    return 1.0 if inside(high, low, bar.high, bar.low) else 0.0


@feature(
    group="candles",
    memory=lambda window: 2 + SUM + window,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    high=1,
)
def inside_bars(state, bar, window=10):
    """Share of inside bars among the last `window`: a measure of contraction."""
    high, low = kept(state, bar.high, bar.low)
    if math.isnan(bar.previous_close):
        return np.nan
    return rolling_mean(state[2:], 1.0 if inside(bar.high, bar.low, high, low) else 0.0, window)


@feature(
    group="candles",
    memory=lambda window: 2 + SUM + window,
    warmup=lambda window: window,
    unit="fraction",
    low=-1,
    high=1,
)
def higher_highs(state, bar, window=10):
    """(Bars with higher high and low - those with lower high and low) / `window`, of `window` bars.

    Each bar is compared with the one before it.
    """
    high, low = kept(state, bar.high, bar.low)
    if math.isnan(bar.previous_close):
        return np.nan
    side = 0.0
    if bar.high > high and bar.low > low:
        side = 1.0
    elif bar.high < high and bar.low < low:
        side = -1.0
    return rolling_mean(state[2:], side, window)


@feature(group="candles", memory=2, warmup=1, unit="side", low=-1, high=1, source="Nison (1991)")
def engulfing(state, bar):
    """1 if a rising body engulfs the falling body before it, -1 the reverse, 0 otherwise.

    One end may coincide. A bar without a body is not engulfed.
    """
    opened, closed = kept(state, bar.open, bar.close)
    if math.isnan(bar.previous_close):
        return np.nan
    if closed < opened and inside(opened, closed, bar.close, bar.open):
        return 1.0
    if closed > opened and inside(closed, opened, bar.open, bar.close):
        return -1.0
    return 0.0


@feature(group="candles", memory=2, warmup=1, unit="side", low=-1, high=1)
def key_reversal(state, bar):
    """1 where the low is lower but the close higher than of the bar before, -1 where the high is
    higher but the close lower, else 0.

    The move continued into this bar and was reversed within it.
    """
    high, low = kept(state, bar.high, bar.low)
    if math.isnan(bar.previous_close):
        return np.nan
    if bar.low < low and bar.close > bar.previous_close:
        return 1.0
    if bar.high > high and bar.close < bar.previous_close:
        return -1.0
    return 0.0


@feature(group="candles", memory=4, warmup=2, unit="side", low=-1, high=1)
def three_bar_reversal(state, bar):
    """1 where the lowest low of three bars is the middle one's and the close is above its high,
    -1 where the highest high is the middle one's and the close is below its low, else 0.
    """
    # state: high and low of the bar before, and of the one before it.
    first_high, first_low = state[2], state[3]
    high, low = kept(state, bar.high, bar.low)
    state[2], state[3] = high, low
    if first_high == 0.0:
        return np.nan
    if low < first_low and low < bar.low and bar.close > high:
        return 1.0
    if high > first_high and high > bar.high and bar.close < low:
        return -1.0
    return 0.0
