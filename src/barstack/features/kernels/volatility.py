"""Volatility of returns, close to close: its size, its sides, its jumps, its own unrest."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.moments import MOMENTS, rolling_moments
from ..pieces.rolling import EMA, SUM, ema, piece, rolling_mean, rolling_sum


@feature(
    group="volatility",
    memory=lambda window: MOMENTS + 2 * window,
    warmup=lambda window: window,
    unit="log per bar",
    low=0,
    least=2,
)
def realized_volatility(state, bar, window=20):
    """Sample standard deviation of `window` log returns, close to close."""
    if math.isnan(bar.log_return):
        return np.nan
    _, variance = rolling_moments(state, bar.log_return, window)
    return math.sqrt(variance)


@feature(
    group="volatility",
    memory=EMA,
    warmup=lambda span: span,
    unit="log per bar",
    low=0,
    source="RiskMetrics (1996)",
)
def ewma_volatility(state, bar, span=32):
    """sqrt(exponential mean of squared log returns); each bar weighs 2 / (span + 1).

    A span of 32 is RiskMetrics' decay of 0.94. The mean begins at the first square.
    """
    if math.isnan(bar.log_return):
        return np.nan
    return math.sqrt(ema(state, bar.log_return * bar.log_return, span))


@feature(
    group="volatility",
    memory=lambda window: 2 * (MOMENTS + 2 * window),
    warmup=lambda window: 2 * window - 1,
    unit="fraction",
    low=0,
    least=2,
)
def vol_of_vol(state, bar, window=20):
    """Standard deviation of the last `window` values of `realized_volatility`, over their mean.

    0 where nothing moved.
    """
    if math.isnan(bar.log_return):
        return np.nan
    half = MOMENTS + 2 * window
    _, variance = rolling_moments(state[:half], bar.log_return, window)
    if math.isnan(variance):
        return np.nan
    mean, variance = rolling_moments(state[half:], math.sqrt(variance), window)
    return 0.0 if variance == 0.0 else math.sqrt(variance) / mean


@feature(
    group="volatility",
    memory=lambda short, long: 2 * SUM + short + long,
    warmup=max,
    unit="ratio",
    low=0,
)
def volatility_ratio(state, bar, short=10, long=100):
    """sqrt(mean squared log return of `short` bars / that of `long` bars); 1 where nothing moved.

    At most sqrt(long / short).
    """
    if math.isnan(bar.log_return):
        return np.nan
    square = bar.log_return * bar.log_return
    recent = rolling_mean(state[: SUM + short], square, short)
    usual = rolling_mean(state[SUM + short :], square, long)
    if math.isnan(recent):
        return np.nan
    return 1.0 if usual == 0.0 else math.sqrt(recent / usual)


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
    square = bar.log_return * bar.log_return
    half = SUM + window
    falls = rolling_sum(state[:half], square if bar.log_return < 0.0 else 0.0, window)
    both = falls + rolling_sum(state[half:], square if bar.log_return > 0.0 else 0.0, window)
    return 0.5 if both == 0.0 else falls / both


@piece
def _semideviation(m, move, window):
    """sqrt(mean of max(move, 0)^2) over `window` moves. Memory: SUM + window."""
    rise = max(move, 0.0)
    return math.sqrt(rolling_mean(m, rise * rise, window))


@feature(
    group="volatility",
    memory=lambda window: SUM + window,
    warmup=lambda window: window,
    unit="log per bar",
    low=0,
    source="Barndorff-Nielsen, Kinnebrock, Shephard (2010)",
)
def downside_volatility(state, bar, window=20):
    """sqrt(mean of min(log return, 0)^2) over `window` bars: the root of the semivariance."""
    if math.isnan(bar.log_return):
        return np.nan
    return _semideviation(state, -bar.log_return, window)


@feature(
    group="volatility",
    memory=lambda window: SUM + window,
    warmup=lambda window: window,
    unit="log per bar",
    low=0,
    source="Barndorff-Nielsen, Kinnebrock, Shephard (2010)",
)
def upside_volatility(state, bar, window=20):
    """sqrt(mean of max(log return, 0)^2) over `window` bars: the root of the semivariance."""
    if math.isnan(bar.log_return):
        return np.nan
    return _semideviation(state, bar.log_return, window)


@feature(
    group="volatility",
    memory=lambda window: 2 + 2 * (SUM + window),
    warmup=lambda window: window + 1,
    unit="fraction",
    low=0,
    high=1,
    source="Barndorff-Nielsen, Shephard (2004)",
)
def jump_share(state, bar, window=50):
    """max(1 - (pi / 2) * mean |return * return before| / mean return^2, 0) over `window` bars.

    The part of the variance that came in jumps, by bipower variation of log returns: a jump is
    large in its own square and small in products with its neighbours. 0 where nothing moved.
    """
    if math.isnan(bar.log_return):
        return np.nan
    size, before, seen = abs(bar.log_return), state[0], state[1]
    state[0], state[1] = size, 1.0
    if seen == 0.0:  # the first return has none before it
        return np.nan
    smooth = rolling_sum(state[2 : 2 + SUM + window], size * before, window)
    squares = rolling_sum(state[2 + SUM + window :], size * size, window)
    return 0.0 if squares == 0.0 else max(1.0 - 0.5 * math.pi * smooth / squares, 0.0)
