"""What the other symbols do at the same moment: worked out once, for every feature that asks.

The market of a symbol is the mean of all others, never itself, so that a regression on it does
not find the symbol's own noise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from barstack.bars import Panel
from barstack.core.arrays import Floats, Ints

# Columns of a market, in this order; NaN in a symbol's very first bar.
MARKET = (
    "market_return",  # mean log return of the others since the symbol's bar before
    "breadth",  # share of the others that rose, in their bars closing now; 0.5 without any
    "dispersion",  # standard deviation of all log returns now
    "rank_now",  # share of the others whose log return is lower now, ties half; 0.5 without any
)


class Market:
    """All symbols together, moment by moment. History is the same, fed in one piece."""

    def __init__(self, n_symbols: int) -> None:
        self.level = np.zeros(1)  # sum of the mean returns of all
        self.last = np.full((n_symbols, 2), np.nan)  # of each: close, and level at that time

    def update(self, closed_at: Ints, symbol: Ints, close: Floats) -> Floats:
        """(n_bars, 4) columns of `MARKET`, in the order given.

        closed_at  (n_bars,) microseconds; all bars that close at one moment come in one call
        symbol     (n_bars,) number of each bar's symbol
        close      (n_bars,)
        """
        order = np.lexsort((symbol, closed_at))
        in_order = np.empty((len(order), len(MARKET)))
        market_update(
            self.level, self.last, closed_at[order], symbol[order], close[order], in_order
        )
        out = np.empty_like(in_order)
        out[order] = in_order
        return out

    def arrays(self) -> dict[str, Floats]:
        """All that changes from moment to moment."""
        return {"level": self.level, "last": self.last}


def market_of(panel: Panel) -> dict[str, Floats]:
    """Columns of `MARKET` for every bar of every symbol."""
    records = [bars.records for bars in panel.values()]
    lengths = [len(each) for each in records]
    market = Market(len(panel)).update(
        np.concatenate([each["closed_at"] for each in records]),
        np.repeat(np.arange(len(panel)), lengths),
        np.concatenate([each["close"] for each in records]),
    )
    return dict(zip(panel, np.split(market, np.cumsum(lengths)[:-1]), strict=True))


@njit(cache=True, nogil=True, error_model="numpy")
def market_update(level: Any, last: Any, closed_at: Any, symbol: Any, close: Any, out: Any) -> None:
    """Write the columns of `MARKET` for bars in the order of their time, then symbol."""
    end = 0
    while end < len(closed_at):
        start = end
        while end < len(closed_at) and closed_at[end] == closed_at[start]:
            end += 1
        moves = np.empty(end - start)
        total, squares, risen, count = 0.0, 0.0, 0, 0
        for row in range(start, end):
            move = math.log(close[row] / last[symbol[row], 0])
            moves[row - start] = move
            if not math.isnan(move):
                total += move
                squares += move * move
                risen += move > 0.0
                count += 1
        ordered = np.sort(moves)  # NaN last
        mean = total / count if count else 0.0
        spread = math.sqrt(max(squares / count - mean * mean, 0.0)) if count else 0.0
        for row in range(start, end):
            move, own = moves[row - start], symbol[row]
            if math.isnan(move):
                out[row] = np.nan
            else:
                others = count - 1
                now = (total - move) / others if others else 0.0
                lower = np.searchsorted(ordered[:count], move, side="left")
                equal = np.searchsorted(ordered[:count], move, side="right") - lower - 1
                out[row, 0] = level[0] - last[own, 1] + now
                out[row, 1] = (risen - (move > 0.0)) / others if others else 0.5
                out[row, 2] = spread
                out[row, 3] = (lower + 0.5 * equal) / others if others else 0.5
        level[0] += mean
        for row in range(start, end):
            last[symbol[row], 0] = close[row]
            last[symbol[row], 1] = level[0]
