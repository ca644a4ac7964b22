"""Volatility: of returns from close to close, from the range inside bars, and bands by either."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.moments import MOMENTS, rolling_moments
from ..pieces.rolling import EMA, SUM, WILDER, ema, piece, rolling_mean, rolling_sum, wilder


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
    """Share of the sum of squared log returns that is due to falls; 0.5 where nothing moved."""
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

    The share of variance due to jumps, by bipower variation of log returns: a jump is large in its
    own square and small in products with its neighbours. 0 where nothing moved.
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

    Some five times as efficient as close to close, for prices without gaps and without drift.
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

    Unbiased under drift; ignores gaps between bars.
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
    (window + 1) / (window - 1)). Unbiased under gaps and drift.
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

    Keltner's channel, as drawn today, lies at -2 and 2.
    """
    mean = ema(state[:EMA], bar.close, span)
    if math.isnan(bar.true_range):
        return np.nan
    reach = wilder(state[EMA:], bar.true_range, window)
    # Below this the mean range is a remnant of a long standstill.
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
