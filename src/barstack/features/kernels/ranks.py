"""Ranks and quantiles: where the newest stands among the last, whatever their distribution."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.sorted import quantile, rank_memory, rolling_rank, sort_in, sorted_memory


@feature(
    group="statistics",
    memory=rank_memory,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    high=1,
)
def return_rank(state, bar, window=100):
    """Share of the other log returns among the last `window` below the newest; equals count half.

    0.5 where nothing moved.
    """
    if math.isnan(bar.log_return):
        return np.nan
    # Moves of as many ticks are equal: rounding must not order them.
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

    Not moved by single spikes as `stochastic` is; cut at -1 and 2, 0.5 where quantiles are equal.
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

    A standard deviation that single spikes do not move: 1.349 is the range of a normal one.
    """
    if math.isnan(bar.log_return) or not sort_in(state, bar.log_return, window):
        return np.nan
    return (quantile(state, 0.75, window) - quantile(state, 0.25, window)) / 1.349
