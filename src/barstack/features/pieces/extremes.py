"""Highest and lowest of a window, computed in blocks as `rolling.py` explains.

A queue of candidates, the usual way, mispredicts its branches on prices and takes ten times as
long. van Herk (1992), Gil, Werman (1993), for a stream.
"""

from __future__ import annotations

import numpy as np

from .rolling import piece

EXTREME = 3
RANGE = 4
NEWEST_EXTREME = 4


@piece
def rolling_max(m, x, window):
    """Largest of the last `window` values, NaN until there are that many.

    Memory: EXTREME + window.
    """
    place = int(m[1])
    since = m[2] if m[2] > x and place > 0 else x
    m[EXTREME + place] = x
    if place < window - 1:
        m[1] += 1.0
        m[2] = since
        left = m[EXTREME + place + 1]
        if m[0] == 0.0:
            return np.nan
        return left if left > since else since
    left = x
    for back in range(EXTREME + window - 1, EXTREME - 1, -1):
        left = m[back] if m[back] > left else left
        m[back] = left
    m[0], m[1] = 1.0, 0.0
    return since


@piece
def rolling_min(m, x, window):
    """Smallest of the last `window` values, NaN until there are that many.

    Memory: EXTREME + window.
    """
    return -rolling_max(m, -x, window)


@piece
def rolling_range(m, high, low, window):
    """(largest of the last `window` highs, smallest of the lows), NaN until there are that many.

    Memory: RANGE + 2 * window.
    """
    place = int(m[1])
    top = m[2] if m[2] > high and place > 0 else high
    bottom = m[3] if m[3] < low and place > 0 else low
    lows = RANGE + window
    m[RANGE + place], m[lows + place] = high, low
    if place < window - 1:
        m[1] += 1.0
        m[2], m[3] = top, bottom
        if m[0] == 0.0:
            return np.nan, np.nan
        high, low = m[RANGE + place + 1], m[lows + place + 1]
        return high if high > top else top, low if low < bottom else bottom
    for back in range(window - 1, -1, -1):
        high = m[RANGE + back] if m[RANGE + back] > high else high
        low = m[lows + back] if m[lows + back] < low else low
        m[RANGE + back], m[lows + back] = high, low
    m[0], m[1] = 1.0, 0.0
    return top, bottom


@piece
def newest_max(m, x, window):
    """(largest of the last `window` values, its age in values). Of equals, the newest counts.

    NaN until there are `window` values. Memory: NEWEST_EXTREME + 2 * window.
    """
    place = int(m[1])
    keep = m[2] > x and place > 0
    since = m[2] if keep else x
    since_place = m[3] if keep else m[1]
    places = NEWEST_EXTREME + window
    m[NEWEST_EXTREME + place] = x
    if place < window - 1:
        age = m[1] - since_place
        m[1] += 1.0
        m[2], m[3] = since, since_place
        if m[0] == 0.0:
            return np.nan, np.nan
        left = m[NEWEST_EXTREME + place + 1]
        older = left > since
        left_age = m[1] + (window - 1.0) - m[places + place + 1]
        return left if older else since, left_age if older else age
    left, left_place = x, window - 1.0
    for back in range(window - 1, -1, -1):
        older = m[NEWEST_EXTREME + back] > left
        left = m[NEWEST_EXTREME + back] if older else left
        left_place = float(back) if older else left_place
        m[NEWEST_EXTREME + back], m[places + back] = left, left_place
    m[0], m[1] = 1.0, 0.0
    return left, window - 1.0 - left_place


@piece
def newest_min(m, x, window):
    """(smallest of the last `window` values, its age in values). Of equals, the newest counts.

    NaN until there are `window` values. Memory: NEWEST_EXTREME + 2 * window.
    """
    value, age = newest_max(m, -x, window)
    return -value, age
