"""Statistics of recent returns beyond their mean and variance."""

from __future__ import annotations

import math

import numpy as np

from ._kernel import feature
from ._rolling import SUM, rolling_sum


@feature(
    group="statistics",
    memory=lambda window: 2 + 3 * (SUM + window),
    warmup=lambda window: window + 1,
    unit="correlation",
    low=-1,
    high=1,
)
def autocorrelation(state, bar, window=20):
    """Sum of return * return before, over the root of the two sums of squares, `window` pairs.

    Returns are log and not demeaned: over one window the mean is noise. 0 where nothing moved.
    """
    move = bar.log_return
    if math.isnan(move):
        return np.nan
    before, seen = state[0], state[1]
    state[0], state[1] = move, 1.0
    if seen == 0.0:  # the first return has none before it
        return np.nan
    third = (len(state) - 2) // 3
    products = rolling_sum(state[2 : 2 + third], move * before, window)
    squares = rolling_sum(state[2 + third : 2 + 2 * third], move * move, window)
    squares_before = rolling_sum(state[2 + 2 * third :], before * before, window)
    if math.isnan(products):
        return np.nan
    scale = max(squares, 0.0) * max(squares_before, 0.0)
    return min(max(products / math.sqrt(scale), -1.0), 1.0) if scale > 1e-40 else 0.0


@feature(
    group="statistics",
    memory=lambda window: 2 * (SUM + window),
    warmup=lambda window: window,
    unit="skewness",
)
def skewness(state, bar, window=20):
    """mean(return^3) / mean(return^2)^1.5 of `window` log returns about zero; 0 without moves."""
    move = bar.log_return
    if math.isnan(move):
        return np.nan
    half = len(state) // 2
    squares = rolling_sum(state[:half], move * move, window) / window
    cubes = rolling_sum(state[half:], move * move * move, window) / window
    if math.isnan(squares):
        return np.nan
    return cubes / squares**1.5 if squares > 1e-24 else 0.0
