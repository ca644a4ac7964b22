"""What each symbol's own bars told by every decision, and what its price did afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from barstack.bars import Bars, Panel
from barstack.core.arrays import Floats, Ints, Rows
from barstack.core.decisions import Decisions
from barstack.core.times import DAY_US, microseconds

AHEAD = 48  # bars
_SPANS = (3, 10, 40, 160)  # bars of exponential means
_LAGS = 5
_HOURS = 24
_FURTHEST = 20.0  # deviations
_WILDEST = 8.0  # deviations, beyond which a move counts no further


@dataclass(frozen=True, eq=False)
class Past:
    """Some rows of a table beside the bars of their own symbols.

    bar    (n_rows,) the last bar closed by the decision, as a row of its symbol's bars; -1: none
    close  (n_rows,) its close
    moves  (n_rows, n) its latest returns, its distance from its own means and within its bar
    sizes  (n_rows, n) how much it has moved and traded, and the hour of the day
    scale  (n_rows,) trailing deviation of a bar's log return
    ahead  (n_rows, AHEAD) log returns of the following bars in such deviations; NaN at the end
    """

    bar: Ints
    close: Floats
    moves: Floats
    sizes: Floats
    scale: Floats
    ahead: Floats


def past_of(decisions: Decisions, panel: Panel, rows: Rows) -> Past:
    """What the bars told by the decisions of `rows`; NaN where there were too few."""
    bar = np.full(len(rows), -1, np.int64)
    close, scale = (np.full(len(rows), np.nan) for _ in range(2))
    moves = np.full((len(rows), _LAGS + len(_SPANS) + 5), np.nan)
    sizes = np.full((len(rows), 2 + 2 * len(_SPANS) + _HOURS), np.nan)
    ahead = np.full((len(rows), AHEAD), np.nan)
    for code, symbol in enumerate(decisions.symbols):
        own = np.flatnonzero(decisions.symbol_code[rows] == code)
        if symbol not in panel or not len(own):
            continue
        bars, decided_at = panel[symbol], decisions.decided_at[rows[own]]
        at = np.searchsorted(bars.closed_at, decided_at, side="right") - 1
        own, at = own[at >= 0], at[at >= 0]
        told = _Told(bars)
        bar[own], close[own], scale[own] = at, bars.close[at], told.scale[at]
        moves[own], sizes[own, :-_HOURS] = told.moves[at], told.sizes[at]
        hour = microseconds(decisions.decided_at[rows[own]]) % DAY_US * _HOURS // DAY_US
        sizes[own, -_HOURS:] = hour[:, None] == np.arange(_HOURS)
        steps = np.append(told.steps, np.full(AHEAD, np.nan))
        ahead[own] = steps[at[:, None] + np.arange(1, AHEAD + 1)] / told.scale[at, None]
    return Past(bar, close, moves, sizes, scale, np.clip(ahead, -_WILDEST, _WILDEST))


def over(past: Past, bars: int, first: int = 0) -> Floats:
    """(n_rows,) the move of so many later bars, in deviations, `first` bars after the decision."""
    moves: Floats = past.ahead[:, first : first + bars].sum(axis=1) / np.sqrt(bars)
    return np.clip(moves, -_WILDEST, _WILDEST)


def correlation(first: Floats, second: Floats) -> float:
    """0 where one of the two never changes."""
    a, b = first - first.mean(), second - second.mean()
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / size) if size > 0.0 else 0.0


class _Told:
    """The same for every bar of one symbol."""

    def __init__(self, bars: Bars) -> None:
        records = bars.records
        close = np.log(np.ascontiguousarray(records["close"]))
        self.steps = np.diff(close, prepend=np.nan)
        first = np.nan_to_num(self.steps)
        variance = _mean(first**2, _SPANS[-1])
        self.scale = np.sqrt(variance)
        self.scale[: _SPANS[1]] = np.nan
        self.scale[~(self.scale > 0.0)] = np.nan
        middle = 0.5 * np.log(records["high"] * records["low"])
        levels = [_standard(close), _standard(np.ascontiguousarray(records["close"]))]
        within = np.stack([middle - close, np.log(records["open"]) - close])
        lags = [np.append(np.zeros(k), first[: len(first) - k]) for k in range(_LAGS)]
        away = [close - _mean(close, span) for span in _SPANS]
        away.append(close - np.cumsum(close) / np.arange(1, len(close) + 1))
        parts = np.stack([*lags, *away, *within]) / self.scale
        self.moves = np.vstack([np.clip(parts, -_FURTHEST, _FURTHEST), *levels]).T
        volume = np.log1p(records["volume"])
        sizes = [_mean(np.abs(first), span) for span in _SPANS]
        busy = [_mean(volume, span) for span in _SPANS]
        self.sizes = np.stack([np.log(records["high"] / records["low"]), volume, *sizes, *busy]).T


def _standard(values: Floats) -> Floats:
    size = values.std()
    return np.asarray((values - values.mean()) / (size if size > 0.0 else 1.0))


def _mean(values: Floats, span: int) -> Floats:
    """Exponential mean of the values up to each, begun at the first."""
    share = 2.0 / (span + 1.0)
    if not len(values):
        return values
    found, _ = lfilter([share], [1.0, share - 1.0], values, zi=[(1.0 - share) * values[0]])
    return np.asarray(found)
