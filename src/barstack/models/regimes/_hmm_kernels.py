"""Compiled parts of the hidden Markov model: densities, the forward filter, and one step of EM.

Likelihoods of a row are divided by the largest of its states and forward probabilities sum to one
at each row, so that nothing underflows: Rabiner (1989), section V.A.
"""

from __future__ import annotations

from math import exp, log, pi

import numpy as np
from numba import njit


@njit(cache=True)
def observe(table, scale, farthest, found):
    """Fill (n_rows, 2) direction and ln range of each row, scaled and clipped.

    table  (n_rows, 3) log return, direction, range
    scale  (5,) floor of the range; means of the two; their deviations
    """
    for t in range(len(table)):
        ranged = log(max(table[t, 2], 0.0) + scale[0])
        found[t, 0] = min(max((table[t, 1] - scale[1]) / scale[3], -farthest), farthest)
        found[t, 1] = min(max((ranged - scale[2]) / scale[4], -farthest), farthest)


@njit(cache=True)
def likelihoods(observed, mean, variance, found, largest):
    """Fill each row's likelihoods over the largest of its states, and ln of that.

    observed        (n_rows, n_values)
    mean, variance  (n_states, n_values) of independent Gaussians
    found           (n_rows, n_states) from 0 to 1, 1 for one state at least
    largest         (n_rows,)
    """
    n_states, n_values = mean.shape
    constant = np.empty(n_states)
    for k in range(n_states):
        constant[k] = 0.0
        for d in range(n_values):
            constant[k] -= 0.5 * log(2.0 * pi * variance[k, d])
    for t in range(len(observed)):
        most = -np.inf
        for k in range(n_states):
            density = constant[k]
            for d in range(n_values):
                away = observed[t, d] - mean[k, d]
                density -= 0.5 * away * away / variance[k, d]
            found[t, k] = density
            most = max(most, density)
        for k in range(n_states):
            found[t, k] = exp(found[t, k] - most)
        largest[t] = most


@njit(cache=True)
def filtered(likelihood, rows, lookback, start, moves, found):
    """Fill P(state at each of `rows` | the `lookback` rows up to it), from `start` at the first.

    likelihood  (n_table, n_states) as `likelihoods` gives
    rows        (n_rows,)
    start       (n_states,) of the first row of each window, positive
    moves       (n_states, n_states) from, to; positive
    found       (n_rows, n_states)
    """
    n_states = len(start)
    now, ahead = np.empty(n_states), np.empty(n_states)
    for i in range(len(rows)):
        first = rows[i] - lookback + 1
        total = 0.0
        for k in range(n_states):
            now[k] = start[k] * likelihood[first, k]
            total += now[k]
        for k in range(n_states):
            now[k] /= total
        for t in range(first + 1, rows[i] + 1):
            total = 0.0
            for k in range(n_states):
                reached = 0.0
                for j in range(n_states):
                    reached += now[j] * moves[j, k]
                ahead[k] = reached * likelihood[t, k]
                total += ahead[k]
            for k in range(n_states):
                now[k] = ahead[k] / total
        for k in range(n_states):
            found[i, k] = now[k]


@njit(cache=True)
def expected(likelihood, largest, begins, start, moves, posterior, moved):
    """Log likelihood of all stretches; fill the posterior of each row and expected moves.

    begins     (n_stretches + 1,) first row of each, and the end of the last
    posterior  (n_rows, n_states) P(state | all rows of the stretch), for training alone
    moved      (n_states, n_states) sum over rows of P(from, to | all rows of the stretch)
    """
    n_states = len(start)
    moved[:] = 0.0
    log_likelihood = 0.0
    scale = np.empty(len(likelihood))
    back, before = np.empty(n_states), np.empty(n_states)
    for s in range(len(begins) - 1):
        for t in range(begins[s], begins[s + 1]):
            total = 0.0
            for k in range(n_states):
                reached = start[k]
                if t > begins[s]:
                    reached = 0.0
                    for j in range(n_states):
                        reached += posterior[t - 1, j] * moves[j, k]
                posterior[t, k] = reached * likelihood[t, k]
                total += posterior[t, k]
            for k in range(n_states):
                posterior[t, k] /= total
            scale[t] = total
            log_likelihood += log(total) + largest[t]
        back[:] = 1.0
        for t in range(begins[s + 1] - 2, begins[s] - 1, -1):
            for j in range(n_states):
                before[j] = 0.0
                for k in range(n_states):
                    ahead = moves[j, k] * likelihood[t + 1, k] * back[k] / scale[t + 1]
                    before[j] += ahead
                    moved[j, k] += posterior[t, j] * ahead
            # Row t + 1 is done with: its posterior is that of both directions.
            for k in range(n_states):
                posterior[t + 1, k] *= back[k]
                back[k] = before[k]
        for k in range(n_states):
            posterior[begins[s], k] *= back[k]
    return log_likelihood
