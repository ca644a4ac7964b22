"""Trend: which way price goes, how strongly, and how straight the way there was."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.extremes import NEWEST_EXTREME, newest_max, newest_min
from ..pieces.moments import LINE, rolling_line
from ..pieces.rolling import FADED, LAG, SUM, WILDER, lag, piece, rolling_sum, wilder

_DIRECTION = 2 + 3 * WILDER


@piece
def _direction(m, high, low, close, true_range, window):
    """Wilder's means of the directional moves up and down and of the true range, NaN before.

    Memory: _DIRECTION.
    """
    up, down = high - m[0], m[1] - low
    m[0], m[1] = high, low
    if math.isnan(true_range):
        return np.nan, np.nan, np.nan
    # Moves of equally many ticks are equal, and neither counts: rounding must not order them.
    least = 1e-9 * close
    rise = up if up - down > least and up > 0.0 else 0.0
    fall = down if down - up > least and down > 0.0 else 0.0
    plus, minus, usual = m[3], m[5], m[7]
    if true_range != 0.0 or m[6] < window or usual > FADED:
        usual = wilder(m[6:8], true_range, window)
        # Bars may have a range without moving: then the means of moves decay alone, far below it.
        if rise + fall != 0.0 or m[2] < window or plus + minus > 1e-90 * FADED:
            plus, minus = wilder(m[2:4], rise, window), wilder(m[4:6], fall, window)
    return plus, minus, usual


@feature(
    group="trend",
    memory=_DIRECTION + WILDER,
    warmup=lambda window: 2 * window - 1,
    unit="index",
    low=0,
    high=100,
    source="Wilder (1978)",
)
def adx(state, bar, window=14):
    """Average directional index: Wilder's mean of 100 |+DI - -DI| / (+DI + -DI).

    Bars before any directional move count 0. While the price does not move, both means decay alike
    and each bar counts as the one before.
    """
    plus, minus, _ = _direction(state, bar.high, bar.low, bar.close, bar.true_range, window)
    both = plus + minus
    if math.isnan(both):
        return np.nan
    return wilder(
        state[_DIRECTION:], 100.0 * abs(plus - minus) / both if both > 0.0 else 0.0, window
    )


@feature(
    group="trend",
    memory=_DIRECTION,
    warmup=lambda window: window,
    unit="index",
    low=-100,
    high=100,
    source="Wilder (1978)",
)
def di_difference(state, bar, window=14):
    """+DI - -DI: 100 * (Wilder's mean of moves up - that of moves down) / that of true ranges.

    0 before any move; unchanged while the price does not move.
    """
    plus, minus, true_range = _direction(
        state, bar.high, bar.low, bar.close, bar.true_range, window
    )
    return 0.0 if true_range == 0.0 else 100.0 * (plus - minus) / true_range


@feature(
    group="trend",
    memory=lambda window: 2 * (NEWEST_EXTREME + 2 * (window + 1)),
    warmup=lambda window: window,
    unit="index",
    low=-100,
    high=100,
    source="Chande (1995)",
)
def aroon(state, bar, window=25):
    """Aroon oscillator: 100 * (bars since low - bars since high) / window.

    Highest high and lowest low are those of the newest `window + 1` bars; of equals, the newest.
    """
    half = NEWEST_EXTREME + 2 * (window + 1)
    _, since_high = newest_max(state[:half], bar.high, window + 1)
    _, since_low = newest_min(state[half:], bar.low, window + 1)
    return (since_low - since_high) * (100.0 / window)


@feature(
    group="trend",
    memory=lambda window: 2 + 2 * (SUM + window),
    warmup=lambda window: window,
    unit="fraction",
    source="Botes, Siepman (2010)",
)
def vortex(state, bar, window=14):
    """Vortex difference: (sum |high - low before| - sum |low - high before|) / sum of true ranges.

    0 where nothing moved.
    """
    swing = abs(bar.high - state[1]) - abs(bar.low - state[0])
    state[0], state[1] = bar.high, bar.low
    if math.isnan(bar.true_range):
        return np.nan
    swings = rolling_sum(state[2 : 2 + SUM + window], swing, window)
    ranges = rolling_sum(state[2 + SUM + window :], bar.true_range, window)
    return 0.0 if ranges == 0.0 else swings / ranges


@feature(
    group="trend",
    memory=lambda window: LINE + 3 * window,
    warmup=lambda window: window - 1,
    unit="fraction per bar",
    least=2,
)
def regression_slope(state, bar, window=20):
    """Least-squares slope of the last `window` closes against time, divided by the close."""
    slope, _ = rolling_line(state, bar.close, window)
    return slope / bar.close


@feature(
    group="trend",
    memory=lambda window: LINE + 3 * window,
    warmup=lambda window: window - 1,
    unit="fraction",
    low=0,
    high=1,
)
def regression_r2(state, bar, window=20):
    """R squared of the straight line through the last `window` closes; 0 where nothing moved."""
    _, r2 = rolling_line(state, bar.close, window)
    return r2


@feature(
    group="trend",
    memory=lambda window: LAG + window + SUM + window,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    high=1,
    source="Kaufman (1995)",
)
def efficiency(state, bar, window=20):
    """|Net move| over `window` bars / sum of absolute one-bar moves; 0 where nothing moved."""
    old = lag(state[: LAG + window], bar.close, window)
    if math.isnan(bar.previous_close):
        return np.nan
    way = rolling_sum(state[LAG + window :], abs(bar.close - bar.previous_close), window)
    return 0.0 if way == 0.0 else min(abs(bar.close - old) / way, 1.0)


@feature(
    group="trend",
    memory=6,
    warmup=1,
    unit="fraction",
    source="Wilder (1978)",
    bounds={"speed": (0.0, "fastest"), "fastest": (0.0, 1.0)},
)
def parabolic_sar_distance(state, bar, speed=0.02, fastest=0.2):
    """close / parabolic stop and reverse - 1; positive in a rise.

    The stop moves towards the trend's extreme by a share that grows by `speed` with each new
    extreme, up to `fastest`. The second bar's directional move sets the first direction.
    """
    # state: 1 in a rise or -1 in a fall, stop, extreme, share, high and low of the bar before.
    # Stop and extreme of a fall are stored negated, so that one formula serves both sides.
    before_high, before_low = state[4], state[5]
    state[4], state[5] = bar.high, bar.low
    if math.isnan(bar.previous_close):
        return np.nan
    side, stop, extreme, share = state[0], state[1], state[2], state[3]
    if side == 0.0:
        down = before_low - bar.low
        side = -1.0 if down > 0.0 and down > bar.high - before_high else 1.0
        stop, extreme = (before_low, bar.high) if side > 0.0 else (-before_high, -bar.low)
        share, before_high, before_low = speed, bar.high, bar.low
    front, back = (bar.high, bar.low) if side > 0.0 else (-bar.low, -bar.high)
    front_before, back_before = (
        (before_high, before_low) if side > 0.0 else (-before_low, -before_high)
    )
    # A price that touches the stop reverses it: rounding must not decide whether it does.
    if back <= stop + 1e-9 * bar.close:
        side, stop, share = -side, -max(extreme, front_before, front), speed
        extreme, back, back_before = -back, -front, -front_before
    elif front > extreme:
        extreme, share = front, min(share + speed, fastest)
    shown = side * stop
    stop = min(stop + share * (extreme - stop), back_before, back)
    state[0], state[1], state[2], state[3] = side, stop, extreme, share
    return bar.close / shown - 1.0
