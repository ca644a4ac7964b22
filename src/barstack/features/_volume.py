"""Volume: how much was traded, and on which side of the move."""

from __future__ import annotations

import math

import numpy as np

from ._kernel import feature
from ._rolling import MOMENTS, SUM, rolling_mean, rolling_moments, rolling_sum


@feature(
    group="volume",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="log",
)
def relative_volume(state, bar, window=20):
    """ln((1 + volume) / (1 + mean volume of `window` bars))."""
    return math.log((1.0 + bar.volume) / (1.0 + max(rolling_mean(state, bar.volume, window), 0.0)))


@feature(
    group="volume",
    memory=lambda window: MOMENTS + window,
    warmup=lambda window: window - 1,
    unit="standard deviations",
)
def volume_zscore(state, bar, window=20):
    """(volume - mean) / standard deviation over `window` bars; 0 where volume never changed."""
    mean, variance = rolling_moments(state, bar.volume, window)
    limit = (1e-9 * mean) ** 2
    return (bar.volume - mean) / math.sqrt(variance) if variance > limit else 0.0 * mean


@feature(
    group="volume",
    memory=lambda window: 2 * (SUM + window),
    warmup=lambda window: window - 1,
    unit="fraction",
)
def vwap_distance(state, bar, window=20):
    """close / volume-weighted mean of typical prices over `window` bars - 1; 0 without volume."""
    half = len(state) // 2
    typical = bar.typical
    money = rolling_sum(state[:half], typical * bar.volume, window)
    volume = rolling_sum(state[half:], bar.volume, window)
    if math.isnan(volume):
        return np.nan
    return bar.close * volume / money - 1.0 if volume > 0.5 and money > 0.0 else 0.0


@feature(
    group="volume",
    memory=lambda window: 2 * (SUM + window),
    warmup=lambda window: window - 1,
    unit="fraction",
    low=-1,
    high=1,
)
def signed_volume(state, bar, window=20):
    """Sum of volume * (close - open) / (high - low), divided by the sum of volume.

    The part of volume that moved price up less the part that moved it down; 0 without volume.
    """
    half = len(state) // 2
    spread = bar.high - bar.low
    side = (bar.close - bar.open) / spread if spread > 0.0 else 0.0
    signed = rolling_sum(state[:half], side * bar.volume, window)
    volume = rolling_sum(state[half:], bar.volume, window)
    if math.isnan(volume):
        return np.nan
    return min(max(signed / volume, -1.0), 1.0) if volume > 0.5 else 0.0


@feature(
    group="volume",
    memory=lambda window: 1 + 2 * (SUM + window),
    warmup=lambda window: window,
    unit="index",
    low=0,
    high=100,
)
def money_flow_index(state, bar, window=14):
    """100 * money traded on rises of the typical price / money traded on rises and falls.

    50 where no money flowed. Quong, Soudack (1989).
    """
    typical = bar.typical
    previous = state[0]
    state[0] = typical
    if previous == 0.0:
        return np.nan
    half = 1 + (len(state) - 1) // 2
    money = typical * bar.volume
    rises = rolling_sum(state[1:half], money if typical > previous else 0.0, window)
    falls = rolling_sum(state[half:], money if typical < previous else 0.0, window)
    if math.isnan(rises):
        return np.nan
    rises, falls = max(rises, 0.0), max(falls, 0.0)
    return 100.0 * rises / (rises + falls) if rises + falls > 0.0 else 50.0
