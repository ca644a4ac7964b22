"""Patterns of two and three candles. Each has a side, 1 up and -1 down, or is there or not."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.rolling import SUM, piece, rolling_mean


@piece
def kept(m, high, low):
    """High and low of the call before; keeps these for the next. Memory: 2."""
    before = m[0], m[1]
    m[0], m[1] = high, low
    return before


@piece
def inside(high, low, of_high, of_low):
    """Whether one range lies in another and is not the same."""
    # Not `and`: where prices decide, a branch is foreseen half of the time.
    return (high <= of_high) & (low >= of_low) & ((high < of_high) | (low > of_low))


@feature(group="candles", memory=2, warmup=1, unit="0 or 1", low=0, high=1)
def inside_bar(state, bar):
    """1 where high and low lie within the bar before and are not both its own, else 0."""
    high, low = kept(state, bar.high, bar.low)
    if math.isnan(bar.previous_close):
        return np.nan
    return 1.0 if inside(bar.high, bar.low, high, low) else 0.0


@feature(group="candles", memory=2, warmup=1, unit="0 or 1", low=0, high=1)
def outside_bar(state, bar):
    """1 where the bar before lies within high and low and has not the same, else 0."""
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
    """Share of inside bars among the last `window`: how far the market has contracted."""
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
    """(Bars with higher high and low - bars with lower high and low) / `window`, in the last of it.

    Each against the bar before it.
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
    """1 where a rising body holds the falling body before it, -1 the reverse, 0 otherwise.

    One end may be shared. A bar without a body is not engulfed.
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

    A move that went on into this bar and was taken back within it.
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
