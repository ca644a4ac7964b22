"""Memory in prices: whether moves go on, turn back, or follow a pattern."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.rolling import LAG, SUM, lag, rolling_sum


@feature(
    group="statistics",
    memory=lambda window, gap: LAG + gap + 3 * (SUM + window),
    warmup=lambda window, gap: window + gap,
    unit="correlation",
    low=-1,
    high=1,
)
def autocorrelation(state, bar, window=50, gap=1):
    """Sum of return * return `gap` bars before, over the root of the two sums of squares.

    `window` pairs of log returns, not demeaned: over one window the mean is noise. 0 where nothing
    moved.
    """
    move = bar.log_return
    if math.isnan(move):
        return np.nan
    before = lag(state[: LAG + gap], move, gap)
    if math.isnan(before):
        return np.nan
    one = LAG + gap + SUM + window
    two = one + SUM + window
    products = rolling_sum(state[LAG + gap : one], move * before, window)
    squares = rolling_sum(state[one:two], move * move, window)
    squares_before = rolling_sum(state[two:], before * before, window)
    scale = math.sqrt(squares) * math.sqrt(squares_before)
    return 0.0 if scale == 0.0 else min(max(products, -scale), scale) / scale


@feature(
    group="statistics",
    memory=lambda window, step: 2 * (SUM + step) + 2 * (SUM + window),
    warmup=lambda window, step: window + step - 1,
    unit="ratio",
    low=0,
    source="Lo, MacKinlay (1988)",
)
def variance_ratio(state, bar, window=100, step=5):
    """Mean squared `step`-bar log return / mean sum of its `step` squared one-bar log returns.

    Over `window` bars, overlapping, without a drift. 1 for a random walk and where nothing moved,
    above 1 in trends, below 1 in reversals; from 0 to `step`.
    """
    if math.isnan(bar.log_return):
        return np.nan
    one, two = SUM + step, 2 * (SUM + step)
    move = rolling_sum(state[:one], bar.log_return, step)
    way = rolling_sum(state[one:two], bar.log_return * bar.log_return, step)
    if math.isnan(move):
        return np.nan
    moves = rolling_sum(state[two : two + SUM + window], move * move, window)
    ways = rolling_sum(state[two + SUM + window :], way, window)
    return 1.0 if ways == 0.0 else moves / ways


@feature(
    group="statistics",
    memory=lambda window: 3 * LAG + 7 + 4 * (SUM + window),
    warmup=lambda window: window + 7,
    unit="exponent",
    low=0,
    high=1,
    source="Di Matteo, Aste, Dacorogna (2005)",
)
def hurst(state, bar, window=100):
    """Generalised Hurst exponent: half the slope of ln(mean squared k-bar log return) on ln k.

    k = 1, 2, 4, 8 over `window` bars. 0.5 for a random walk and where nothing moved, above 0.5 in
    trends, below 0.5 in reversals; clipped to 0 and 1. Where only some of the means are 0 it is 1
    if single bars never moved, else 0.
    """
    one = bar.log_return
    if math.isnan(one):
        return np.nan
    two = one + lag(state[: LAG + 1], one, 1)
    four = two + lag(state[LAG + 1 : 2 * LAG + 3], two, 2)
    eight = four + lag(state[2 * LAG + 3 : 3 * LAG + 7], four, 4)
    if math.isnan(eight):
        return np.nan
    start, size = 3 * LAG + 7, SUM + window
    ones = rolling_sum(state[start : start + size], one * one, window)
    twos = rolling_sum(state[start + size : start + 2 * size], two * two, window)
    fours = rolling_sum(state[start + 2 * size : start + 3 * size], four * four, window)
    eights = rolling_sum(state[start + 3 * size :], eight * eight, window)
    if math.isnan(ones):
        return np.nan
    if ones == 0.0 or twos == 0.0 or fours == 0.0 or eights == 0.0:
        return 0.5 if ones == eights else (1.0 if ones == 0.0 else 0.0)
    # Least squares on four equally spaced ln k, in one logarithm.
    rise = eights / ones
    slope = math.log(rise * rise * rise * (fours / twos)) / (10.0 * math.log(2.0))
    return min(max(0.5 * slope, 0.0), 1.0)


@feature(
    group="statistics",
    memory=lambda order, width: 1 + 3 * width,
    warmup=lambda order, width: width,
    unit="log",
    source="Hosking (1981), Lopez de Prado (2018)",
    bounds={"order": (0.0, 2.0)},
)
def fractional_difference(state, bar, order=0.4, width=64):
    """Sum of w(k) * ln(close k bars ago / close `width` bars ago), k < `width`.

    w(0) = 1, w(k) = -w(k - 1) * (order - k + 1) / k: the fixed-width fractional difference of log
    prices, relative to the window's start, which removes the price level. Its memory decays too
    slowly for a recursion: it costs one pass over `width` returns.
    """
    # state: next place, cumulative weights from the oldest return to the newest, and returns in a
    # ring written twice, so that the newest `width` are always contiguous.
    if math.isnan(bar.log_return):
        weight, total = 1.0, 0.0
        for back in range(width):
            total += weight
            state[width - back] = total
            weight *= -(order - back) / (back + 1.0)
        state[1 + width :] = np.nan
        return np.nan
    place = int(state[0])
    state[0] = state[0] + 1.0 if place < width - 1 else 0.0
    ring = state[1 + width :]
    ring[place] = ring[place + width] = bar.log_return
    returns = ring[place + 1 :]
    total = 0.0
    for each in range(width):
        total += state[1 + each] * returns[each]
    return total


@feature(
    group="statistics",
    memory=lambda window: 11 + 2 * window + 1,
    warmup=lambda window: window + 1,
    unit="fraction",
    low=0,
    high=1,
    source="Bandt, Pompe (2002)",
)
def entropy(state, bar, window=100):
    """-sum p ln p / ln 6 over the six orderings of three consecutive closes, last `window` triples.

    1 where all orderings are equally frequent, 0 where one repeats; of equal closes the earlier
    counts as the lower, so where nothing moved it is 0.
    """
    # state: closes seen, next place, close before the last, eight counts of orders (two cannot
    # happen), n ln n for n = 0 ... window, and the orders in a ring.
    table, ring = state[11 : 12 + window], state[12 + window :]
    if math.isnan(bar.previous_close):
        for n in range(2, window + 1):
            table[n] = n * math.log(n)
        return np.nan
    oldest = state[2]
    state[2] = bar.previous_close
    if state[0] == 0.0:
        state[0] = 1.0
        return np.nan
    order = 4 if oldest <= bar.previous_close else 0
    order += 2 if bar.previous_close <= bar.close else 0
    order += 1 if oldest <= bar.close else 0
    place = int(state[1])
    if state[0] > window:
        state[3 + int(ring[place])] -= 1.0
    else:
        state[0] += 1.0
    ring[place] = order
    state[3 + order] += 1.0
    state[1] = state[1] + 1.0 if place < window - 1 else 0.0
    if state[0] <= window:
        return np.nan
    total = 0.0
    for each in range(3, 11):
        total += table[int(state[each])]
    return max(table[window] - total, 0.0) / (window * math.log(6.0))
