"""Which side trades, and how far it moves price, guessed from bars.

None depends on the unit of price or of volume: impact is per usual volume of the same window, so
symbols compare. Where nothing was traded each has its neutral value, 0.
"""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
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
    # The error function is odd; of one sign its branches are foreseen, at half the time.
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

    VPIN over bars in place of buckets of equal volume: how one-sided trading is, whichever side.
    0 without volume.
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

    Least squares through 0, volume signed by its bar's return: how far the volume of a usual bar,
    all on one side, moves price. 0 without volume.
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

    Amihud's illiquidity, for the money of a usual bar in place of a million dollars. Both means
    are over bars that were traded; 0 where none was.
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
