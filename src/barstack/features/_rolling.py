"""Compiled pieces that kernels are made of: each takes a slice of state and the newest value.

Every piece costs O(1) a value. A window's memory begins with a count of values seen (at most the
window) and the ring's next place; the constants give how many floats each piece needs beside
the window itself. Running sums are taken afresh from the ring once a window, so rounding errors
cannot pile up however long the series.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LAG = 2
SUM = 3
MOMENTS = 4
EXTREME = 3
EMA = 2
WILDER = 2


# x / 0 is infinite or NaN as in numpy: checking every division would cost more than dividing.
# Inlined and without reference counts, which would cost more than most features.
piece = njit(error_model="numpy", forceinline=True, _nrt=False)


@piece
def lag(m, x, window):
    """The value given `window` calls ago, NaN before there is one. Memory: LAG + window."""
    head = int(m[1])
    old = m[LAG + head]
    m[LAG + head] = x
    head += 1
    m[1] = head if head < window else 0
    if m[0] < window:
        m[0] += 1
        return np.nan
    return old


@piece
def rolling_sum(m, x, window):
    """Sum of the last `window` values, NaN until there are that many. Memory: SUM + window."""
    head = int(m[1])
    total = m[2] + x - m[SUM + head]
    m[SUM + head] = x
    head += 1
    if head == window:
        head = 0
        total = 0.0
        for place in range(window):
            total += m[SUM + place]
    m[1], m[2] = head, total
    if m[0] < window:
        m[0] += 1
        if m[0] < window:
            return np.nan
    return total


@piece
def rolling_mean(m, x, window):
    """Mean of the last `window` values, NaN until there are that many. Memory: SUM + window."""
    return rolling_sum(m, x, window) * (1.0 / window)


@piece
def rolling_moments(m, x, window):
    """(mean, sample variance) of the last `window` values. Memory: MOMENTS + window.

    Mean and sum of squared deviations are updated together (Welford 1962, for a moving window),
    which does not cancel where prices are large against their moves.
    """
    head = int(m[1])
    if m[0] < window:
        m[0] += 1
        step = x - m[2]
        m[2] += step / m[0]
        m[3] += step * (x - m[2])
    else:
        old, mean = m[MOMENTS + head], m[2]
        step = x - old
        m[2] = mean + step * (1.0 / window)
        m[3] += step * (x - m[2] + old - mean)
    m[MOMENTS + head] = x
    head += 1
    if head == window:
        head = 0
        mean = 0.0
        for place in range(window):
            mean += m[MOMENTS + place]
        mean /= window
        squares = 0.0
        for place in range(window):
            squares += (m[MOMENTS + place] - mean) ** 2
        m[2], m[3] = mean, squares
    m[1] = head
    if m[0] < window:
        return np.nan, np.nan
    return m[2], max(m[3], 0.0) * (1.0 / (window - 1.0))


@piece
def rolling_max(m, x, window):
    """(largest of the last `window` values, its age in values). Memory: EXTREME + 2 * window.

    A queue of candidates in falling order, each with its number: what is newer and not smaller
    makes all before it irrelevant. Equal values count as the newest. NaN until the window is full.
    """
    number, first, size = m[0], int(m[1]), int(m[2])
    # The oldest goes before the newest comes: in a long one-way run all places are taken.
    if size > 0 and m[EXTREME + window + first] <= number - window:
        first = first + 1 if first + 1 < window else 0
        size -= 1
    last = first + size
    if last >= window:
        last -= window
    while size > 0:
        before = last - 1 if last > 0 else window - 1
        if m[EXTREME + before] > x:
            break
        last = before
        size -= 1
    m[EXTREME + last] = x
    m[EXTREME + window + last] = number
    m[0], m[1], m[2] = number + 1, first, size + 1
    if number + 1 < window:
        return np.nan, np.nan
    return m[EXTREME + first], number - m[EXTREME + window + first]


@piece
def rolling_min(m, x, window):
    """(smallest of the last `window` values, its age in values). Memory: EXTREME + 2 * window."""
    value, age = rolling_max(m, -x, window)
    return -value, age


@piece
def ema(m, x, span):
    """Exponential mean with weight 2 / (span + 1), begun at the first value. Memory: EMA.

    NaN for the first `span - 1` values, as their mean still leans on the start.
    """
    if m[0] < span:
        m[1] = x if m[0] == 0 else m[1] + (x - m[1]) * (2.0 / (span + 1.0))
        m[0] += 1
        return m[1] if m[0] == span else np.nan
    m[1] += (x - m[1]) * (2.0 / (span + 1.0))
    return m[1]


@piece
def wilder(m, x, window):
    """Wilder's mean: the plain mean of the first `window` values, then weight 1 / window.

    NaN for the first `window - 1` values. Memory: WILDER. Wilder (1978), as TA-Lib has it.
    """
    if m[0] < window:
        m[0] += 1
        m[1] += x / window
        return m[1] if m[0] == window else np.nan
    m[1] += (x - m[1]) * (1.0 / window)
    return m[1]
