"""Statistics of recent returns beyond their mean and variance."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.moments import (
    COVARIANCE,
    MOMENTS,
    POWERS,
    rolling_covariance,
    rolling_moments,
    rolling_powers,
)


@feature(
    group="statistics",
    memory=lambda window: MOMENTS + 2 * window,
    warmup=lambda window: window,
    unit="standard deviations",
    least=2,
)
def return_zscore(state, bar, window=50):
    """(log return - mean) / standard deviation of `window` log returns; 0 where all are equal."""
    if math.isnan(bar.log_return):
        return np.nan
    mean, variance = rolling_moments(state, bar.log_return, window)
    return 0.0 if variance == 0.0 else (bar.log_return - mean) / math.sqrt(variance)


@feature(
    group="statistics",
    memory=lambda window: POWERS + 4 * window,
    warmup=lambda window: window,
    unit="skewness",
)
def skewness(state, bar, window=50):
    """mean((r - m)^3) / mean((r - m)^2)^1.5 of `window` log returns r of mean m.

    At most sqrt(window) either way; 0 where all are equal.
    """
    if math.isnan(bar.log_return):
        return np.nan
    second, third, _ = rolling_powers(state, bar.log_return, window)
    return third / (second * math.sqrt(second)) if second != 0.0 else 0.0


@feature(
    group="statistics",
    memory=lambda window: POWERS + 4 * window,
    warmup=lambda window: window,
    unit="excess kurtosis",
    low=-2,
)
def kurtosis(state, bar, window=50):
    """mean((r - m)^4) / mean((r - m)^2)^2 - 3 of `window` log returns r of mean m.

    0 for a normal distribution and where all are equal, at most `window` - 3.
    """
    if math.isnan(bar.log_return):
        return np.nan
    second, _, fourth = rolling_powers(state, bar.log_return, window)
    return fourth / (second * second) - 3.0 if second != 0.0 else 0.0


@feature(
    group="statistics",
    memory=lambda window: COVARIANCE + 5 * window,
    warmup=lambda window: window,
    unit="per bar",
    low=0,
    high=2,
    source="Uhlenbeck, Ornstein (1930)",
)
def reversion_speed(state, bar, window=50):
    """1 - b, b the least-squares slope of the close on the close before, over `window` bars.

    The part of a deviation that is gone one bar later: 0 for a random walk, half-life ln(0.5) /
    ln(b). Cut at 0 and 2; 0 where nothing moved. In short windows even a random walk shows about
    5 / window.
    """
    if math.isnan(bar.previous_close):
        return np.nan
    _, variance, both = rolling_covariance(state, bar.close, bar.previous_close, window)
    if math.isnan(variance):
        return np.nan
    return min(max(1.0 - both / variance, 0.0), 2.0) if variance > 0.0 else 0.0
