"""The compiled parts of scaling: windows in one pass, and ranks among quantiles."""

from __future__ import annotations

import numpy as np
from numba import njit


# Divides as numpy does; asking each time whether it divides by zero would cost half the speed.
@njit(cache=True, error_model="numpy")
def linear_windows(table, rows, lookback, centre, scale, clip, out):
    """Windows up to `rows`, each value less its column's centre, over its scale, and clipped.

    out  (n_rows, lookback, n_columns) float32
    """
    for place in range(len(rows)):
        first = rows[place] - lookback + 1
        for step in range(lookback):
            bar = table[first + step]
            into = out[place, step]
            for column in range(len(bar)):
                value = (bar[column] - centre[column]) / scale[column]
                value = clip if value > clip else value
                into[column] = -clip if value < -clip else value


@njit(cache=True, error_model="numpy")
def ranks_of(values, quantiles, out):
    """The share of training rows below each value, straight between quantiles.

    quantiles  (n_columns, n_quantiles), rising
    """
    last = quantiles.shape[1] - 1
    for column in range(values.shape[1]):
        knots = quantiles[column]
        for row in range(values.shape[0]):
            value = values[row, column]
            if np.isnan(value):
                out[row, column] = np.nan
                continue
            above = _not_above(knots, value)
            if above == 0:
                out[row, column] = 0.0
            elif knots[above - 1] == value:  # which may stand for many rows: the middle of them
                below = np.searchsorted(knots, value)
                out[row, column] = 0.5 * (below + above - 1) / last
            elif above > last:
                out[row, column] = 1.0
            else:
                low, high = knots[above - 1], knots[above]
                out[row, column] = (above - 1 + (value - low) / (high - low)) / last


@njit(cache=True)
def _not_above(knots, value):
    """How many knots do not lie above a value; halved without a branch, as none can be foreseen."""
    begin, left = 0, len(knots)
    while left > 1:
        half = left // 2
        begin = begin + half if knots[begin + half - 1] <= value else begin
        left -= half
    return begin + (knots[begin] <= value)
