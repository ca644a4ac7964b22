"""Bands around an average: where price stands between them, and how far apart they are."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.moments import MOMENTS, rolling_moments
from ..pieces.rolling import EMA, WILDER, ema, wilder


@feature(
    group="volatility",
    memory=lambda window: MOMENTS + 2 * window,
    warmup=lambda window: window - 1,
    unit="standard deviations",
    source="Bollinger (2001)",
    least=2,
)
def bollinger_position(state, bar, window=20):
    """(close - mean) / standard deviation of `window` closes; 0 where nothing moved.

    Bollinger's bands lie at -2 and 2.
    """
    mean, variance = rolling_moments(state, bar.close, window)
    return 0.0 if variance == 0.0 else (bar.close - mean) / math.sqrt(variance)


@feature(
    group="volatility",
    memory=lambda window: MOMENTS + 2 * window,
    warmup=lambda window: window - 1,
    unit="fraction",
    low=0,
    source="Bollinger (2001)",
    least=2,
)
def bollinger_width(state, bar, window=20):
    """4 standard deviations of `window` closes, divided by their mean."""
    mean, variance = rolling_moments(state, bar.close, window)
    return 4.0 * math.sqrt(variance) / mean


@feature(
    group="volatility",
    memory=EMA + WILDER,
    warmup=lambda span, window: max(span - 1, window),
    unit="average true ranges",
    source="Raschke, after Keltner (1960)",
)
def keltner_position(state, bar, span=20, window=10):
    """(close - EMA(close, span)) / average true range of `window` bars; 0 where nothing moved.

    Keltner's channel, as it is drawn today, lies at -2 and 2.
    """
    mean = ema(state[:EMA], bar.close, span)
    if math.isnan(bar.true_range):
        return np.nan
    reach = wilder(state[EMA:], bar.true_range, window)
    # Below this the range is what a long standstill has left of it.
    return 0.0 * mean if reach <= 1e-12 * bar.close else (bar.close - mean) / reach


@feature(
    group="volatility",
    memory=EMA + WILDER,
    warmup=lambda span, window: max(span - 1, window),
    unit="fraction",
    low=0,
    source="Raschke, after Keltner (1960)",
)
def keltner_width(state, bar, span=20, window=10):
    """4 average true ranges of `window` bars / EMA(close, span)."""
    mean = ema(state[:EMA], bar.close, span)
    if math.isnan(bar.true_range):
        return np.nan
    return 4.0 * wilder(state[EMA:], bar.true_range, window) / mean
