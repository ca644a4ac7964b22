"""A window in order of size as a treap: O(log w) to replace, to count and to select.

Aragon, Seidel (1989). A node is a place of the window, so nothing is allocated: a treap of w places
takes `3 + 4 * (w + 1)` floats. A place's priority is a fixed hash of its number. The shape is that
of a random search tree in whatever order values arrive, about 1.4 log2(w) deep, and the same in
every run.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .rolling import COMPILED

# m: values seen (at most the window), next place, root; then four floats a node. Node 0 is none.
_ROOT = 2
_NODES = 3
_LEFT, _RIGHT, _SIZE = 1, 2, 3

# Called, not inlined like the short pieces: a call costs little compared with the walk.
_called = njit(**COMPILED)


def treap_memory(window: int) -> int:
    """Floats of state for this window."""
    return _NODES + 4 * (window + 1)


@_called
def treap_replace(m, x, window):
    """Replace the window's oldest value by x; whether there are `window` values yet."""
    node = int(m[1]) + 1
    m[1] = m[1] + 1.0 if node < window else 0.0
    if m[0] == window:
        _take_out(m, node)
    else:
        m[0] += 1.0
    _put_in(m, node, x)
    return m[0] == window


@_called
def treap_select(m, n):
    """The nth smallest value, from 0."""
    node = int(m[_ROOT])
    while True:
        at = _NODES + 4 * node
        left = int(m[at + _LEFT])
        smaller = int(m[_NODES + 4 * left + _SIZE])
        if n == smaller:
            return m[at]
        if n < smaller:
            node = left
        else:
            n -= smaller + 1
            node = int(m[at + _RIGHT])


@_called
def treap_count_at_most(m, x):
    """How many values are at most x."""
    return int(_count_at_most(m, int(m[_ROOT]), x))


@_called
def treap_count_below(m, x):
    """How many values are smaller than x."""
    count, node = 0.0, int(m[_ROOT])
    while node != 0:
        at = _NODES + 4 * node
        if m[at] < x:
            count += 1.0 + m[_NODES + 4 * int(m[at + _LEFT]) + _SIZE]
            node = int(m[at + _RIGHT])
        else:
            node = int(m[at + _LEFT])
    return int(count)


@_called
def _count_at_most(m, node, x):
    count = 0.0
    while node != 0:
        at = _NODES + 4 * node
        if m[at] <= x:
            count += 1.0 + m[_NODES + 4 * int(m[at + _LEFT]) + _SIZE]
            node = int(m[at + _RIGHT])
        else:
            node = int(m[at + _LEFT])
    return count


@_called
def _priority(node):
    """Hash of a number: the finalizer of splitmix64."""
    bits = np.uint64(node) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return bits ^ (bits >> np.uint64(27))


@_called
def _take_out(m, node):
    """Remove the oldest node: of equal values the older are to the left."""
    gone = _NODES + 4 * node
    link, here = _ROOT, int(m[_ROOT])
    while here != node:
        at = _NODES + 4 * here
        m[at + _SIZE] -= 1.0
        link = at + (_LEFT if m[gone] <= m[at] else _RIGHT)
        here = int(m[link])
    # Merge its two subtrees.
    left, right = int(m[gone + _LEFT]), int(m[gone + _RIGHT])
    while left != 0 and right != 0:
        a, b = _NODES + 4 * left, _NODES + 4 * right
        if _priority(left) > _priority(right):
            m[link] = left
            m[a + _SIZE] += m[b + _SIZE]
            link = a + _RIGHT
            left = int(m[link])
        else:
            m[link] = right
            m[b + _SIZE] += m[a + _SIZE]
            link = b + _LEFT
            right = int(m[link])
    m[link] = left if left != 0 else right


@_called
def _put_in(m, node, x):
    """Insert a node above all of lower priority, to the right of equal values."""
    new = _NODES + 4 * node
    link, here = _ROOT, int(m[_ROOT])
    while here != 0 and _priority(here) > _priority(node):
        at = _NODES + 4 * here
        m[at + _SIZE] += 1.0
        link = at + (_RIGHT if m[at] <= x else _LEFT)
        here = int(m[link])
    # The subtree it replaces is split into values up to x and above.
    smaller = _count_at_most(m, here, x)
    larger = m[_NODES + 4 * here + _SIZE] - smaller
    m[link] = node
    m[new], m[new + _SIZE] = x, smaller + larger + 1.0
    left_link, right_link = new + _LEFT, new + _RIGHT
    while here != 0:
        at = _NODES + 4 * here
        if m[at] <= x:
            m[left_link] = here
            m[at + _SIZE], smaller = smaller, smaller - 1.0
            left_link = at + _RIGHT
            smaller -= m[_NODES + 4 * int(m[at + _LEFT]) + _SIZE]
            here = int(m[left_link])
        else:
            m[right_link] = here
            m[at + _SIZE], larger = larger, larger - 1.0
            right_link = at + _LEFT
            larger -= m[_NODES + 4 * int(m[at + _RIGHT]) + _SIZE]
            here = int(m[right_link])
    m[left_link], m[right_link] = 0.0, 0.0
