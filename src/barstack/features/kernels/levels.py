"""Levels: where price stands against recent highs and lows, round numbers and traded volume."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.extremes import (
    EXTREME,
    NEWEST_EXTREME,
    RANGE,
    newest_max,
    rolling_max,
    rolling_min,
    rolling_range,
)
from ..pieces.profile import HEAD, PROFILE, volume_profile
from ..pieces.ratios import position, share
from ..pieces.rolling import piece


@feature(
    group="levels",
    memory=lambda window: EXTREME + window,
    warmup=lambda window: window - 1,
    unit="log",
    high=0,
)
def distance_to_high(state, bar, window=50):
    """ln(close / highest high of `window` bars)."""
    high = rolling_max(state, bar.high, window)
    return math.log(bar.close / high)


@feature(
    group="levels",
    memory=lambda window: EXTREME + window,
    warmup=lambda window: window - 1,
    unit="log",
    low=0,
)
def distance_to_low(state, bar, window=50):
    """ln(close / lowest low of `window` bars)."""
    low = rolling_min(state, bar.low, window)
    return math.log(bar.close / low)


@feature(
    group="levels",
    memory=lambda window: 2 + RANGE + 2 * window,
    warmup=lambda window: window,
    unit="fraction",
    source="Donchian (1960)",
)
def donchian_position(state, bar, window=20):
    """(close - lowest low) / (highest high - lowest low) of the `window` bars before this one.

    Above 1 price has broken out upwards, below 0 downwards; 0.5 where they had no range.
    """
    # state: highest and lowest up to the bar before, NaN until there are enough bars.
    high, low = state[0], state[1]
    state[0], state[1] = rolling_range(state[2:], bar.high, bar.low, window)
    return np.nan if math.isnan(bar.previous_close) else position(bar.close, low, high)


@piece
def _sessions_since(m, new_session, high, sessions):
    """Sessions since the highest of this session so far and the `sessions` before it.

    Memory: 3 + NEWEST_EXTREME + 2 * sessions.
    """
    # m: this session's highest; the highest of those before it, and how many sessions ago.
    if new_session:
        m[1] = np.nan
        if m[0] != 0.0:
            m[1], age = newest_max(m[3:], m[0], sessions)
            m[2] = age + 1.0
        m[0] = high
    m[0] = max(m[0], high)
    if math.isnan(m[1]):
        return np.nan
    return 0.0 if m[0] >= m[1] else m[2]


@feature(
    group="levels",
    memory=lambda sessions: 3 + NEWEST_EXTREME + 2 * sessions,
    sessions=lambda sessions: sessions,
    unit="sessions",
    low=0,
)
def sessions_since_high(state, bar, sessions=20):
    """Sessions since the highest high of this session so far and the `sessions` before it.

    0 while this session has it.
    """
    return _sessions_since(state, bar.new_session, bar.high, sessions)


@feature(
    group="levels",
    memory=lambda sessions: 3 + NEWEST_EXTREME + 2 * sessions,
    sessions=lambda sessions: sessions,
    unit="sessions",
    low=0,
)
def sessions_since_low(state, bar, sessions=20):
    """Sessions since the lowest low of this session so far and the `sessions` before it.

    0 while this session has it.
    """
    return _sessions_since(state, bar.new_session, -bar.low, sessions)


@feature(
    group="levels",
    memory=2,
    unit="fraction of a step",
    low=0,
    high=0.5,
    scale_free=False,
    source="Osler (2003)",
    bounds={"spacing": (1e-6, 1.0)},
)
def round_number_distance(state, bar, spacing=0.02):
    """|close - nearest multiple of the step| / step: 0 at a round number, 0.5 halfway.

    The step is the largest of 1, 2 and 5 times a power of ten that is not above `spacing` of the
    price: between 100 and 250, two. Roundness depends on the quoted price: a split changes it, and
    prices adjusted for dividends have lost it.
    """
    # state: the step and the next larger one; powers are slow, and they rarely change.
    largest = spacing * bar.close
    if not state[0] <= largest < state[1]:
        power = 10.0 ** math.floor(math.log10(largest))
        if power > largest:  # the logarithm was rounded up to a whole number
            power *= 0.1
        state[0], state[1] = power, 2.0 * power
        if largest >= 5.0 * power:
            state[0], state[1] = 5.0 * power, 10.0 * power
        elif largest >= 2.0 * power:
            state[0], state[1] = 2.0 * power, 5.0 * power
    steps = bar.close / state[0]
    return abs(steps - math.floor(steps + 0.5))


@feature(
    group="levels",
    memory=PROFILE + 1,
    warmup=lambda span: span - 1,
    unit="log",
    scale_free=False,
    source="Steidlmayer (1984)",
)
def volume_peak_distance(state, bar, span=200):
    """ln(close / price with the most traded volume), the volume profile's point of control.

    Each bar's volume counts at its typical price, with exponential weights over `span` bars. The
    profile has 64 bins about the price, each half to one mean bar range wide; volume beyond them is
    dropped. The peak is the midpoint of the fullest bin. Bin edges are multiples of the bin's width
    in log price, so another unit of price moves them, and where two prices have nearly equal volume
    the peak may be the other one: no named set contains this feature. 0 without volume.
    """
    close = math.log(bar.close)
    price = close - bar.log_close + (bar.log_high + bar.log_low + bar.log_close) * (1.0 / 3.0)
    log_range = bar.log_high - bar.log_low
    whole, _, way = volume_profile(state, price, close, log_range, bar.volume, span)
    state[PROFILE] = min(state[PROFILE] + 1.0, span)
    if state[PROFILE] < span:
        return np.nan
    return 0.0 if whole == 0.0 else way


@feature(
    group="levels",
    memory=PROFILE + 1,
    warmup=lambda span: span - 1,
    unit="fraction",
    low=0,
    high=1,
    scale_free=False,
)
def volume_above(state, bar, span=200):
    """Share of volume traded above the close, whose buyers hold it at a loss.

    The profile is that of `volume_peak_distance`; half of the close's own bin counts. 0.5 without
    volume.
    """
    close = math.log(bar.close)
    price = close - bar.log_close + (bar.log_high + bar.log_low + bar.log_close) * (1.0 / 3.0)
    log_range = bar.log_high - bar.log_low
    whole, at, _ = volume_profile(state, price, close, log_range, bar.volume, span)
    above = 0.5 * state[HEAD + at]
    higher = state[HEAD + at + 1 : PROFILE]
    for place in range(len(higher)):
        above += higher[place]
    state[PROFILE] = min(state[PROFILE] + 1.0, span)
    return np.nan if state[PROFILE] < span else share(above, whole, 0.5)
