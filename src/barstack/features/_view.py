"""What a feature sees of a bar: its fields, its relation to the bar before, and the other symbols.

All of it is computed once a bar instead of once a feature: nearly every feature needs a logarithm
or the previous close. In columns, that makes a hundred features four times as fast.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from barstack.bars import Panel
from barstack.core.arrays import Floats, Ints

from .pieces.logarithm import ln
from .pieces.rolling import COMPILED

# What the other symbols do at the same moment, in this order; NaN in a symbol's first bar. The mean
# is over all others, never the symbol itself, so that a regression on it does not find the symbol's
# own noise.
MARKET = (
    "market_return",  # mean log return of the others since the symbol's bar before
    "breadth",  # share of the others that rose, in the bars that close now; 0.5 without any
    "dispersion",  # standard deviation of all log returns now
    "rank_now",  # share of the others whose log return is lower now, ties half; 0.5 without any
)
# Integers: microseconds UTC and days since 1970.
WHOLE = (
    "opened_at",
    "closed_at",
    "session",
    "session_open",
    "session_close",
    "new_session",  # 1 in the first bar of a session and in the first bar of all, else 0
)
# What needs the previous bar is NaN in the first.
REAL_OF_ONE = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "typical",  # (high + low + close) / 3
    "previous_close",
    "true_range",  # high - low, extended to the previous close where that lies outside
    "log_return",  # ln(close / previous close)
    "log_gap",  # ln(open / previous close)
    "log_high",  # ln(high / open)
    "log_low",  # ln(low / open)
    "log_close",  # ln(close / open)
)
# NaN unless several symbols are given.
REAL = (*REAL_OF_ONE, *MARKET)
FIELDS = (*WHOLE, *REAL)
NO_MARKET = np.empty((0, len(MARKET)))


def initial_view() -> Floats:
    """The state of `view` before its first bar: the last close and session."""
    return np.array([np.nan, np.nan])


@njit(**COMPILED)  # type: ignore[untyped-decorator]
def view(last: Any, records: Any, market: Any, whole: Any, real: Any) -> None:
    """Write what features see of each record.

    last     (2,) close and session of the bar before; updated between calls
    records  (n,) BAR
    market   (n, 4) as in `MARKET`, or (0, 4) where there is none
    whole    (6, at least n) int64, one row for each of `WHOLE`
    real     (17, at least n) float64, one row for each of `REAL`
    """
    previous, session = last[0], last[1]
    for row in range(len(records)):
        bar = records[row]
        whole[0, row] = bar.opened_at
        whole[1, row] = bar.closed_at
        whole[2, row] = bar.session
        whole[3, row] = bar.session_open
        whole[4, row] = bar.session_close
        whole[5, row] = 0 if bar.session == session else 1
        real[0, row] = bar.open
        real[1, row] = bar.high
        real[2, row] = bar.low
        real[3, row] = bar.close
        real[4, row] = bar.volume
        real[5, row] = (bar.high + bar.low + bar.close) / 3.0
        real[6, row] = previous
        # Not max and min: their result for NaN depends on the order of their arguments.
        top = previous if previous > bar.high else bar.high
        bottom = previous if previous < bar.low else bar.low
        real[7, row] = top - bottom if previous > 0.0 else np.nan
        for column in range(4):
            real[13 + column, row] = market[row, column] if len(market) else np.nan
        previous, session = bar.close, float(bar.session)
    last[0], last[1] = previous, session
    n_bars = len(records)
    _logs(real[3], real[6], real[8], n_bars)
    _logs(real[0], real[6], real[9], n_bars)
    _logs(real[1], real[0], real[10], n_bars)
    _logs(real[2], real[0], real[11], n_bars)
    _logs(real[3], real[0], real[12], n_bars)


@njit(**COMPILED)  # type: ignore[untyped-decorator]
def _logs(above: Any, below: Any, out: Any, n_bars: Any) -> None:
    """ln(above / below), in a separate loop so that it is vectorized."""
    for row in range(n_bars):
        out[row] = ln(above[row] / below[row])


class MarketState:
    """The market between symbols, moment by moment. History is the same, given at once."""

    def __init__(self, n_symbols: int) -> None:
        self.level = np.zeros(1)  # cumulative mean return of all symbols
        self.last = np.full((n_symbols, 2), np.nan)  # of each symbol: close, and level at that time

    def update(self, closed_at: Ints, symbol: Ints, close: Floats) -> Floats:
        """(n_bars, 4) columns of `MARKET`, in the order given.

        closed_at  (n_bars,) microseconds; all bars of one moment must be in one call
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
    market = MarketState(len(panel)).update(
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
