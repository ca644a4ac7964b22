"""The compiled part of the elastic net: coordinate descent on a Gram matrix, then an exact solve."""

from __future__ import annotations

import numpy as np
from numba import njit

_FIRST_TOLERANCE = 1e-4
_LAST_TOLERANCE = 1e-15
_ROUNDING = 1e-12


@njit(cache=True)
def elastic_net_of(gram, cross, l1, l2, rounds):
    """Weights that minimise b'Gb/2 - c'b + l1 |b| + l2 b'b/2, and whether they were reached.

    gram    (n_features, n_features)
    cross   (n_features,) c
    rounds  most passes over the features

    Coordinate descent, Friedman, Hastie, Tibshirani (2010), finds which features stay, with which
    sign. Given these the minimum is a linear system; where its solution passes the conditions
    that hold at a minimum alone, it is returned, exact but for rounding.
    """
    weights, rest = np.zeros(len(cross)), cross.copy()
    size = np.abs(cross).max() if len(cross) else 0.0
    done, tolerance = 0, _FIRST_TOLERANCE
    while done < rounds:
        done += 1
        change = _pass(gram, l1, l2, weights, rest)
        if change <= tolerance * size:
            solved = _solved(gram, cross, l1, l2, weights)
            if _is_minimum(gram, cross, l1, l2, solved, size):
                return solved, True
            if tolerance <= _LAST_TOLERANCE:
                return weights, True
            tolerance = max(0.1 * tolerance, _LAST_TOLERANCE)
    return weights, False


@njit(cache=True)
def _pass(gram, l1, l2, weights, rest):
    """Each weight in turn to its best; the largest change, in units of `cross`.

    rest  (n_features,) cross less what the weights explain, kept up to date
    """
    largest = 0.0
    for place in range(len(weights)):
        own, old = gram[place, place], weights[place]
        if own <= 0.0:
            continue
        pull = rest[place] + own * old
        new = 0.0
        if pull > l1:
            new = (pull - l1) / (own + l2)
        elif pull < -l1:
            new = (pull + l1) / (own + l2)
        if new != old:
            weights[place] = new
            rest -= (new - old) * gram[place]
            largest = max(largest, abs(new - old) * own)
    return largest


@njit(cache=True)
def _solved(gram, cross, l1, l2, weights):
    """The minimum among weights of these signs, by Cholesky; NaN where it is not unique."""
    active = np.flatnonzero(weights)
    count = len(active)
    # One column more than the matrix holds the right side, which is reduced along with it.
    upper = np.empty((count, count + 1))
    for row in range(count):
        for column in range(count):
            upper[row, column] = gram[active[row], active[column]]
        upper[row, row] += l2
        upper[row, count] = cross[active[row]] - l1 * np.sign(weights[active[row]])
    found = np.zeros(len(weights))
    for row in range(count):
        pivot = upper[row, row]
        if pivot <= _ROUNDING * (gram[active[row], active[row]] + l2):
            found[:] = np.nan
            return found
        for below in range(row + 1, count):
            upper[below, below:] -= (upper[row, below] / pivot) * upper[row, below:]
    for row in range(count - 1, -1, -1):
        total = upper[row, count]
        for column in range(row + 1, count):
            total -= upper[row, column] * found[active[column]]
        found[active[row]] = total / upper[row, row]
    return found


@njit(cache=True)
def _is_minimum(gram, cross, l1, l2, weights, size):
    """Whether each pull is what its weight's sign asks for; false for NaN."""
    rest = cross - l2 * weights
    for place in range(len(weights)):
        if weights[place] != 0.0:
            rest -= weights[place] * gram[place]
    slack = _ROUNDING * size
    for place in range(len(weights)):
        weight = weights[place]
        if weight != 0.0:
            if not abs(rest[place] - l1 * np.sign(weight)) <= slack:
                return False
        elif not abs(rest[place]) <= l1 + slack:
            return False
    return True
