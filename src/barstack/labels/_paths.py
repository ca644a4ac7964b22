"""Compiled: volatility, what a holding meets on its way bar by bar, and the scores of barriers.

All in one file, as numba keeps what it has compiled by the file it was written in and does not
look into what that calls from others.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

LOWER, LIMIT, UPPER, OPEN = 0, 1, 2, -1

# How an objective is told to compiled code, and what it says where nothing can be said.
OBJECTIVES = ("sharpe", "mean_net", "balance")
WORST = -1e9


@njit(cache=True)
def log_return_squares(close, seen):
    """(n_bars,) squared log return of each bar; NaN where it is not `seen`."""
    squares = np.full(len(close), np.nan)
    for row in range(1, len(close)):
        if seen[row]:
            change = math.log(close[row] / close[row - 1])
            squares[row] = change * change
    return squares


@njit(cache=True)
def exponential_variance(squares, starts, span, out):
    """Fill `out`, (n_bars,), with the exponential mean of the squares so far.

    squares  NaN ones are passed over as if they had not been
    starts   (n_bars,) whether another symbol begins here, and the mean with it
    out      NaN until `span` squares have come
    """
    weight = 2.0 / (span + 1.0)
    mean, count = np.nan, 0
    for row in range(len(squares)):
        if starts[row]:
            mean, count = np.nan, 0
        square = squares[row]
        if not math.isnan(square):
            # It begins at the first square, and is kept back while it still leans on it.
            mean = square if count == 0 else mean + (square - mean) * weight
            count += 1
        out[row] = mean if count >= span else np.nan


@njit(cache=True)
def follow(opens, highs, lows, row, end, lower, upper):
    """Which barrier is touched first in the bars after `row` up to `end`: kind, price, bar.

    A bar that opens beyond a barrier is left at its open. Where both lie within one bar, nobody
    knows which came first: the lower is taken. LIMIT, no price and `end` where none is touched.
    """
    for bar in range(row + 1, end + 1):
        if opens[bar] <= lower:
            return LOWER, opens[bar], bar
        if opens[bar] >= upper:
            return UPPER, opens[bar], bar
        if lows[bar] <= lower:
            return LOWER, lower, bar
        if highs[bar] >= upper:
            return UPPER, upper, bar
    return LIMIT, np.nan, end


@njit(cache=True)
def follow_all(opens, highs, lows, closes, ends, lowers, uppers, kinds, prices, exits):
    """Fill `kinds`, `prices` and `exits`, each (n_bars,), with how each decision is left.

    ends            (n_bars,) the bar of the time limit; n_bars where it is still to come, and the
                    decision's own where nothing is held
    lowers, uppers  (n_bars,) prices; NaN where there is no barrier yet, and so no holding
    kinds           LOWER, LIMIT or UPPER; OPEN where that is not known, or nothing is held
    """
    last = len(closes) - 1
    for row in range(len(closes)):
        kinds[row] = OPEN
        if ends[row] <= row or math.isnan(lowers[row]):
            continue
        end = min(ends[row], last)
        kind, price, bar = follow(opens, highs, lows, row, end, lowers[row], uppers[row])
        if kind != LIMIT:
            kinds[row], prices[row], exits[row] = kind, price, bar
        elif ends[row] <= last:
            kinds[row], prices[row], exits[row] = kind, closes[end], end


@njit(cache=True, nogil=True, error_model="numpy")
def score_candidates(
    candidates, objective, cost, opens, highs, lows, closes, squares, starts, rows, ends, scales,
    scores,
):  # fmt: skip
    """Fill `scores`, (n_candidates,), with what an objective says of barriers; more is better.

    candidates  (n_candidates, 4) upper, lower, limit in bars, span in bars
    objective   its place in `OBJECTIVES`
    cost        of a holding, fraction
    opens ...   (n_bars,) prices of all symbols, one after the other
    squares     (n_bars,) squared log returns, NaN where they must not be seen
    starts      (n_bars,) whether a symbol begins here
    rows        (n_rows,) bars of the decisions, rising
    ends        (n_rows,) bars of the horizon's end
    scales      (n_rows,) from the volatility of a bar to that of the horizon

    Each holding counts by its uniqueness: of each of its bars it owns one part in as many as
    there are holdings open in that bar, and its uniqueness is the mean of these parts.
    """
    n_bars, n_rows = len(closes), len(rows)
    variance, parts = np.empty(n_bars), np.empty(n_bars + 1)
    net, kinds, exits = np.empty(n_rows), np.empty(n_rows, np.int64), np.empty(n_rows, np.int64)
    for candidate in range(len(candidates)):
        upper, lower = candidates[candidate, 0], candidates[candidate, 1]
        limit, span = int(candidates[candidate, 2]), int(candidates[candidate, 3])
        exponential_variance(squares, starts, span, variance)
        parts[:] = 0.0
        for place in range(n_rows):
            row = rows[place]
            width = math.sqrt(variance[row]) * scales[place]
            exits[place] = row  # nothing is held where nothing has moved
            if not width > 0.0:
                continue
            close = closes[row]
            low, high = close * (1.0 - lower * width), close * (1.0 + upper * width)
            end = min(ends[place], row + limit)
            kind, price, bar = follow(opens, highs, lows, row, end, low, high)
            if kind == LIMIT:
                price = closes[end]
            net[place] = price / close - 1.0 - cost
            # An upper barrier within the costs is not worth a BUY.
            kinds[place] = LIMIT if kind == UPPER and net[place] <= 0.0 else kind
            exits[place] = bar
            parts[row + 1] += 1.0
            parts[bar + 1] -= 1.0
        _sum_of_parts(parts)
        scores[candidate] = _score(objective, net, kinds, rows, exits, parts)


@njit(cache=True, error_model="numpy")
def _sum_of_parts(parts):
    """Turn changes of the number of open holdings into the running sum of one over it."""
    open_holdings, total = 0.0, 0.0
    for bar in range(len(parts)):
        open_holdings += parts[bar]
        if open_holdings > 0.5:
            total += 1.0 / open_holdings
        parts[bar] = total


@njit(cache=True, error_model="numpy")
def _score(objective, net, kinds, rows, exits, parts):
    weight, mean, square = 0.0, 0.0, 0.0
    shares = np.zeros(3)
    for place in range(len(rows)):
        held = exits[place] - rows[place]
        if held > 0:
            unique = (parts[exits[place]] - parts[rows[place]]) / held
            weight += unique
            mean += unique * net[place]
            square += unique * net[place] * net[place]
            shares[kinds[place]] += unique
    if weight == 0.0:
        return WORST
    mean /= weight
    if objective == 1:
        return mean
    if objective == 2:
        entropy = 0.0
        for kind in range(3):
            if shares[kind] > 0.0:
                entropy -= shares[kind] / weight * math.log(shares[kind] / weight)
        return entropy / math.log(3.0)
    variance = square / weight - mean * mean
    # As many holdings as their uniqueness adds up to: those that overlap do not count in full.
    return mean / math.sqrt(variance) * math.sqrt(weight) if variance > 1e-18 else WORST
