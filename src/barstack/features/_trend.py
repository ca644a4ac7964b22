"""Trend: where price stands against its own smoothed past, and how straight the way there was."""

from __future__ import annotations

import math

import numpy as np

from ._kernel import feature
from ._rolling import (
    EMA,
    EXTREME,
    LAG,
    SUM,
    WILDER,
    ema,
    lag,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_sum,
    wilder,
)


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
    """close / exponential moving average - 1."""
    return bar.close / ema(state, bar.close, span) - 1.0


@feature(
    group="trend",
    memory=EMA + LAG + 5,
    warmup=lambda span: span + 4,
    unit="fraction",
)
def ema_slope(state, bar, span=20):
    """Change of the exponential moving average over 5 bars, as a fraction of it."""
    mean = ema(state[:EMA], bar.close, span)
    if math.isnan(mean):
        return np.nan
    return mean / lag(state[EMA:], mean, 5) - 1.0


@feature(
    group="trend",
    memory=3 * EMA,
    warmup=lambda fast, slow, signal: slow + signal - 2,
    unit="fraction",
)
def macd_histogram(state, bar, fast=12, slow=26, signal=9):
    """(MACD - its signal line) / close, with MACD = EMA(fast) - EMA(slow). Appel (1979)."""
    quick = ema(state[:EMA], bar.close, fast)
    sluggish = ema(state[EMA : 2 * EMA], bar.close, slow)
    if math.isnan(sluggish):
        return np.nan
    macd = quick - sluggish
    return (macd - ema(state[2 * EMA :], macd, signal)) / bar.close


@feature(
    group="trend",
    memory=lambda window: 4 + window,
    warmup=lambda window: window - 1,
    unit="fraction per bar",
)
def regression_slope(state, bar, window=20):
    """Least-squares slope of the last `window` closes against time, divided by the close.

    state holds count, next place, sum of closes, sum of age-weighted closes and the closes.
    """
    head = int(state[1])
    oldest = state[4 + head]
    if state[0] == window:
        # Every close grows one bar older; the one that was `window - 1` bars old falls out.
        state[3] += state[2] - window * oldest
        state[2] += bar.close - oldest
    else:
        state[0] += 1
        state[3] += state[2]
        state[2] += bar.close
    state[4 + head] = bar.close
    head += 1
    if head == window:
        head = 0
        total, weighted = 0.0, 0.0
        for place in range(window):
            total += state[4 + place]
            weighted += (window - 1 - place) * state[4 + place]
        state[2], state[3] = total, weighted
    state[1] = head
    if state[0] < window:
        return np.nan
    mean_age = 0.5 * (window - 1)
    spread = window * (window * window - 1) / 12.0
    return -(state[3] - mean_age * state[2]) / spread / bar.close


@feature(
    group="trend",
    memory=lambda window: LAG + window + SUM + window,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    high=1,
)
def efficiency(state, bar, window=20):
    """Net move over `window` bars divided by the way travelled; 0 where nothing moved.

    Kaufman (1995), efficiency ratio.
    """
    newest = int(state[1]) - 1
    if newest < 0:
        newest = window - 1
    previous = state[LAG + newest]
    old = lag(state[: LAG + window], bar.close, window)
    if previous == 0.0:
        return np.nan
    way = rolling_sum(state[LAG + window :], abs(bar.close - previous), window)
    if math.isnan(way):
        return np.nan
    return min(abs(bar.close - old) / way, 1.0) if way > 1e-12 * bar.close else 0.0


@feature(
    group="trend",
    memory=lambda window: 2 * (EXTREME + 2 * (window + 1)),
    warmup=lambda window: window,
    unit="index",
    low=-100,
    high=100,
)
def aroon(state, bar, window=25):
    """Aroon oscillator: 100 * (bars since low - bars since high) / window. Chande (1995)."""
    half = len(state) // 2
    _, since_high = rolling_max(state[:half], bar.high, window + 1)
    _, since_low = rolling_min(state[half:], bar.low, window + 1)
    return 100.0 * (since_low - since_high) / window


@feature(
    group="trend",
    memory=3 + 4 * WILDER,
    warmup=lambda window: 2 * window - 1,
    unit="index",
    low=0,
    high=100,
)
def adx(state, bar, window=14):
    """Average directional index: Wilder's mean of 100 |+DI - -DI| / (+DI + -DI), Wilder (1978)."""
    high, low, close = state[0], state[1], state[2]
    state[0], state[1], state[2] = bar.high, bar.low, bar.close
    if close == 0.0:
        return np.nan
    up, down = bar.high - high, low - bar.low
    true_range = max(bar.high, close) - min(bar.low, close)
    plus = wilder(state[3:5], up if up > down and up > 0.0 else 0.0, window)
    minus = wilder(state[5:7], down if down > up and down > 0.0 else 0.0, window)
    range_ = wilder(state[7:9], true_range, window)
    if math.isnan(range_):
        return np.nan
    both = plus + minus
    return wilder(state[9:], 100.0 * abs(plus - minus) / both if both > 0.0 else 0.0, window)
