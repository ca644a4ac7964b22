"""Swings: highs and lows with lower highs, or higher lows, on both sides.

A bar is known to be one only when as many bars as its `strength` have followed without passing
it, and no sooner does it count here.
"""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.extremes import NEWEST_EXTREME, newest_max, newest_min
from ..pieces.rolling import SUM, piece, rolling_mean

LATEST = 4  # swings of each kind that are remembered


@piece
def swing_high(m, high, strength):
    """(the high that this bar confirms as a swing or 0, the highest of the window).

    The window is 2 * strength + 1 bars; NaN until it is full. Memory: NEWEST_EXTREME + 2 * window.
    """
    highest, age = newest_max(m, high, 2 * strength + 1)
    return highest if age == strength else 0.0, highest


@piece
def swing_low(m, low, strength):
    """The same of lows: (the low that this bar confirms as a swing or 0, the lowest)."""
    lowest, age = newest_min(m, low, 2 * strength + 1)
    return lowest if age == strength else 0.0, lowest


@piece
def remember(m, level):
    """Store a swing, unless it is 0, in front of the latest. Memory: LATEST, 0 where unused."""
    if level > 0.0:
        for place in range(LATEST - 1, 0, -1):
            m[place] = m[place - 1]
        m[0] = level


@piece
def swings(m, high, low, strength):
    """Store the latest swing highs and, behind them, lows; False until one can be confirmed.

    Memory: 2 * LATEST + 2 * (NEWEST_EXTREME + 2 * (2 * strength + 1)).
    """
    half = 2 * LATEST + NEWEST_EXTREME + 2 * (2 * strength + 1)
    top, highest = swing_high(m[2 * LATEST : half], high, strength)
    bottom, _ = swing_low(m[half:], low, strength)
    remember(m[:LATEST], top)
    remember(m[LATEST : 2 * LATEST], bottom)
    return not math.isnan(highest)


def _memory(strength):
    return 2 * LATEST + 2 * (NEWEST_EXTREME + 2 * (2 * strength + 1))


@feature(
    group="levels",
    memory=lambda strength: 1 + NEWEST_EXTREME + 2 * (2 * strength + 1),
    warmup=lambda strength: 2 * strength,
    unit="log",
)
def swing_high_distance(state, bar, strength=5):
    """ln(close / latest swing high): highest of `strength` bars before and as many after.

    Before there is one, the highest high of 2 * `strength` + 1 bars takes its place.
    """
    swing, highest = swing_high(state[1:], bar.high, strength)
    state[0] = swing if swing > 0.0 else state[0]
    return math.log(bar.close / (state[0] if state[0] > 0.0 else highest))


@feature(
    group="levels",
    memory=lambda strength: 1 + NEWEST_EXTREME + 2 * (2 * strength + 1),
    warmup=lambda strength: 2 * strength,
    unit="log",
)
def swing_low_distance(state, bar, strength=5):
    """ln(close / latest swing low): lowest of `strength` bars before and as many after.

    Before there is one, the lowest low of 2 * `strength` + 1 bars takes its place.
    """
    swing, lowest = swing_low(state[1:], bar.low, strength)
    state[0] = swing if swing > 0.0 else state[0]
    return math.log(bar.close / (state[0] if state[0] > 0.0 else lowest))


@feature(
    group="levels",
    memory=_memory,
    warmup=lambda strength: 2 * strength,
    unit="fraction",
    low=0,
    high=1,
)
def swing_position(state, bar, strength=5):
    """Where the close stands from the nearest level below, 0, to the nearest above, 1.

    Levels are the latest four swing highs and four swing lows. With none above it is 1, with none
    below 0, with none at all 0.5.
    """
    known = swings(state, bar.high, bar.low, strength)
    below, above = 0.0, math.inf
    for place in range(2 * LATEST):
        level = state[place]
        if level > bar.close:
            above = min(above, level)
        else:
            below = max(below, level)
    if not known:
        return np.nan
    if above == math.inf:
        return 0.5 if below == 0.0 else 1.0
    return (bar.close - below) / (above - below) if below > 0.0 else 0.0


@feature(
    group="levels",
    memory=lambda strength: _memory(strength) + SUM + 2 * strength + 1,
    warmup=lambda strength: 2 * strength,
    unit="levels",
    low=0,
    high=2 * LATEST,
)
def level_strength(state, bar, strength=5):
    """Sum of max(0, 1 - |close - level| / mean of high - low) over the latest eight swings.

    Four swing highs and four lows; the mean is over 2 * `strength` + 1 bars. How often price has
    reversed near the close: each swing counts 1 at its level and 0 from one mean range away.
    """
    window = 2 * strength + 1
    usual = rolling_mean(state[: SUM + window], bar.high - bar.low, window)
    levels = state[SUM + window :]
    swings(levels, bar.high, bar.low, strength)
    if not usual > 0.0:
        return usual
    total = 0.0
    for place in range(2 * LATEST):
        if levels[place] > 0.0:
            total += max(usual - abs(bar.close - levels[place]), 0.0)
    return total / usual


@feature(
    group="levels",
    memory=_memory,
    warmup=lambda strength: 2 * strength,
    unit="side",
    low=-1,
    high=1,
)
def swing_structure(state, bar, strength=5):
    """(sign(latest - previous swing high) + sign(latest - previous swing low)) / 2.

    1 in a market of higher highs and higher lows, -1 of lower ones. A kind of which fewer than two
    swings are known counts 0.
    """
    known = swings(state, bar.high, bar.low, strength)
    value = 0.0
    for kind in range(2):
        latest, before = state[kind * LATEST], state[kind * LATEST + 1]
        if before > 0.0 and latest != before:
            value += 0.5 if latest > before else -0.5
    return value if known else np.nan
