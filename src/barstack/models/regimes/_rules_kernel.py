"""The compiled part of the rules, row by row."""

from __future__ import annotations

from math import exp, log, sqrt

from numba import njit

_FARTHEST = 50.0  # of a score, beyond which a probability is 0 or 1


@njit(cache=True)
def _above(value, threshold, width):
    """The logistic function: one half at the threshold."""
    score = (value - threshold) / width
    return 1.0 / (1.0 + exp(-min(max(score, -_FARTHEST), _FARTHEST)))


@njit(cache=True)
def by_rules(table, rows, typical, bars, at, found):
    """Fill (n_rows, 6) probabilities in the order of REGIMES; they sum to one."""
    trend_bars, fall_bars = bars
    trend_at, high_at, crash_at, softness = at
    for i in range(len(rows)):
        moved, volatility, drawdown = table[rows[i], 0], table[rows[i], 1], table[rows[i], 2]
        now = max(volatility, 1e-3 * typical)
        trend = moved / (now * sqrt(trend_bars))
        ratio = log(now / typical)
        fall = -drawdown / (typical * sqrt(fall_bars))
        crash = _above(fall, crash_at, softness * crash_at)
        up = _above(trend, trend_at, softness * trend_at)
        down = _above(-trend, trend_at, softness * trend_at)
        high = _above(ratio, high_at, softness * high_at)
        low = _above(-ratio, high_at, softness * high_at)
        rest = 1.0 - crash
        flat = rest * max(1.0 - up - down, 0.0)  # rounding may take it below
        found[i, 0] = rest * up
        found[i, 1] = rest * down
        found[i, 2] = flat * max(1.0 - high - low, 0.0)
        found[i, 3] = flat * high
        found[i, 4] = flat * low
        found[i, 5] = crash
