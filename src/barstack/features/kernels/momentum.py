"""Momentum: how far and how one-sidedly price has moved, and its place in its recent range."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.extremes import RANGE, rolling_range
from ..pieces.rolling import (
    EMA,
    FADED,
    LAG,
    SUM,
    WILDER,
    ema,
    lag,
    piece,
    rolling_mean,
    rolling_sum,
    wilder,
)


@feature(
    group="momentum", memory=lambda window: SUM + window, warmup=lambda window: window, unit="log"
)
def log_return(state, bar, window=1):
    """ln(close / close `window` bars ago)."""
    if math.isnan(bar.log_return):
        return np.nan
    return rolling_sum(state, bar.log_return, window)


@feature(
    group="momentum",
    memory=lambda window: LAG + window,
    warmup=lambda window: window,
    unit="fraction",
    low=-1,
)
def simple_return(state, bar, window=10):
    """close / close `window` bars ago - 1, the rate of change."""
    return bar.close / lag(state, bar.close, window) - 1.0


@feature(
    group="momentum",
    memory=lambda window: 2 * (SUM + window),
    warmup=lambda window: window,
    unit="standard deviations",
)
def scaled_return(state, bar, window=20):
    """ln(close / close `window` bars ago) / sqrt(sum of squared log returns over them).

    About -1 to 1 for a random walk, at most sqrt(window) either way; 0 where nothing moved.
    """
    if math.isnan(bar.log_return):
        return np.nan
    move = rolling_sum(state[: SUM + window], bar.log_return, window)
    squares = rolling_sum(state[SUM + window :], bar.log_return * bar.log_return, window)
    return 0.0 if squares == 0.0 else move / math.sqrt(squares)


@feature(
    group="momentum",
    memory=lambda window: SUM + window + LAG + window,
    warmup=lambda window: 2 * window,
    unit="log",
)
def acceleration(state, bar, window=10):
    """Log return of the last `window` bars minus that of the `window` bars before."""
    if math.isnan(bar.log_return):
        return np.nan
    move = rolling_sum(state[: SUM + window], bar.log_return, window)
    if math.isnan(move):
        return np.nan
    return move - lag(state[SUM + window :], move, window)


@piece
def _strength(m, move, window):
    """100 * gains / (gains + losses), each Wilder's mean; 50 before any move.

    Unchanged while the price does not move.
    """
    gain, both = m[1], m[1] + m[WILDER + 1]
    if move != 0.0 or m[0] < window or both > FADED:
        gain = wilder(m[:WILDER], max(move, 0.0), window)
        both = gain + wilder(m[WILDER:], max(-move, 0.0), window)
    return 50.0 if both == 0.0 else 100.0 * gain / both


@piece
def _stochastic(m, high, low, close, window):
    """(close - lowest low) / (highest high - lowest low); 0.5 without a range."""
    high, low = rolling_range(m, high, low, window)
    return 0.5 if high == low else (close - low) / (high - low)


@feature(
    group="momentum",
    memory=2 * WILDER,
    warmup=lambda window: window,
    unit="index",
    low=0,
    high=100,
    source="Wilder (1978)",
)
def rsi(state, bar, window=14):
    """Relative strength index: 100 * gains / (gains + losses), each Wilder's mean of price changes.

    50 before any move; unchanged while the price does not move.
    """
    if math.isnan(bar.previous_close):
        return np.nan
    return _strength(state, bar.close - bar.previous_close, window)


@feature(
    group="momentum",
    memory=lambda window: RANGE + 2 * window,
    warmup=lambda window: window - 1,
    unit="fraction",
    low=0,
    high=1,
    source="Lane (1984)",
)
def stochastic(state, bar, window=14):
    """(close - lowest low) / (highest high - lowest low) over `window` bars; 0.5 without a range.

    The %K line as a fraction.
    """
    return _stochastic(state, bar.high, bar.low, bar.close, window)


@feature(
    group="momentum",
    memory=lambda window, smooth: RANGE + 2 * window + SUM + smooth,
    warmup=lambda window, smooth: window + smooth - 2,
    unit="fraction",
    low=0,
    high=1,
    source="Lane (1984)",
)
def stochastic_d(state, bar, window=14, smooth=3):
    """Mean of the last `smooth` values of `stochastic`: the %D line as a fraction."""
    split = RANGE + 2 * window
    line = _stochastic(state[:split], bar.high, bar.low, bar.close, window)
    return np.nan if math.isnan(line) else rolling_mean(state[split:], line, smooth)


@feature(
    group="momentum",
    memory=lambda window: 2 * WILDER + RANGE + 2 * window,
    warmup=lambda window: 2 * window - 1,
    unit="fraction",
    low=0,
    high=1,
    source="Chande, Kroll (1994)",
)
def stochastic_rsi(state, bar, window=14):
    """(RSI - its lowest) / (its highest - its lowest) over `window` bars; 0.5 without a range."""
    if math.isnan(bar.previous_close):
        return np.nan
    strength = _strength(state[: 2 * WILDER], bar.close - bar.previous_close, window)
    if math.isnan(strength):
        return np.nan
    high, low = rolling_range(state[2 * WILDER :], strength, strength, window)
    # While the price does not move, RSI changes by rounding only.
    return 0.5 if high - low < 1e-9 else (strength - low) / (high - low)


@feature(
    group="momentum",
    memory=lambda window: RANGE + 2 * window,
    warmup=lambda window: window - 1,
    unit="index",
    low=-100,
    high=0,
    source="Williams (1973)",
)
def williams_r(state, bar, window=14):
    """-100 * (highest high - close) / (highest high - lowest low); -50 without a range."""
    return 100.0 * _stochastic(state, bar.high, bar.low, bar.close, window) - 100.0


@feature(
    group="momentum",
    memory=lambda window: SUM + window + LAG + window,
    warmup=lambda window: window - 1,
    unit="mean deviations",
    source="Lambert (1980)",
)
def cci(state, bar, window=20):
    """Commodity channel index: (typical - mean) / (0.015 * mean absolute deviation).

    Typical price is (high + low + close) / 3; 0 without deviation. Deviations are from the newest
    mean, which costs one pass over the window.
    """
    mean = rolling_mean(state[: SUM + window], bar.typical, window)
    ring = state[SUM + window :]
    place = int(ring[0])
    ring[LAG + place] = bar.typical
    ring[0] = ring[0] + 1.0 if place < window - 1 else 0.0
    if math.isnan(mean):
        return np.nan
    deviation = 0.0
    for each in range(LAG, LAG + window):
        deviation += abs(ring[each] - mean)
    deviation *= 1.0 / window
    # Below this the deviation is rounding of equal prices, not movement.
    return (bar.typical - mean) / (0.015 * deviation) if deviation > 1e-12 * mean else 0.0


@feature(
    group="momentum",
    memory=3 * EMA + 1,
    warmup=lambda span: 3 * (span - 1) + 1,
    unit="fraction",
    source="Hutson (1983)",
)
def trix(state, bar, span=15):
    """One-bar relative change of the close smoothed by three successive EMAs."""
    once = ema(state[1 : 1 + EMA], bar.close, span)
    if math.isnan(once):
        return np.nan
    twice = ema(state[1 + EMA : 1 + 2 * EMA], once, span)
    if math.isnan(twice):
        return np.nan
    thrice = ema(state[1 + 2 * EMA :], twice, span)
    if math.isnan(thrice):
        return np.nan
    before = state[0]
    state[0] = thrice
    return thrice / before - 1.0 if before > 0.0 else np.nan


@feature(
    group="momentum",
    memory=lambda window: 2 * (SUM + window),
    warmup=lambda window: window,
    unit="index",
    low=-100,
    high=100,
    source="Chande (1994)",
)
def cmo(state, bar, window=14):
    """Chande momentum: 100 * (gains - losses) / (gains + losses), sums over `window` bars.

    0 where nothing moved.
    """
    if math.isnan(bar.previous_close):
        return np.nan
    move = bar.close - bar.previous_close
    gains = rolling_sum(state[: SUM + window], max(move, 0.0), window)
    losses = rolling_sum(state[SUM + window :], max(-move, 0.0), window)
    both = gains + losses
    return 0.0 if both == 0.0 else 100.0 * (gains - losses) / both


@piece
def _pressure(m, bought, true_range, window):
    """Sum of `bought` / sum of true ranges; 0.5 where nothing moved. Memory: 2 * (SUM + window)."""
    ranges = rolling_sum(m[: SUM + window], true_range, window)
    share = rolling_sum(m[SUM + window :], bought, window) / ranges
    return 0.5 if ranges == 0.0 else share


@feature(
    group="momentum",
    memory=lambda short, middle, long: 2 * (3 * SUM + short + middle + long),
    warmup=max,
    unit="index",
    low=0,
    high=100,
    source="Williams (1985)",
)
def ultimate_oscillator(state, bar, short=7, middle=14, long=28):
    """100 * (4 p(short) + 2 p(middle) + p(long)) / 7, p = buying pressure / true range, summed.

    Buying pressure is close - min(low, close before); 50 where nothing moved.
    """
    if math.isnan(bar.true_range):
        return np.nan
    bought = bar.close - min(bar.low, bar.previous_close)
    first, second = 2 * (SUM + short), 2 * (2 * SUM + short + middle)
    quick = _pressure(state[:first], bought, bar.true_range, short)
    usual = _pressure(state[first:second], bought, bar.true_range, middle)
    slow = _pressure(state[second:], bought, bar.true_range, long)
    return (4.0 * quick + 2.0 * usual + slow) * (100.0 / 7.0)


@feature(
    group="momentum",
    memory=4 * EMA,
    warmup=lambda slow, fast: slow + fast - 1,
    unit="index",
    low=-100,
    high=100,
    source="Blau (1991)",
)
def true_strength(state, bar, slow=25, fast=13):
    """100 * EMA(EMA(change, slow), fast) / EMA(EMA(|change|, slow), fast).

    0 before any move; converges while the price does not move.
    """
    if math.isnan(bar.previous_close):
        return np.nan
    move = bar.close - bar.previous_close
    moves, sizes = state[2 * EMA + 1], state[3 * EMA + 1]
    if move != 0.0 or state[3 * EMA] < fast or sizes > FADED:
        moves = ema(state[:EMA], move, slow)
        sizes = ema(state[EMA : 2 * EMA], abs(move), slow)
        if math.isnan(moves):
            return np.nan
        moves = ema(state[2 * EMA : 3 * EMA], moves, fast)
        sizes = ema(state[3 * EMA :], sizes, fast)
    return 0.0 if sizes == 0.0 else 100.0 * moves / sizes
