"""Windows in order of size: ranks, medians and quantiles.

A window is a sorted array that is rewritten with every value. Straight passes without a branch,
vectorized by four, are faster than following pointers: ten times for 50 values, equal at some ten
thousand. Longer windows are a treap (`treap.py`), which costs O(log w).
"""

from __future__ import annotations

import math

import numpy as np

from .rolling import piece
from .treap import treap_count_at_most, treap_count_below, treap_memory, treap_replace, treap_select

LONGEST_ARRAY = 4096

_RING = 2


def sorted_memory(window: int) -> int:
    """Floats of state that the pieces of this module need."""
    return _RING + 2 * window if window <= LONGEST_ARRAY else treap_memory(window)


def rank_memory(window: int) -> int:
    """Floats of state that `rolling_rank` needs."""
    return _RING + window if window <= LONGEST_ARRAY else treap_memory(window)


@piece
def sort_in(m, x, window):
    """Replace the window's oldest value by x; whether there are `window` values yet."""
    if window > LONGEST_ARRAY:
        return treap_replace(m, x, window)
    place, values = int(m[1]), m[_RING + window : _RING + 2 * window]
    if m[0] == 0.0 and place == 0:
        for each in range(_RING, _RING + 2 * window):
            m[each] = np.inf  # places not yet used sort to the end
    old = m[_RING + place]
    m[_RING + place] = x
    if place < window - 1:
        m[1] += 1.0
    else:
        m[0], m[1] = 1.0, 0.0
    # Values between the old one and x move by one place towards the old. Each becomes the median of
    # itself, its neighbour and x: no search for the place of x.
    last = len(values) - 1
    if x >= old:
        for at in range(last):
            here, after = values[at], values[at + 1]
            reach = here if here > x else x
            moved = after if after < reach else reach
            values[at] = here if here < old else moved
        values[last] = values[last] if values[last] > x else x
    else:
        for at in range(last, 0, -1):
            here, before = values[at], values[at - 1]
            reach = here if here < x else x
            moved = before if before > reach else reach
            values[at] = here if here > old else moved
        values[0] = values[0] if values[0] < x else x
    return m[0] == 1.0


@piece
def nth(m, n, window):
    """The nth smallest of a full window, from 0."""
    if window > LONGEST_ARRAY:
        return treap_select(m, n)
    return m[_RING + window + n]


@piece
def quantile(m, share, window):
    """Quantile of a full window, interpolated linearly between the two nearest values."""
    rank = share * (window - 1.0)
    below = math.floor(rank)
    low = nth(m, below, window)
    part = rank - below
    return low + part * (nth(m, below + 1, window) - low) if part > 0.0 else low


@piece
def rolling_rank(m, x, window):
    """Share of the other values in the window that are smaller than the newest; ties count half.

    From 0, the smallest, to 1, the largest; 0.5 where all are equal. NaN until there are `window`
    values. Counting needs no order: the memory is not that of `sort_in` but `rank_memory(window)`.
    """
    if window > LONGEST_ARRAY:
        full = treap_replace(m, x, window)
        twice = treap_count_at_most(m, x) + treap_count_below(m, x)
    else:
        place, values = int(m[1]), m[_RING : _RING + window]
        values[place] = x
        if place < window - 1:
            m[1] += 1.0
        else:
            m[0], m[1] = 1.0, 0.0
        full, twice = m[0] == 1.0, 0
        for each in range(len(values)):
            twice += (values[each] < x) + (values[each] <= x)
    return 0.5 * (twice - 1.0) / max(window - 1.0, 1.0) if full else np.nan
