"""Straight line through a window, kept in turns as `_rolling.py` says."""

from __future__ import annotations

import numpy as np

from .rolling import piece

LINE = 6


@piece
def rolling_line(m, x, window):
    """(least-squares slope a bar, R squared) of the last `window` values against time.

    R squared is 0 where nothing moved. NaN until there are `window` values. Sums are taken of
    distances from the newest value of the turn before, as in `_moments.py`.
    Memory: LINE + 3 * window.
    """
    place = int(m[1])
    if m[0] == 0.0 and place == 0:
        m[2] = x
    value = x
    x -= m[2]
    # `rising`: weighted 1, 2, 3, ... since the turn; `left` below likewise from the window's front.
    total, rising, squares = m[3] + x, m[4] + (m[1] + 1.0) * x, m[5] + x * x
    weights, twos = LINE + window, LINE + 2 * window
    m[LINE + place] = x
    if place < window - 1:
        m[1] += 1.0
        m[3], m[4], m[5] = total, rising, squares
        if m[0] == 0.0:
            return np.nan, np.nan
        rising += (window - m[1]) * total + m[weights + place + 1]
        total += m[LINE + place + 1]
        squares += m[twos + place + 1]
    else:
        total, rising, squares = 0.0, 0.0, 0.0
        for back in range(window - 1, -1, -1):
            step = m[LINE + back] - x
            total += step
            rising += total
            squares += step * step
            m[LINE + back], m[weights + back], m[twos + back] = total, rising, squares
        m[0], m[1], m[2] = 1.0, 0.0, value
        m[3], m[4], m[5] = 0.0, 0.0, 0.0
    along = rising - 0.5 * (window + 1.0) * total
    time_spread = window * (window * window - 1.0) / 12.0
    spread = squares - total * total * (1.0 / window)
    slope = along / time_spread
    return slope, min(along * slope / spread, 1.0) if spread > 0.0 else 0.0
