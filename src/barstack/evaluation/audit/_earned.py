"""Labels that nobody can act on: returns that no holding earns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from barstack.core.arrays import Bools
from barstack.core.errors import DataError
from barstack.core.times import iso
from barstack.labels import LabelTable

from ._holdings import EQUAL, LabelHoldings, label_holdings, who
from ._leak import Leak
from ._origins import made_of
from ._pipeline import Data

Made = Callable[[Data], LabelTable]

_AFTER = 64  # bars
_PROBES = 6  # holdings left before their label is known whose later bars are altered
_RISE, _FALL = 2.5, 0.4  # all prices after a moment, by these


def hunt_returns(
    labels: LabelTable, made: Made | None, data: Data, *, traded: bool = False
) -> Iterator[Leak]:
    """Returns that are not those of holding from the decision until the label is known.

    made    makes the labels of other data, where that can be done
    traded  whether profits are computed from these returns

    A holding begins at the last close by the decision. It is left at the close at which its label
    is known, or at that bar's open; or sooner, at an order that was there before the price: then
    it stays as it is whatever the price does next. A label whose returns are its values, such
    as a column of somebody's own, may be anything, so what it is made of is measured.
    """
    said = traded or not np.array_equal(labels.values, labels.returns, equal_nan=True)
    for place, horizon in enumerate(labels.target.horizons):
        held = label_holdings(labels, data.panel, place)
        if not len(held.rows):
            continue
        wrong = held.left < 0 if said else held.left != held.last
        if said and made is not None and not wrong.any():
            wrong = _chased(labels, made, data, held, place)
        what = made_of(held, data.panel, said=said) if wrong.any() else None
        if not wrong.any() or (what is None and not said):
            continue
        row = int(held.rows[np.argmax(wrong)])
        symbol, at = who(labels, row)
        yield Leak(
            "labels",
            horizon,
            symbol,
            at,
            f"The return of {symbol} at {iso(at)}, horizon {horizon}, is "
            f"{labels.returns[row, place]:.6g}, which no holding from the close at the decision "
            f"until {iso(labels.known_at[row, place])} earns; {int(wrong.sum()):,} of "
            f"{len(wrong):,} labels are so. {what or ''}".rstrip(),
            "Let returns be close(known_at) / close(decided_at) - 1, or those of leaving at an "
            "order placed before; costs are taken off later, and whatever else is to be forecast "
            "belongs into values.",
        )


def _chased(labels: LabelTable, made: Made, data: Data, held: LabelHoldings, place: int) -> Bools:
    """Which of some holdings are left elsewhere when the price moves otherwise after their exit.

    An order at a level stays where it is; the best price of a time, or of a bar, does not, nor
    does a loss that is cut off only if the price stays away.
    """
    wrong = np.zeros(len(held.rows), bool)
    bars_of = [data.panel[name] for name in held.symbols if name in data.panel]
    if not bars_of:
        return wrong
    inside = np.ones(len(held.rows), bool)
    for own, bars in held.by_symbol(data.panel):
        ends, leave = held.last[own], held.exit[own]
        slack = EQUAL * held.entry[own]
        inside[own] = (np.abs(leave - bars.close[ends]) > slack) & (
            np.abs(leave - bars.records["open"][ends]) > slack
        )
    rows = np.flatnonzero(inside)
    for each in rows[np.unique(np.linspace(0, len(rows) - 1, min(_PROBES, len(rows))).astype(int))]:
        row = int(held.rows[each])
        symbol, at = who(labels, row)
        for onwards in (True, False):
            try:
                again = made(_gone_on(data, held, int(each), symbol, onwards=onwards))
            except DataError:  # too little is left of some symbol
                continue
            decisions = again.decisions
            there = np.flatnonzero((decisions.symbol == symbol) & (decisions.decided_at == at))
            if len(there):
                now, before = again.returns[there[0], place], labels.returns[row, place]
                wrong[each] |= np.isfinite(now) and abs(now - before) > EQUAL
    return wrong


def _gone_on(data: Data, held: LabelHoldings, each: int, symbol: str, *, onwards: bool) -> Data:
    """Bars until soon after the label is known, others from the bar of the exit on.

    onwards  the price goes on beyond the exit within that bar and after it, else it turns back
    """
    up = bool(held.exit[each] > held.entry[each])
    left, last = int(held.left[each]), int(held.last[each])
    until = data.panel[symbol].closed_at[min(last + _AFTER, len(data.panel[symbol]) - 1)]
    panel = {}
    for name, bars in data.panel.items():
        records = bars.records[: np.searchsorted(bars.closed_at, until, side="right")].copy()
        if name == symbol:
            if onwards:
                records["high" if up else "low"][left] *= 1.02 if up else 0.98
            for price in ("open", "high", "low", "close"):
                records[price][left + 1 :] *= _RISE if up == onwards else _FALL
        panel[name] = replace(bars, records=records)
    return replace(data, panel=panel)
