"""Volume: how much is traded against what is usual. Two know the unit of volume and say so."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.moments import COVARIANCE, MOMENTS, rolling_covariance, rolling_moments
from ..pieces.ratios import log_ratio
from ..pieces.rolling import SUM, rolling_mean

_MINUTE_US = 60_000_000.0
_DAY_MINUTES = 1440


@feature(group="volume", memory=0, unit="log", low=0)
def log_volume(state, bar):
    """ln(1 + volume); depends on the unit of volume."""
    return math.log(1.0 + bar.volume)


@feature(
    group="volume",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="log",
    low=-5,
    high=5,
)
def relative_volume(state, bar, window=20):
    """ln(volume / mean volume of `window` bars).

    -5 where it is less than e^-5 of the mean, as in bars without trades; 0 without any volume.
    """
    return log_ratio(bar.volume, rolling_mean(state, bar.volume, window))


@feature(
    group="volume",
    memory=lambda sessions, minutes: 4 + (2 + sessions) * -(-_DAY_MINUTES // minutes),
    sessions=lambda sessions, minutes: sessions,
    unit="log",
    low=-5,
    high=5,
    bounds={"minutes": (1, _DAY_MINUTES)},
)
def relative_volume_by_time(state, bar, sessions=10, minutes=5):
    """ln(volume / mean volume at the same time of the last `sessions` sessions).

    A session is divided into slots of `minutes` from its open, so daylight saving time and half
    days do not move them. A bar belongs to the slot it opens in; each slot keeps the mean volume of
    its bars in each of the last sessions that had any, the current one excluded. Clipped to -5 and
    5; 0 without any volume, and in a slot without earlier sessions.
    """
    # state: sessions begun; the slot being filled, its sum and count of bars; then for each slot
    # its count of sessions and next place, and a ring of means.
    slots = -(-_DAY_MINUTES // minutes)
    slot = int((bar.opened_at - bar.session_open) * (1.0 / (_MINUTE_US * minutes)))
    slot = min(max(slot, 0), slots - 1)
    if bar.new_session or slot != state[1]:
        if state[3] > 0.0:
            done = 4 + (2 + sessions) * int(state[1])
            place = int(state[done + 1])
            state[done + 2 + place] = state[2] / state[3]
            state[done + 1] = place + 1 if place + 1 < sessions else 0
            state[done] = min(state[done] + 1, sessions)
        state[0] += 1 if bar.new_session else 0
        state[1], state[2], state[3] = slot, 0.0, 0.0
    state[2] += bar.volume
    state[3] += 1
    if state[0] <= sessions:
        return np.nan
    known = 4 + (2 + sessions) * slot
    count = int(state[known])
    if count == 0:
        return 0.0
    total = 0.0
    for place in range(count):
        total += state[known + 2 + place]
    return log_ratio(bar.volume, total / count)


@feature(
    group="volume",
    memory=lambda window: MOMENTS + 2 * window,
    warmup=lambda window: window - 1,
    unit="standard deviations",
    least=2,
)
def volume_zscore(state, bar, window=20):
    """(volume - mean) / standard deviation over `window` bars; 0 where volume never changed."""
    mean, variance = rolling_moments(state, bar.volume, window)
    return 0.0 if variance == 0.0 else (bar.volume - mean) / math.sqrt(variance)


@feature(
    group="volume",
    memory=lambda short, long: 2 * SUM + short + long,
    warmup=lambda short, long: max(short, long) - 1,
    unit="log",
    low=-5,
    high=5,
)
def volume_trend(state, bar, short=5, long=50):
    """ln(mean volume of `short` bars / mean volume of `long` bars), clipped to -5 and 5.

    0 without any volume.
    """
    recent = rolling_mean(state[: SUM + short], bar.volume, short)
    usual = rolling_mean(state[SUM + short :], bar.volume, long)
    return np.nan if math.isnan(recent) else log_ratio(recent, usual)


@feature(
    group="volume",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="log money",
    low=0,
    scale_free=False,
)
def dollar_volume(state, bar, window=20):
    """ln(1 + mean of close * volume over `window` bars): how liquid the symbol is.

    In the currency and unit of volume of the bars, so symbols compare only where these agree.
    """
    return math.log(1.0 + rolling_mean(state, bar.close * bar.volume, window))


@feature(
    group="volume",
    memory=lambda window: SUM + window,
    warmup=lambda window: window - 1,
    unit="log",
    low=-5,
    high=5,
)
def relative_dollar_volume(state, bar, window=100):
    """ln(close * volume / its mean over `window` bars), clipped at -5; 0 without any volume."""
    money = bar.close * bar.volume
    return log_ratio(money, rolling_mean(state, money, window))


@feature(
    group="volume",
    memory=lambda window: COVARIANCE + 5 * window,
    warmup=lambda window: window,
    unit="correlation",
    low=-1,
    high=1,
)
def volume_price_correlation(state, bar, window=20):
    """Correlation of log return and volume over `window` bars; 0 where either never changed.

    Above 0, rises have more volume than falls.
    """
    if math.isnan(bar.log_return):
        return np.nan
    returns, volumes, both = rolling_covariance(state, bar.log_return, bar.volume, window)
    if returns == 0.0 or volumes == 0.0:
        return 0.0
    return min(max(both / math.sqrt(returns * volumes), -1.0), 1.0)
