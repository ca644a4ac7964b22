"""Labels as holdings: the bars they begin and end with, and the price that each return says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from barstack.bars import Bars, Panel
from barstack.core.arrays import Floats, Ints
from barstack.labels import LabelTable

EQUAL = 2e-7  # of a price, as single precision has it


@dataclass(frozen=True, eq=False)
class LabelHoldings:
    """Answered labels of one horizon as holdings of their symbols' bars.

    rows         (n,) of the table
    symbol       (n,) code
    first, last  (n,) bar of the decision, and at whose close the label is known
    entry, exit  (n,) price at the decision, and the one that the return says
    left         (n,) first bar of the holding that reaches the exit: `last` where it is that bar's
                 close or open, -1 where none does
    """

    symbols: tuple[str, ...]
    rows: Ints
    symbol: Ints
    first: Ints
    last: Ints
    entry: Floats
    exit: Floats
    left: Ints

    def take(self, chosen: Ints) -> LabelHoldings:
        return LabelHoldings(
            self.symbols,
            self.rows[chosen],
            self.symbol[chosen],
            self.first[chosen],
            self.last[chosen],
            self.entry[chosen],
            self.exit[chosen],
            self.left[chosen],
        )

    def by_symbol(self, panel: Panel) -> Iterator[tuple[Ints, Bars]]:
        for code, name in enumerate(self.symbols):
            own = np.flatnonzero(self.symbol == code)
            if len(own):
                yield own, panel[name]


def label_holdings(labels: LabelTable, panel: Panel, place: int) -> LabelHoldings:
    decisions = labels.decisions
    returns, known_at = labels.returns[:, place], labels.known_at[:, place]
    there = np.isfinite(returns) & ~np.isnat(known_at)
    side = np.ones(len(returns)) if labels.side is None else np.sign(labels.side)
    parts = []
    for code, name in enumerate(decisions.symbols):
        rows = np.flatnonzero(there & (decisions.symbol_code == code))
        if name not in panel:
            continue
        bars = panel[name]
        first = np.searchsorted(bars.closed_at, decisions.decided_at[rows], side="right") - 1
        last = np.searchsorted(bars.closed_at, known_at[rows], side="right") - 1
        kept = (first >= 0) & (last > first)
        rows, first, last = rows[kept], first[kept], last[kept]
        entry = bars.close[first]
        leave = entry * (1.0 + side[rows] * returns[rows])
        left = _left(bars, first, last, entry, leave)
        parts.append((rows, np.full(len(rows), code), first, last, entry, leave, left))
    joined = (
        [np.concatenate(each) for each in zip(*parts, strict=True)]
        if parts
        else [np.empty(0, np.int64)] * 7
    )
    return LabelHoldings(decisions.symbols, *joined)


def _left(bars: Bars, first: Ints, last: Ints, entry: Floats, leave: Floats) -> Ints:
    """The first bar of each holding that reaches the exit, -1 where none does."""
    records, slack = bars.records, EQUAL * entry
    at_end = np.abs(leave - bars.close[last]) <= slack
    at_end |= np.abs(leave - records["open"][last]) <= slack
    left = np.where(at_end, last, -1)
    low, high = records["low"], records["high"]
    open_ = np.flatnonzero(left < 0)
    ahead = 1
    while len(open_):
        bar = first[open_] + ahead
        reached = (low[bar] <= leave[open_] + slack[open_]) & (
            high[bar] >= leave[open_] - slack[open_]
        )
        left[open_[reached]] = bar[reached]
        open_ = open_[~reached & (bar < last[open_])]
        ahead += 1
    return left


def who(labels: LabelTable, row: int) -> tuple[str, np.datetime64]:
    decisions = labels.decisions
    return str(decisions.symbols[decisions.symbol_code[row]]), decisions.decided_at[row]
