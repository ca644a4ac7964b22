"""Momentum: how far and how one-sidedly price has moved."""

from __future__ import annotations

import math

import numpy as np

from ._kernel import feature
from ._rolling import EXTREME, LAG, SUM, WILDER, lag, rolling_max, rolling_mean, rolling_min, wilder


@feature(
    group="momentum", memory=lambda window: LAG + window, warmup=lambda window: window, unit="log"
)
def log_return(state, bar, window=1):
    """ln(close / close `window` bars ago)."""
    return math.log(bar.close / lag(state, bar.close, window))


@feature(
    group="momentum",
    memory=2 * WILDER,
    warmup=lambda window: window,
    unit="index",
    low=0,
    high=100,
)
def rsi(state, bar, window=14):
    """Relative strength index: 100 * gains / (gains + losses), each Wilder's mean of price changes.

    50 where nothing moved. Wilder (1978).
    """
    move = bar.close - bar.previous_close
    if math.isnan(move):
        return np.nan
    gain = wilder(state[:WILDER], max(move, 0.0), window)
    loss = wilder(state[WILDER:], max(-move, 0.0), window)
    return 100.0 * gain / (gain + loss) if gain + loss != 0.0 else 50.0


@feature(
    group="momentum",
    memory=lambda window: 2 * (EXTREME + 2 * window),
    warmup=lambda window: window - 1,
    unit="fraction",
    low=0,
    high=1,
)
def stochastic(state, bar, window=14):
    """(close - lowest low) / (highest high - lowest low) over `window` bars; 0.5 without a range.

    Lane (1984), as a fraction.
    """
    half = len(state) // 2
    high, _ = rolling_max(state[:half], bar.high, window)
    low, _ = rolling_min(state[half:], bar.low, window)
    return (bar.close - low) / (high - low) if high != low else 0.5


@feature(
    group="momentum",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="mean deviations",
)
def cci(state, bar, window=20):
    """Commodity channel index: (typical - mean) / (0.015 * mean absolute deviation).

    Typical price is (high + low + close) / 3; 0 without deviation. Lambert (1980). The mean
    deviation is taken about the newest mean, so it costs one pass over the window.
    """
    typical = bar.typical
    mean = rolling_mean(state, typical, window)
    deviation = 0.0
    for place in range(window):
        deviation += abs(state[SUM + place] - mean)
    deviation /= window
    if math.isnan(mean):
        return np.nan
    # Below this the deviation is rounding of equal prices, not movement.
    return (typical - mean) / (0.015 * deviation) if deviation > 1e-12 * mean else 0.0
