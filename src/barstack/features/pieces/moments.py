"""Mean, variance, higher moments, covariance and the least-squares line of a window.

Windows are kept in blocks, see `rolling.py`. Sums are of distances from the newest value of the
block before. That value lies within the window until the block ends, so the distances are no larger
than the window's own spread: nothing cancels however far prices are from zero, and where all values
are equal the variance is 0.
"""

from __future__ import annotations

import numpy as np

from .rolling import piece

MOMENTS = 5
POWERS = 7
COVARIANCE = 9


@piece
def rolling_moments(m, x, window):
    """(mean, sample variance) of the last `window` values, NaN until there are that many.

    Memory: MOMENTS + 2 * window.
    """
    place = int(m[1])
    if m[0] == 0.0 and place == 0:
        m[2] = x
    value, origin = x, m[2]
    x -= origin
    first, second = m[3] + x, m[4] + x * x
    squares = MOMENTS + window
    m[MOMENTS + place] = x
    if place < window - 1:
        m[1] += 1.0
        m[3], m[4] = first, second
        if m[0] == 0.0:
            return np.nan, np.nan
        first += m[MOMENTS + place + 1]
        second += m[squares + place + 1]
    else:
        first, second = 0.0, 0.0
        for back in range(window - 1, -1, -1):
            step = m[MOMENTS + back] - x
            first += step
            second += step * step
            m[MOMENTS + back], m[squares + back] = first, second
        origin = value
        m[0], m[1], m[2], m[3], m[4] = 1.0, 0.0, value, 0.0, 0.0
    offset = first * (1.0 / window)
    return origin + offset, (second - first * offset) * (1.0 / (window - 1.0))


@piece
def rolling_powers(m, x, window):
    """Second, third and fourth central moments (over `window`) of the last `window` values.

    NaN until there are that many. Memory: POWERS + 4 * window.
    """
    place = int(m[1])
    if m[0] == 0.0 and place == 0:
        m[2] = x
    value = x
    x -= m[2]
    square = x * x
    first, second = m[3] + x, m[4] + square
    third, fourth = m[5] + square * x, m[6] + square * square
    twos, threes, fours = POWERS + window, POWERS + 2 * window, POWERS + 3 * window
    m[POWERS + place] = x
    if place < window - 1:
        m[1] += 1.0
        m[3], m[4], m[5], m[6] = first, second, third, fourth
        if m[0] == 0.0:
            return np.nan, np.nan, np.nan
        first += m[POWERS + place + 1]
        second += m[twos + place + 1]
        third += m[threes + place + 1]
        fourth += m[fours + place + 1]
    else:
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        for back in range(window - 1, -1, -1):
            step = m[POWERS + back] - x
            square = step * step
            first += step
            second += square
            third += square * step
            fourth += square * square
            m[POWERS + back], m[twos + back] = first, second
            m[threes + back], m[fours + back] = third, fourth
        m[0], m[1], m[2] = 1.0, 0.0, value
        m[3], m[4], m[5], m[6] = 0.0, 0.0, 0.0, 0.0
    share = 1.0 / window
    mean, second, third, fourth = first * share, second * share, third * share, fourth * share
    square = mean * mean
    return (
        second - square,
        third - 3.0 * mean * second + 2.0 * mean * square,
        fourth - 4.0 * mean * third + 6.0 * square * second - 3.0 * square * square,
    )


@piece
def rolling_covariance(m, x, y, window):
    """(variance of x, variance of y, covariance) of the last `window` pairs, each over `window`.

    NaN until there are that many. Memory: COVARIANCE + 5 * window.
    """
    place = int(m[1])
    if m[0] == 0.0 and place == 0:
        m[2], m[3] = x, y
    newest_x, newest_y = x, y
    x -= m[2]
    y -= m[3]
    xs, ys, xx, yy, xy = m[4] + x, m[5] + y, m[6] + x * x, m[7] + y * y, m[8] + x * y
    two, three = COVARIANCE + window, COVARIANCE + 2 * window
    four, five = COVARIANCE + 3 * window, COVARIANCE + 4 * window
    m[COVARIANCE + place], m[two + place] = x, y
    if place < window - 1:
        m[1] += 1.0
        m[4], m[5], m[6], m[7], m[8] = xs, ys, xx, yy, xy
        if m[0] == 0.0:
            return np.nan, np.nan, np.nan
        xs += m[COVARIANCE + place + 1]
        ys += m[two + place + 1]
        xx += m[three + place + 1]
        yy += m[four + place + 1]
        xy += m[five + place + 1]
    else:
        xs, ys, xx, yy, xy = 0.0, 0.0, 0.0, 0.0, 0.0
        for back in range(window - 1, -1, -1):
            a, b = m[COVARIANCE + back] - x, m[two + back] - y
            xs += a
            ys += b
            xx += a * a
            yy += b * b
            xy += a * b
            m[COVARIANCE + back], m[two + back] = xs, ys
            m[three + back], m[four + back], m[five + back] = xx, yy, xy
        m[0], m[1], m[2], m[3] = 1.0, 0.0, newest_x, newest_y
        m[4], m[5], m[6], m[7], m[8] = 0.0, 0.0, 0.0, 0.0, 0.0
    share = 1.0 / window
    x, y = xs * share, ys * share
    return xx * share - x * x, yy * share - y * y, xy * share - x * y


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
    # `rising`: weighted 1, 2, 3, ... in this block; `left` below likewise from the window's front.
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
