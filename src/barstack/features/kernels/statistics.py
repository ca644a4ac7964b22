"""Statistics of recent returns beyond mean and variance: shape, ranks and quantiles."""

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
from ..pieces.sorted import quantile, rank_memory, rolling_rank, sort_in, sorted_memory


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

    The share of a deviation that reverts within one bar: 0 for a random walk, half-life ln(0.5) /
    ln(b). Clipped to 0 and 2; 0 where nothing moved. In short windows even a random walk has about
    5 / window.
    """
    if math.isnan(bar.previous_close):
        return np.nan
    _, variance, both = rolling_covariance(state, bar.close, bar.previous_close, window)
    if math.isnan(variance):
        return np.nan
    return min(max(1.0 - both / variance, 0.0), 2.0) if variance > 0.0 else 0.0


@feature(
    group="statistics",
    memory=rank_memory,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    high=1,
)
def return_rank(state, bar, window=100):
    """Share of the other log returns among the last `window` below the newest; ties count half.

    0.5 where nothing moved.
    """
    if math.isnan(bar.log_return):
        return np.nan
    # Moves of equally many ticks are equal: rounding must not order them.
    return rolling_rank(state, np.float64(np.float32(bar.log_return)), window)


@feature(
    group="statistics",
    memory=sorted_memory,
    warmup=lambda window: window - 1,
    unit="fraction",
)
def median_distance(state, bar, window=50):
    """close / median of `window` closes - 1."""
    full = sort_in(state, bar.close, window)
    return bar.close / quantile(state, 0.5, window) - 1.0 if full else np.nan


@feature(
    group="statistics",
    memory=sorted_memory,
    warmup=lambda window: window - 1,
    unit="fraction",
)
def quantile_position(state, bar, window=100):
    """(close - 10% quantile) / (90% quantile - 10% quantile) of `window` closes.

    More robust to single spikes than `stochastic`; clipped to -1 and 2, 0.5 where quantiles are
    equal.
    """
    if not sort_in(state, bar.close, window):
        return np.nan
    low = quantile(state, 0.1, window)
    spread = quantile(state, 0.9, window) - low
    return min(max((bar.close - low) / spread, -1.0), 2.0) if spread > 0.0 else 0.5


@feature(
    group="statistics",
    memory=sorted_memory,
    warmup=lambda window: window,
    unit="log per bar",
    low=0,
)
def quantile_range(state, bar, window=100):
    """(75% quantile - 25% quantile) / 1.349 of `window` log returns.

    A robust standard deviation: 1.349 is the interquartile range of the standard normal.
    """
    if math.isnan(bar.log_return) or not sort_in(state, bar.log_return, window):
        return np.nan
    return (quantile(state, 0.75, window) - quantile(state, 0.25, window)) / 1.349
