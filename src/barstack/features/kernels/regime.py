"""Regimes: bull, bear or sideways (`trend_state`), calm or wild (`volatility_state`), crash
(`crash_state`), and how deep in a fall or far up a rise price stands. All look back only."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.extremes import EXTREME, rolling_max, rolling_min
from ..pieces.moments import MOMENTS, rolling_moments
from ..pieces.rolling import SUM, piece, rolling_mean, rolling_sum
from ..pieces.sorted import rank_memory, rolling_rank


@feature(
    group="regime",
    memory=lambda window, enter, leave: 1 + 2 * (SUM + window),
    warmup=lambda window, enter, leave: window,
    unit="state",
    low=-1,
    high=1,
    bounds={"enter": (0.0, 1.0), "leave": (0.0, "enter")},
)
def trend_state(state, bar, window=60, enter=0.25, leave=0.1):
    """1 in a bull market, -1 in a bear market, 0 sideways, with hysteresis.

    Net log return / sum of absolute log returns over `window` bars starts a trend beyond `enter`
    either way; the trend lasts until it is back within `leave`. A random walk is sideways about
    nine tenths of the time.
    """
    if math.isnan(bar.log_return):
        return np.nan
    move = rolling_sum(state[1 : 1 + SUM + window], bar.log_return, window)
    way = rolling_sum(state[1 + SUM + window :], abs(bar.log_return), window)
    if math.isnan(way):
        return np.nan
    if state[0] * move <= leave * way:
        state[0] = 0.0
    if abs(move) > enter * way:
        state[0] = 1.0 if move > 0.0 else -1.0
    return state[0]


@feature(
    group="regime",
    memory=lambda window, long: MOMENTS + 2 * window + rank_memory(long),
    warmup=lambda window, long: window + long - 1,
    unit="fraction",
    low=0,
    high=1,
    least=2,
)
def volatility_state(state, bar, window=20, long=250):
    """Rank of `realized_volatility` among its last `long` values, from 0, calm, to 1, wild.

    0.5 where nothing moved.
    """
    if math.isnan(bar.log_return):
        return np.nan
    _, variance = rolling_moments(state[: MOMENTS + 2 * window], bar.log_return, window)
    if math.isnan(variance):
        return np.nan
    # In single precision, so that windows which differ by rounding alone rank as equals.
    volatility = float(np.float32(math.sqrt(variance)))
    return rolling_rank(state[MOMENTS + 2 * window :], volatility, long)


@feature(
    group="regime",
    memory=lambda window, long, enter, leave: 1 + EXTREME + window + SUM + long,
    warmup=lambda window, long, enter, leave: max(window - 1, long),
    unit="state",
    low=0,
    high=1,
    bounds={"enter": (0.0, 100.0), "leave": (0.0, "enter")},
)
def crash_state(state, bar, window=20, long=250, enter=3.0, leave=1.5):
    """1 in a crash, else 0, with hysteresis.

    A crash begins when 1 - close / highest close of `window` bars is more than `enter` times the
    expected move over as many bars, sqrt(window * mean squared log return of `long` bars). It ends
    when it is less than `leave` times that.
    """
    highest = rolling_max(state[1 : 1 + EXTREME + window], bar.close, window)
    if math.isnan(bar.log_return):
        return np.nan
    square = rolling_mean(state[1 + EXTREME + window :], bar.log_return * bar.log_return, long)
    if math.isnan(square) or math.isnan(highest):
        return np.nan
    fall, usual = 1.0 - bar.close / highest, math.sqrt(window * square)
    if fall > enter * usual:
        state[0] = 1.0
    elif fall <= leave * usual:
        state[0] = 0.0
    return state[0]


@feature(
    group="regime",
    memory=lambda window: EXTREME + window,
    warmup=lambda window: window - 1,
    unit="fraction",
    low=-1,
    high=0,
)
def drawdown(state, bar, window=250):
    """close / highest close of `window` bars - 1."""
    return bar.close / rolling_max(state, bar.close, window) - 1.0


@feature(
    group="regime",
    memory=lambda window: EXTREME + window,
    warmup=lambda window: window - 1,
    unit="fraction",
    low=0,
)
def drawup(state, bar, window=250):
    """close / lowest close of `window` bars - 1."""
    return bar.close / rolling_min(state, bar.close, window) - 1.0


@feature(
    group="regime",
    memory=lambda window: 5 + 2 * window,
    warmup=lambda window: window - 1,
    unit="fraction",
    low=-1,
    high=0,
)
def deepest_drawdown(state, bar, window=100):
    """Deepest fall within the last `window` closes: least close / an earlier close - 1."""
    return _deepest_fall(state, bar.close, window) - 1.0


@piece
def _deepest_fall(m, x, window):
    """Least ratio of a value to one before it, or to itself, among the last `window` values.

    A fall lies in the block before, in this one, or from the highest of the former to the lowest of
    the latter. NaN until there are `window` values. Memory: 5 + 2 * window.
    """
    place, falls = int(m[1]), 5 + window
    first = place == 0
    top = x if first else max(m[2], x)
    bottom = x if first else min(m[3], x)
    fall = 1.0 if first else min(m[4], x / top)
    m[5 + place] = x
    if place < window - 1:
        m[1] += 1.0
        m[2], m[3], m[4] = top, bottom, fall
        if m[0] == 0.0:
            return np.nan
        return min(fall, m[falls + place + 1], bottom / m[5 + place + 1])
    top, bottom, fall = x, x, 1.0
    for back in range(window - 1, -1, -1):
        value = m[5 + back]
        top, bottom = max(top, value), min(bottom, value)
        fall = min(fall, bottom / value)
        m[5 + back], m[falls + back] = top, fall
    m[0], m[1] = 1.0, 0.0
    return fall
