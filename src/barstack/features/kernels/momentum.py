"""Momentum: how far price has moved."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.rolling import LAG, SUM, lag, rolling_sum


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
    """ln(close / close `window` bars ago) / sqrt(sum of squared log returns on the way).

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
    """Log return of the last `window` bars less that of the `window` bars before."""
    if math.isnan(bar.log_return):
        return np.nan
    move = rolling_sum(state[: SUM + window], bar.log_return, window)
    if math.isnan(move):
        return np.nan
    return move - lag(state[SUM + window :], move, window)
