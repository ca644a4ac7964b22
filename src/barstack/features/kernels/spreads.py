"""Spread between bid and ask, guessed from bars: fractions of the price, never below 0.

They were made for days of shares. Shorter bars show the bounce between bid and ask too, but quiet
ones do not reach both; read the values as ranks rather than as costs.
"""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.moments import COVARIANCE, rolling_covariance
from ..pieces.rolling import SUM, rolling_mean

_STEEPNESS = math.sqrt(2.0) + 1.0


@feature(
    group="microstructure",
    memory=lambda window: 2 + COVARIANCE + 5 * window,
    warmup=lambda window: window + 1,
    unit="fraction",
    low=0,
    source="Roll (1984)",
)
def roll_spread(state, bar, window=50):
    """2 sqrt(-covariance of log returns and those one bar before), over `window` pairs.

    0 where the covariance is positive: price went on more than it bounced.
    """
    if math.isnan(bar.log_return):
        return np.nan
    # state: the return before, and whether there is one; then pairs.
    before, state[0] = state[0], bar.log_return
    if state[1] == 0.0:
        state[1] = 1.0
        return np.nan
    _, _, covariance = rolling_covariance(state[2:], bar.log_return, before, window)
    if covariance >= 0.0:
        return 0.0
    # Over n - 1 pairs rather than n.
    return 2.0 * math.sqrt(-covariance * (window / max(window - 1.0, 1.0)))


@feature(
    group="microstructure",
    memory=lambda window: 2 + SUM + window,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    source="Corwin, Schultz (2012)",
)
def corwin_schultz(state, bar, window=20):
    """Mean over `window` pairs of bars of 2 (e^a - 1) / (e^a + 1), those below 0 taken as 0.

    a = (sqrt(2 b) - sqrt(b)) / (3 - 2 sqrt(2)) - sqrt(g / (3 - 2 sqrt(2))), where b is the sum of
    ln(high / low)^2 of both bars and g that of the two as one. A bar that lies wholly above or
    below the close before is moved to touch it, as the paper does for nights.
    """
    # state: high and low of the bar before, as logs over its close.
    close = -bar.log_gap  # the one before; all logs are over this bar's open
    high, low = state[0] + close, state[1] + close
    state[0], state[1] = bar.log_high - bar.log_close, bar.log_low - bar.log_close
    if math.isnan(close):
        return np.nan
    moved = 0.0
    if close > bar.log_high:
        moved = close - bar.log_high
    elif close < bar.log_low:
        moved = close - bar.log_low
    both = max(high, bar.log_high + moved) - min(low, bar.log_low + moved)
    root = math.sqrt((high - low) ** 2 + (bar.log_high - bar.log_low) ** 2)
    # The paper's constants come to the same: 1 / (sqrt(2) - 1) is sqrt(2) + 1.
    a = _STEEPNESS * (root - both)
    return rolling_mean(state[2:], 2.0 * math.tanh(0.5 * a) if a > 0.0 else 0.0, window)


@feature(
    group="microstructure",
    memory=lambda window: 1 + SUM + window,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    source="Abdi, Ranaldo (2017)",
)
def abdi_ranaldo(state, bar, window=20):
    """2 sqrt(mean of (c - m) (c - n)) over `window` pairs of bars, 0 where the mean is negative.

    In logs: c the close, m the middle of high and low of its bar, and n that of the bar after.
    """
    # state: close less middle of the bar before.
    middle = 0.5 * (bar.log_high + bar.log_low)  # over this bar's open
    before, state[0] = state[0], bar.log_close - middle
    if math.isnan(bar.log_gap):
        return np.nan
    mean = rolling_mean(state[1:], before * (-bar.log_gap - middle), window)
    return 0.0 if mean <= 0.0 else 2.0 * math.sqrt(mean)
