"""Volatility: how much price moves, from closes and from the range inside each bar."""

from __future__ import annotations

import math

import numpy as np

from ._kernel import feature
from ._rolling import MOMENTS, SUM, WILDER, rolling_mean, rolling_moments, wilder


@feature(
    group="volatility",
    memory=lambda window: MOMENTS + window,
    warmup=lambda window: window,
    unit="log per bar",
    low=0,
)
def realized_volatility(state, bar, window=20):
    """Sample standard deviation of `window` log returns, close to close."""
    if math.isnan(bar.log_return):
        return np.nan
    _, variance = rolling_moments(state, bar.log_return, window)
    return math.sqrt(variance)


@feature(
    group="volatility",
    memory=WILDER,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    source="Wilder (1978)",
)
def atr(state, bar, window=14):
    """Average true range (Wilder's mean) / close."""
    if math.isnan(bar.true_range):
        return np.nan
    return wilder(state, bar.true_range, window) / bar.close


@feature(
    group="volatility",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="log per bar",
    low=0,
)
def parkinson(state, bar, window=20):
    """sqrt(mean(ln(high / low)^2) / (4 ln 2)). Parkinson (1980)."""
    mean = rolling_mean(state, (bar.log_high - bar.log_low) ** 2, window)
    return math.sqrt(max(mean, 0.0) / (4.0 * math.log(2.0))) if not math.isnan(mean) else np.nan


@feature(
    group="volatility",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="log per bar",
    low=0,
)
def garman_klass(state, bar, window=20):
    """sqrt(mean(ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2)). Garman, Klass (1980)."""
    spread = 0.5 * (bar.log_high - bar.log_low) ** 2
    body = (2.0 * math.log(2.0) - 1.0) * bar.log_close**2
    mean = rolling_mean(state, spread - body, window)
    return math.sqrt(max(mean, 0.0)) if not math.isnan(mean) else np.nan


@feature(
    group="volatility",
    memory=lambda window: MOMENTS + window,
    warmup=lambda window: window - 1,
    unit="standard deviations",
)
def bollinger_position(state, bar, window=20):
    """(close - mean) / standard deviation of `window` closes; 0 where nothing moved.

    Bollinger's bands lie at plus and minus 2.
    """
    mean, variance = rolling_moments(state, bar.close, window)
    # A deviation of less than 1e-9 of the price is rounding, not movement.
    return (bar.close - mean) / math.sqrt(variance) if variance > (1e-9 * mean) ** 2 else 0.0 * mean


@feature(
    group="volatility",
    memory=lambda window: MOMENTS + window,
    warmup=lambda window: window - 1,
    unit="fraction",
    low=0,
)
def bollinger_width(state, bar, window=20):
    """4 standard deviations of `window` closes, divided by their mean."""
    mean, variance = rolling_moments(state, bar.close, window)
    return 4.0 * math.sqrt(variance) / mean


@feature(
    group="volatility",
    memory=lambda window: 2 * (SUM + window),
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    high=1,
)
def downside_share(state, bar, window=20):
    """Share of the sum of squared log returns that came from falls; 0.5 where nothing moved."""
    if math.isnan(bar.log_return):
        return np.nan
    half = len(state) // 2
    falls = rolling_mean(state[:half], min(bar.log_return, 0.0) ** 2, window)
    rises = rolling_mean(state[half:], max(bar.log_return, 0.0) ** 2, window)
    if math.isnan(falls):
        return np.nan
    falls, rises = max(falls, 0.0), max(rises, 0.0)
    return falls / (falls + rises) if falls + rises > 1e-24 else 0.5
