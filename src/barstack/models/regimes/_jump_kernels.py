"""Compiled parts of the jump model: costs of paths that pay for each jump between states."""

from __future__ import annotations

from math import exp, log

import numpy as np
from numba import njit


@njit(cache=True)
def observe(table, scale, deviations, farthest, found):
    """Fill (n_rows, 2) trend and ln volatility of each row, scaled and clipped.

    table       (n_rows, 3) log return, net log return, volatility of a bar
    scale       (5,) floor of the volatility; means of the two; their deviations
    deviations  of the net return, in those of a bar
    """
    for t in range(len(table)):
        volatility = max(table[t, 2], 0.0) + scale[0]
        trend = (table[t, 1] / (volatility * deviations) - scale[1]) / scale[3]
        found[t, 0] = min(max(trend, -farthest), farthest)
        found[t, 1] = min(max((log(volatility) - scale[2]) / scale[4], -farthest), farthest)


@njit(cache=True)
def losses(observed, centre, found):
    """Fill (n_rows, n_states) half the squared distance of each row to each centre."""
    for t in range(len(observed)):
        for k in range(len(centre)):
            total = 0.0
            for d in range(observed.shape[1]):
                away = observed[t, d] - centre[k, d]
                total += away * away
            found[t, k] = 0.5 * total


@njit(cache=True)
def chances(loss, rows, lookback, penalty, spread, found):
    """Fill exp(-cost / spread) of the least cost of a path that ends in each state, as shares.

    loss   (n_table, n_states) as `losses` gives
    rows   (n_rows,) where windows of `lookback` rows end
    found  (n_rows, n_states), each row of sum 1
    """
    n_states = loss.shape[1]
    cost = np.empty(n_states)
    for i in range(len(rows)):
        cost[:] = 0.0
        for t in range(rows[i] - lookback + 1, rows[i] + 1):
            least = np.inf
            for k in range(n_states):
                least = min(least, cost[k])
            # Costs are kept over the least, so that they do not grow with the window.
            for k in range(n_states):
                cost[k] = min(cost[k] - least, penalty) + loss[t, k]
        least = np.inf
        for k in range(n_states):
            least = min(least, cost[k])
        total = 0.0
        for k in range(n_states):
            found[i, k] = exp(-(cost[k] - least) / spread)
            total += found[i, k]
        for k in range(n_states):
            found[i, k] /= total


@njit(cache=True)
def best_path(loss, begins, penalty, state):
    """Cost of the cheapest path through each stretch; fill it into `state`, (n_rows,)."""
    n_rows, n_states = loss.shape
    origin = np.empty((n_rows, n_states), np.int8)
    cost, after = np.empty(n_states), np.empty(n_states)
    total = 0.0
    for s in range(len(begins) - 1):
        first, end = begins[s], begins[s + 1]
        for k in range(n_states):
            cost[k] = loss[first, k]
        for t in range(first + 1, end):
            best = int(np.argmin(cost))
            for k in range(n_states):
                stays = cost[k] <= cost[best] + penalty
                origin[t, k] = k if stays else best
                after[k] = (cost[k] if stays else cost[best] + penalty) + loss[t, k]
            cost[:] = after
        now = int(np.argmin(cost))
        total += cost[now]
        state[end - 1] = now
        for t in range(end - 1, first, -1):
            now = origin[t, now]
            state[t - 1] = now
    return total
