"""Compiled pieces that kernels are made of: each takes a slice of state and the newest value.

A window is computed in blocks of its own length. Its memory is filled from front to back; when it
is full, one pass from back to front leaves at each place the sum (or the extreme) from there to the
end of the block, and the next block begins at the front. The window's sum is then the sum of the
new block so far plus what the previous block left behind the newest place:

    previous block         . . . . [c d e f]      place of the newest value: 3
    this block                     [g h i j]      window = (g + h + i + j) + left[4 ...]

Nothing is ever subtracted from a sum, so rounding errors neither accumulate nor outlive the large
values that caused them, and a window of zeros sums to zero: after a million bars it is as exact as
a fresh computation. It costs O(1) a bar, about a nanosecond of which is the pass once a block.

A window's memory begins with 1 once a block has ended, then the next place; the constants say how
many floats each piece needs beside the windows themselves. `moments.py`, `extremes.py` and
`sorted.py` hold more of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

LAG = 2
SUM = 3
WEIGHTED = 4
EMA = 2
WILDER = 2
# While nothing moves, an exponential mean decays until it is too small for a float. Only the
# quotient of several that decay alike matters, and it is constant: below this they stay.
FADED = 1e-200


# x / 0 is infinite or NaN as in numpy: checking every division costs more than dividing. Pieces are
# inlined and without reference counts, which would cost more than most features.
COMPILED: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
piece = njit(forceinline=True, **COMPILED)


@piece
def lag(m, x, window):
    """The value given `window` calls ago, NaN before there is one. Memory: LAG + window."""
    place = int(m[1])
    old = m[LAG + place]
    m[LAG + place] = x
    if place < window - 1:
        # Counted as a float: conversion to an integer and back costs more than the rest.
        m[1] += 1.0
        return old if m[0] == 1.0 else np.nan
    full = m[0] == 1.0
    m[0], m[1] = 1.0, 0.0
    return old if full else np.nan


@piece
def rolling_sum(m, x, window):
    """Sum of the last `window` values, NaN until there are that many. Memory: SUM + window."""
    place = int(m[1])
    since = m[2] + x
    m[SUM + place] = x
    if place < window - 1:
        m[1] += 1.0
        m[2] = since
        return since + m[SUM + place + 1] if m[0] == 1.0 else np.nan
    left = 0.0
    for back in range(SUM + window - 1, SUM - 1, -1):
        left += m[back]
        m[back] = left
    m[0], m[1], m[2] = 1.0, 0.0, 0.0
    return left


@piece
def rolling_mean(m, x, window):
    """Mean of the last `window` values, NaN until there are that many. Memory: SUM + window."""
    return rolling_sum(m, x, window) * (1.0 / window)


@piece
def weighted_mean(m, x, window):
    """Mean with weights `window` for the newest value down to 1 for the oldest.

    NaN until there are `window` values. Memory: WEIGHTED + window.
    """
    place = int(m[1])
    since = m[2] + x
    rising = m[3] + (m[1] + 1.0) * x  # since the block began, weighted 1, 2, 3, ...
    m[WEIGHTED + place] = x
    scale = 2.0 / (window * (window + 1.0))
    if place < window - 1:
        m[1] += 1.0
        m[2], m[3] = since, rising
        if m[0] == 0.0:
            return np.nan
        newer = (window - m[1]) * since + rising
        return (newer + m[WEIGHTED + place + 1]) * scale
    left, weighted = 0.0, 0.0
    for back in range(WEIGHTED + window - 1, WEIGHTED - 1, -1):
        left += m[back]
        weighted += left  # a value one place nearer to the end is added once more
        m[back] = weighted
    m[0], m[1], m[2], m[3] = 1.0, 0.0, 0.0, 0.0
    return rising * scale


@piece
def ema(m, x, span):
    """Exponential mean with weight 2 / (span + 1), begun at the first value. Memory: EMA.

    NaN for the first `span - 1` values, as their mean still depends on the start.
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

    NaN for the first `window - 1` values. Memory: WILDER. Wilder (1978), as in TA-Lib.
    """
    if m[0] < window:
        m[0] += 1
        m[1] += x / window
        return m[1] if m[0] == window else np.nan
    m[1] += (x - m[1]) * (1.0 / window)
    return m[1]
