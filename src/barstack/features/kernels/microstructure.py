"""Microstructure estimated from bars: which side trades, its price impact, and the bid-ask spread.

Impact does not depend on the unit of price or of volume: it is per usual volume of the same window,
so symbols compare. Where nothing was traded each value is neutral, 0.

Spreads are fractions of the price, never below 0. Their estimators were made for daily bars of
shares. Shorter bars show the bid-ask bounce too, but quiet ones do not reach both sides: read the
values as ranks rather than as costs.
"""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.moments import COVARIANCE, rolling_covariance
from ..pieces.ratios import share
from ..pieces.rolling import SUM, rolling_mean, rolling_sum


@feature(
    group="microstructure",
    memory=lambda window: 2 * (SUM + window),
    warmup=lambda window: window - 1,
    unit="fraction",
    low=-1,
    high=1,
)
def signed_volume(state, bar, window=20):
    """Sum of volume * (close - open) / (high - low), divided by the sum of volume.

    The part of volume that moved price up less the part that moved it down; 0 without volume.
    """
    half = SUM + window
    side = share(bar.close - bar.open, bar.high - bar.low, 0.0)
    signed = rolling_sum(state[:half], side * bar.volume, window)
    return share(signed, rolling_sum(state[half:], bar.volume, window), 0.0)


@feature(
    group="microstructure",
    memory=lambda window: 3 * (SUM + window),
    warmup=lambda window: 2 * window - 1,
    unit="fraction",
    low=-1,
    high=1,
    source="Easley, Lopez de Prado, O'Hara (2012)",
)
def bulk_imbalance(state, bar, window=20):
    """Sum of volume * (2 N(z) - 1) / sum of volume over `window` bars; N the normal distribution.

    z is the log return over the root mean square of the last `window`: bulk volume
    classification, which gives a share N(z) of each bar's volume to buyers. 0 without volume.
    """
    if math.isnan(bar.log_return):
        return np.nan
    part = SUM + window
    square = rolling_mean(state[:part], bar.log_return * bar.log_return, window)
    if math.isnan(square):
        return np.nan
    # erf is odd: with one sign its branches are predicted, which takes half the time.
    side = math.erf(abs(bar.log_return) / math.sqrt(2.0 * square)) if square > 0.0 else 0.0
    side = math.copysign(side, bar.log_return)
    signed = rolling_sum(state[part : 2 * part], side * bar.volume, window)
    return share(signed, rolling_sum(state[2 * part :], bar.volume, window), 0.0)


@feature(
    group="microstructure",
    memory=lambda window: 3 * (SUM + window),
    warmup=lambda window: 2 * window - 1,
    unit="fraction",
    low=0,
    high=1,
    source="Easley, Lopez de Prado, O'Hara (2012)",
)
def toxicity(state, bar, window=20):
    """Sum of volume * |2 N(z) - 1| / sum of volume over `window` bars, with z of bulk_imbalance.

    VPIN over bars in place of buckets of equal volume: how one-sided trading is, on either side. 0
    without volume.
    """
    if math.isnan(bar.log_return):
        return np.nan
    part = SUM + window
    square = rolling_mean(state[:part], bar.log_return * bar.log_return, window)
    if math.isnan(square):
        return np.nan
    side = math.erf(abs(bar.log_return) / math.sqrt(2.0 * square)) if square > 0.0 else 0.0
    signed = rolling_sum(state[part : 2 * part], side * bar.volume, window)
    return share(signed, rolling_sum(state[2 * part :], bar.volume, window), 0.0)


@feature(
    group="microstructure",
    memory=lambda window: 3 * (SUM + window),
    warmup=lambda window: window,
    unit="log per bar",
    low=0,
    source="Kyle (1985)",
)
def kyle_lambda(state, bar, window=50):
    """Slope of log return on signed volume over `window` bars * mean volume.

    Least squares through 0, volume signed by its bar's return: the price impact of an average bar's
    volume, all on one side. 0 without volume.
    """
    if math.isnan(bar.log_return):
        return np.nan
    part = SUM + window
    products = rolling_sum(state[:part], abs(bar.log_return) * bar.volume, window)
    squares = rolling_sum(state[part : 2 * part], bar.volume * bar.volume, window)
    volume = rolling_sum(state[2 * part :], bar.volume, window)
    return share(products * volume * (1.0 / window), squares, 0.0)


@feature(
    group="microstructure",
    memory=lambda window: 3 * (SUM + window),
    warmup=lambda window: window,
    unit="log per bar",
    low=0,
    source="Amihud (2002)",
)
def amihud(state, bar, window=50):
    """Mean of |log return| / (close * volume) * mean of close * volume, over `window` bars.

    Amihud's illiquidity per mean traded value of a bar instead of per million dollars. Both means
    are over bars with volume; 0 if there are none.
    """
    if math.isnan(bar.log_return):
        return np.nan
    part = SUM + window
    money = bar.close * bar.volume
    traded = money > 0.0
    per_money = abs(bar.log_return) / money if traded else 0.0
    moved = rolling_sum(state[:part], per_money, window)
    total = rolling_sum(state[part : 2 * part], money, window)
    count = rolling_sum(state[2 * part :], 1.0 if traded else 0.0, window)
    return share(moved * total, count * count, 0.0)


@feature(
    group="microstructure",
    memory=lambda window: SUM + window,
    warmup=lambda window: window,
    unit="fraction",
    low=0,
    high=1,
    source="Lesmond, Ogden, Trzcinka (1999)",
)
def zero_return_share(state, bar, window=50):
    """Share of the last `window` bars that closed where the bar before did."""
    if math.isnan(bar.previous_close):
        return np.nan
    return rolling_mean(state, 1.0 if bar.close == bar.previous_close else 0.0, window)


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

    0 where the covariance is positive: price trended more than it bounced.
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
    # Equal to the paper's constants: 1 / (sqrt(2) - 1) is sqrt(2) + 1.
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
