"""Volatility from the range inside each bar, which tells more than its close."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.moments import MOMENTS, rolling_moments
from ..pieces.rolling import SUM, WILDER, rolling_mean, wilder


@feature(group="volatility", memory=0, warmup=1, unit="fraction", low=0, source="Wilder (1978)")
def true_range(state, bar):
    """(max(high, close before) - min(low, close before)) / close."""
    return bar.true_range / bar.close


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
    warmup=lambda window: window,
    unit="ratio",
    low=0,
)
def range_ratio(state, bar, window=20):
    """True range / mean true range of `window` bars; at most `window`, 1 where nothing moved."""
    if math.isnan(bar.true_range):
        return np.nan
    mean = rolling_mean(state, bar.true_range, window)
    return 1.0 if mean == 0.0 else bar.true_range / mean


@feature(
    group="volatility",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="log per bar",
    low=0,
    source="Parkinson (1980)",
)
def parkinson(state, bar, window=20):
    """sqrt(mean(ln(high / low)^2) / (4 ln 2)) over `window` bars.

    Four times as sure as closes for a price that moves without gaps and without drift.
    """
    spread = bar.log_high - bar.log_low
    return math.sqrt(rolling_mean(state, spread * spread, window) * (0.25 / math.log(2.0)))


@feature(
    group="volatility",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="log per bar",
    low=0,
    source="Garman, Klass (1980)",
)
def garman_klass(state, bar, window=20):
    """sqrt(mean(ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2)) over `window` bars."""
    spread, body = bar.log_high - bar.log_low, bar.log_close
    return math.sqrt(
        rolling_mean(
            state, 0.5 * spread * spread - (2.0 * math.log(2.0) - 1.0) * body * body, window
        )
    )


@feature(
    group="volatility",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="log per bar",
    low=0,
    source="Rogers, Satchell (1991)",
)
def rogers_satchell(state, bar, window=20):
    """sqrt(mean(ln(high / open) ln(high / close) + ln(low / open) ln(low / close))), `window` bars.

    Right whatever the drift, blind to gaps between bars.
    """
    up, down = bar.log_high, bar.log_low
    return math.sqrt(
        rolling_mean(state, up * (up - bar.log_close) + down * (down - bar.log_close), window)
    )


@feature(
    group="volatility",
    memory=lambda window: 2 * (MOMENTS + 2 * window) + SUM + window,
    warmup=lambda window: window,
    unit="log per bar",
    low=0,
    source="Yang, Zhang (2000)",
    least=2,
)
def yang_zhang(state, bar, window=20):
    """sqrt(var(gap) + k var(body) + (1 - k) Rogers-Satchell^2), over `window` bars.

    gap = ln(open / close before), body = ln(close / open), sample variances, and k = 0.34 / (1.34 +
    (window + 1) / (window - 1)). Right with gaps and whatever the drift.
    """
    if math.isnan(bar.log_gap):
        return np.nan
    up, down, body = bar.log_high, bar.log_low, bar.log_close
    one, two = MOMENTS + 2 * window, 2 * (MOMENTS + 2 * window)
    _, gaps = rolling_moments(state[:one], bar.log_gap, window)
    _, bodies = rolling_moments(state[one:two], body, window)
    inside = rolling_mean(state[two:], up * (up - body) + down * (down - body), window)
    k = 0.34 / (1.34 + (window + 1.0) / (window - 1.0))
    return math.sqrt(gaps + k * bodies + (1.0 - k) * inside)
