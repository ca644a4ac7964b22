"""Cross-symbol features: how a symbol stands to the mean of the others. They need several."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.rolling import SUM, piece, rolling_mean, rolling_sum


@piece
def _line(m, x, y, window):
    """(mean of x, mean of y, slope of y on x, variance of x). Memory: 4 * (SUM + window)."""
    if math.isnan(x):
        return np.nan, np.nan, np.nan, np.nan
    part = len(m) // 4
    mean_x = rolling_mean(m[:part], x, window)
    mean_y = rolling_mean(m[part : 2 * part], y, window)
    variance = rolling_mean(m[2 * part : 3 * part], x * x, window) - mean_x * mean_x
    covariance = rolling_mean(m[3 * part :], x * y, window) - mean_x * mean_y
    # Below this the others' moves are rounding. NaN passes by, as it compares false.
    slope = 0.0 if variance < 1e-24 else covariance / variance
    return mean_x, mean_y, slope, max(variance, 0.0)


@feature(
    group="market", memory=lambda window: SUM + window, warmup=lambda window: window, unit="log"
)
def market_return(state, bar, window=1):
    """Mean log return of the other symbols over `window` bars of this one."""
    if math.isnan(bar.market_return):
        return np.nan
    return rolling_sum(state, bar.market_return, window)


@feature(
    group="market", memory=lambda window: SUM + window, warmup=lambda window: window, unit="log"
)
def relative_strength(state, bar, window=20):
    """Log return over `window` bars minus that of the others."""
    if math.isnan(bar.market_return):
        return np.nan
    return rolling_sum(state, bar.log_return - bar.market_return, window)


@feature(
    group="market",
    memory=lambda window: 4 * (SUM + window),
    warmup=lambda window: window,
    unit="slope",
)
def beta(state, bar, window=60):
    """Slope of the log return on that of the others, least squares over `window` bars.

    0 where the others did not move.
    """
    _, _, slope, _ = _line(state, bar.market_return, bar.log_return, window)
    return slope


@feature(
    group="market",
    memory=lambda window: 4 * (SUM + window),
    warmup=lambda window: window,
    unit="log",
)
def residual_return(state, bar, window=60):
    """Log return minus its fitted value from the regression of `beta`."""
    mean_market, mean, slope, _ = _line(state, bar.market_return, bar.log_return, window)
    return bar.log_return - mean - slope * (bar.market_return - mean_market)


@feature(
    group="market",
    memory=lambda window: 5 * (SUM + window),
    warmup=lambda window: window,
    unit="correlation",
    low=-1,
    high=1,
)
def market_correlation(state, bar, window=60):
    """Correlation of the log return with that of the others over `window` bars.

    0 where either did not move.
    """
    part = len(state) // 5
    _, mean, slope, variance_market = _line(
        state[: 4 * part], bar.market_return, bar.log_return, window
    )
    if math.isnan(bar.log_return):
        return np.nan
    variance = rolling_mean(state[4 * part :], bar.log_return * bar.log_return, window) - mean**2
    if math.isnan(variance):
        return np.nan
    if variance < 1e-24:
        return 0.0
    return min(max(slope * math.sqrt(variance_market / variance), -1.0), 1.0)


@feature(
    group="market",
    memory=lambda window: SUM + window,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    high=1,
)
def breadth(state, bar, window=1):
    """Share of the other symbols that rose, mean of `window` bars."""
    if math.isnan(bar.breadth):
        return np.nan
    return min(max(rolling_mean(state, bar.breadth, window), 0.0), 1.0)


@feature(
    group="market",
    memory=lambda window: SUM + window,
    warmup=lambda window: window,
    unit="log",
    low=0,
)
def dispersion(state, bar, window=1):
    """Standard deviation of all symbols' log returns at this moment, mean of `window` bars."""
    if math.isnan(bar.dispersion):
        return np.nan
    return max(rolling_mean(state, bar.dispersion, window), 0.0)


@feature(
    group="market",
    memory=lambda window: SUM + window,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    high=1,
)
def cross_rank(state, bar, window=1):
    """Share of the other symbols whose log return is lower now, mean of `window` bars."""
    if math.isnan(bar.rank_now):
        return np.nan
    return min(max(rolling_mean(state, bar.rank_now, window), 0.0), 1.0)
