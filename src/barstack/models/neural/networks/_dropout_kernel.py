"""Which numbers dropout keeps, by a seed and each number's place: compiled."""

from __future__ import annotations

import numba
import numpy as np

_FIRST, _SECOND = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)
_HALF, _UNEVEN = np.uint32(16), np.uint32(15)


@numba.njit(cache=True, inline="always")
def _mixed(x):  # type: ignore[no-untyped-def]
    """A permutation of 32-bit numbers in which each bit depends on all: Wellons (2018)."""
    x = np.uint32(np.uint32(x ^ np.uint32(x >> _HALF)) * _FIRST)
    x = np.uint32(np.uint32(x ^ np.uint32(x >> _UNEVEN)) * _SECOND)
    return np.uint32(x ^ np.uint32(x >> _HALF))


@numba.njit(cache=True)
def kept_by_number(values, share, low, high):  # type: ignore[no-untyped-def]
    """(n,) float32 values, of which about a `share` is 0 and the others are scaled up.

    A place's number, mixed with one half of the seed and then with the other, is the draw: plain
    arithmetic, many places at a time.
    """
    limit = np.uint32(min(share * 2.0**32, 2.0**32 - 1.0))
    scale = np.float32(1.0 / (1.0 - share))
    found = np.empty_like(values)
    for place in range(len(values)):
        drawn = _mixed(np.uint32(_mixed(np.uint32(np.uint32(place) ^ low)) ^ high))
        found[place] = values[place] * scale if drawn >= limit else np.float32(0.0)
    return found
