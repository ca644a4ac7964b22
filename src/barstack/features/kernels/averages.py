"""Averages of the close: how far price stands from them, how they lean, how they cross."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.rolling import (
    EMA,
    LAG,
    SUM,
    WEIGHTED,
    ema,
    lag,
    rolling_mean,
    rolling_sum,
    weighted_mean,
)

_SLOPE_BARS = 5


@feature(
    group="trend",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="fraction",
)
def sma_distance(state, bar, window=20):
    """close / simple moving average of `window` closes - 1."""
    return bar.close / rolling_mean(state, bar.close, window) - 1.0


@feature(group="trend", memory=EMA, warmup=lambda span: span - 1, unit="fraction")
def ema_distance(state, bar, span=20):
    """close / exponential moving average - 1; each bar weighs 2 / (span + 1).

    The average begins at the first close.
    """
    return bar.close / ema(state, bar.close, span) - 1.0


@feature(
    group="trend",
    memory=lambda window: WEIGHTED + window,
    warmup=lambda window: window - 1,
    unit="fraction",
)
def wma_distance(state, bar, window=20):
    """close / mean of `window` closes with weights `window` (the newest) down to 1 - 1."""
    return bar.close / weighted_mean(state, bar.close, window) - 1.0


@feature(
    group="trend",
    memory=lambda window: 3 * WEIGHTED + max(window // 2, 1) + window + int(math.sqrt(window)),
    warmup=lambda window: window - 2 + int(math.sqrt(window)),
    unit="fraction",
    source="Hull (2005)",
)
def hma_distance(state, bar, window=20):
    """close / WMA(2 WMA(close, window / 2) - WMA(close, window), sqrt(window)) - 1."""
    half, root = max(window // 2, 1), int(math.sqrt(window))
    long, smooth = WEIGHTED + half, 2 * WEIGHTED + half + window
    quick = weighted_mean(state[:long], bar.close, half)
    slow = weighted_mean(state[long:smooth], bar.close, window)
    if math.isnan(slow):
        return np.nan
    return bar.close / weighted_mean(state[smooth:], 2.0 * quick - slow, root) - 1.0


@feature(
    group="trend",
    memory=2 * EMA,
    warmup=lambda span: 2 * (span - 1),
    unit="fraction",
    source="Mulloy (1994)",
)
def dema_distance(state, bar, span=20):
    """close / (2 EMA - EMA of EMA) - 1."""
    once = ema(state[:EMA], bar.close, span)
    if math.isnan(once):
        return np.nan
    twice = ema(state[EMA:], once, span)
    return bar.close / (2.0 * once - twice) - 1.0


@feature(
    group="trend",
    memory=3 * EMA,
    warmup=lambda span: 3 * (span - 1),
    unit="fraction",
    source="Mulloy (1994)",
)
def tema_distance(state, bar, span=20):
    """close / (3 EMA - 3 EMA of EMA + EMA of EMA of EMA) - 1."""
    once = ema(state[:EMA], bar.close, span)
    if math.isnan(once):
        return np.nan
    twice = ema(state[EMA : 2 * EMA], once, span)
    if math.isnan(twice):
        return np.nan
    thrice = ema(state[2 * EMA :], twice, span)
    return bar.close / (3.0 * (once - twice) + thrice) - 1.0


@feature(
    group="trend",
    memory=lambda window, fast, slow: 1 + LAG + window + SUM + window,
    warmup=lambda window, fast, slow: window,
    unit="fraction",
    source="Kaufman (1995)",
)
def kama_distance(state, bar, window=10, fast=2, slow=30):
    """close / Kaufman's adaptive average - 1: an EMA whose weight follows the efficiency ratio.

    weight = (efficiency * (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1))^2. It begins at the
    last close before its first value. Where nothing moved, efficiency counts as 1.
    """
    old = lag(state[1 : 1 + LAG + window], bar.close, window)
    if math.isnan(bar.previous_close):
        return np.nan
    way = rolling_sum(state[1 + LAG + window :], abs(bar.close - bar.previous_close), window)
    if math.isnan(way):
        return np.nan
    if state[0] == 0.0:
        state[0] = bar.previous_close
    efficiency = min(abs(bar.close - old) / way, 1.0) if way > 0.0 else 1.0
    slowest = 2.0 / (slow + 1.0)
    weight = efficiency * (2.0 / (fast + 1.0) - slowest) + slowest
    state[0] += weight * weight * (bar.close - state[0])
    return bar.close / state[0] - 1.0


@feature(
    group="trend",
    memory=lambda window: SUM + window + LAG + _SLOPE_BARS,
    warmup=lambda window: window - 1 + _SLOPE_BARS,
    unit="fraction",
)
def sma_slope(state, bar, window=20):
    """Change of the simple moving average over 5 bars, as a fraction of it."""
    mean = rolling_mean(state[: SUM + window], bar.close, window)
    if math.isnan(mean):
        return np.nan
    return mean / lag(state[SUM + window :], mean, _SLOPE_BARS) - 1.0


@feature(
    group="trend",
    memory=EMA + LAG + _SLOPE_BARS,
    warmup=lambda span: span - 1 + _SLOPE_BARS,
    unit="fraction",
)
def ema_slope(state, bar, span=20):
    """Change of the exponential moving average over 5 bars, as a fraction of it."""
    mean = ema(state[:EMA], bar.close, span)
    if math.isnan(mean):
        return np.nan
    return mean / lag(state[EMA:], mean, _SLOPE_BARS) - 1.0


@feature(
    group="trend",
    memory=lambda fast, slow: 2 * SUM + fast + slow,
    warmup=lambda fast, slow: max(fast, slow) - 1,
    unit="fraction",
)
def sma_cross(state, bar, fast=10, slow=50):
    """Simple moving average of `fast` closes / that of `slow` closes - 1."""
    quick = rolling_mean(state[: SUM + fast], bar.close, fast)
    return quick / rolling_mean(state[SUM + fast :], bar.close, slow) - 1.0


@feature(
    group="trend",
    memory=2 * EMA,
    warmup=lambda fast, slow: max(fast, slow) - 1,
    unit="fraction",
    source="Appel (1979)",
)
def macd(state, bar, fast=12, slow=26):
    """(EMA(fast) - EMA(slow)) / close."""
    quick = ema(state[:EMA], bar.close, fast)
    return (quick - ema(state[EMA:], bar.close, slow)) / bar.close


@feature(
    group="trend",
    memory=3 * EMA,
    warmup=lambda fast, slow, signal: max(fast, slow) + signal - 2,
    unit="fraction",
    source="Appel (1979)",
)
def macd_histogram(state, bar, fast=12, slow=26, signal=9):
    """(MACD - its EMA over `signal` bars) / close, with MACD = EMA(fast) - EMA(slow).

    The signal line begins at the first MACD past its own warm-up.
    """
    line = ema(state[:EMA], bar.close, fast) - ema(state[EMA : 2 * EMA], bar.close, slow)
    if math.isnan(line):
        return np.nan
    return (line - ema(state[2 * EMA :], line, signal)) / bar.close
