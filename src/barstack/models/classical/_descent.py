"""The compiled part of the elastic net: descent on a Gram matrix, then an exact solve."""

from __future__ import annotations

import numpy as np
from numba import njit

_ROUNDING = 1e-12
_PASSES = 10  # to each solve, which takes about as long where most features stay


@njit(cache=True)
def elastic_net_of(gram, cross, l1, l2, rounds):
    """Weights that minimise b'Gb/2 - c'b + l1 |b| + l2 b'b/2, and whether they were reached.

    gram    (n_features, n_features)
    cross   (n_features,) c
    rounds  most passes over the features

    Passes of coordinate descent find which features stay, with which sign; Friedman, Hastie,
    Tibshirani (2010). Given these the minimum solves a linear system. Where it has the signs it
    was given, and leaves out no feature that belongs in, it is the minimum of all, exact but for
    rounding. Otherwise the step towards it ends where the sum is least along it, and the next
    pass goes on from there.
    """
    weights, rest = np.zeros(len(cross)), cross.copy()
    size = np.abs(cross).max() if len(cross) else 0.0
    for done in range(1, rounds + 1):
        change = _pass(gram, l1, l2, weights, rest)
        if change > _ROUNDING * size and done % _PASSES and done < rounds:
            continue
        solved = _solved(gram, cross, l1, l2, weights)
        if np.isnan(solved).any():  # repeated features and no L2 penalty: descent alone gets there
            if change <= _ROUNDING * size:
                return weights, True
            continue
        whole = _move(weights, solved, rest, l1, l2)
        rest[:] = cross
        for place in np.flatnonzero(weights):
            rest -= weights[place] * gram[place]
        if whole and (np.abs(rest) <= l1 + _ROUNDING * size)[weights == 0.0].all():
            return weights, True
    return weights, False


@njit(cache=True)
def _move(weights, solved, rest, l1, l2):
    """Go towards `solved` as far as the sum falls; whether that was all the way, no sign changed.

    Where a weight passes 0 the L1 penalty turns: from there on the sum falls less steeply.
    """
    ahead = solved - weights
    fall = 0.0  # of the sum at the start, for a whole step; it lessens evenly up to its end
    for place in np.flatnonzero(weights):
        pull = rest[place] - l2 * weights[place] - l1 * np.sign(weights[place])
        fall += ahead[place] * pull
    turning = np.flatnonzero((weights * solved < 0.0) & (l1 > 0.0))
    where = weights[turning] / -ahead[turning]
    turned = 0.0
    for place in np.argsort(where):
        if fall * (1.0 - where[place]) <= turned:
            break
        turned += 2.0 * l1 * abs(ahead[turning[place]])
        if fall * (1.0 - where[place]) <= turned:
            weights += where[place] * ahead
            weights[turning[place]] = 0.0
            return False
    if turned == 0.0:
        weights[:] = solved
        return True
    weights += (1.0 - turned / fall) * ahead
    return False


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
            for other in range(len(rest)):
                rest[other] -= (new - old) * gram[place, other]
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
            share = upper[row, below] / pivot
            for column in range(below, count + 1):
                upper[below, column] -= share * upper[row, column]
    for row in range(count - 1, -1, -1):
        total = upper[row, count]
        for column in range(row + 1, count):
            total -= upper[row, column] * found[active[column]]
        found[active[row]] = total / upper[row, row]
    return found
