"""Compiled: exponential means of squared returns and of the time that they took."""

from __future__ import annotations

import math

from numba import njit


@njit(cache=True, error_model="numpy")
def volatility_of(close, times, span, state, out):
    """Fill `out`, (n_bars, 2), with the mean squared log return and the mean time, as known then.

    times  (n_bars,) microseconds of the closes
    state  last close, its time, both means and the count, kept between calls; zeros at first
    """
    weight = 2.0 / (span + 1.0)
    for row in range(len(close)):
        if state[0] > 0.0:
            change = math.log(close[row] / state[0])
            state[4] += 1.0
            # The plain mean until the exponential one weighs the newest less.
            share = max(weight, 1.0 / state[4])
            state[2] += (change * change - state[2]) * share
            state[3] += (times[row] - state[1] - state[3]) * share
        state[0], state[1] = close[row], times[row]
        out[row, 0], out[row, 1] = state[2], state[3]
