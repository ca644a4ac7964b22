"""Labels as holdings: returns that nobody can earn, decisions chosen by what followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from barstack.bars import Bars, Panel
from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.errors import DataError
from barstack.core.times import iso
from barstack.labels import LabelTable

from ._cuts import at_same_times
from ._leak import Leak, who
from ._pipeline import Data

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


# --- what a label is made of, where it is no return that a holding earns --------------------------

_FEWEST = 30  # rows from which a label is measured
_MOST = 3_000  # rows that are
_MEASURED = 0.9  # share of them that show what a label is made of
_BEFORE, _AFTER = 24, 64  # bars
_PART = 0.05  # of an earlier move


def made_of(held: LabelHoldings, panel: Panel, *, traded: bool) -> str | None:
    """What a label is made of, where that is recognised: an earlier price, or the best one."""
    if len(held.rows) < _FEWEST:
        return None
    held = held.take(np.unique(np.linspace(0, len(held.rows) - 1, _MOST).astype(int)))
    found = _from_before(held, panel) or _best(held, panel)
    return found or (_logarithm(held, panel) if traded else None)


def _from_before(held: LabelHoldings, panel: Panel) -> str | None:
    """Whether moves of bars up to the decision are part of the return."""
    X = np.zeros((len(held.rows), 3 + _BEFORE + _AFTER))
    y = np.log(np.maximum(held.exit, 1e-300))
    y -= np.log(held.entry)
    for own, bars in held.by_symbol(panel):
        steps = np.diff(np.log(bars.close), prepend=np.nan)
        steps = np.concatenate([np.full(_BEFORE, np.nan), steps, np.zeros(_AFTER)])
        first, last = held.first[own, None] + _BEFORE, held.last[own, None] + _BEFORE
        ahead = first + np.arange(1, _AFTER + 1)
        for place, name in enumerate(("open", "high", "low")):
            X[own, place] = np.log(held.entry[own] / bars.records[name][held.first[own]])
        X[own, 3 : 3 + _BEFORE] = steps[first - np.arange(_BEFORE)]
        X[own, 3 + _BEFORE :] = np.where(ahead <= last, steps[ahead], 0.0)
    kept = np.isfinite(X).all(axis=1) & np.isfinite(y)
    X, y = X[kept], y[kept]
    if len(y) < 3 * X.shape[1]:
        return None
    beta = np.linalg.lstsq(X, y, rcond=1e-10)[0]
    rest = y - X @ beta
    if rest @ rest > (1.0 - _MEASURED) * ((y - y.mean()) @ (y - y.mean())):
        return None  # it is not made of moves
    if not (np.abs(beta[: 3 + _BEFORE]) > _PART).any():
        return None
    return "Moves that are over by the decision are part of it: it begins at an earlier price."


def _best(held: LabelHoldings, panel: Panel) -> str | None:
    """Whether it is left at the best or the worst price of its time."""
    for what, name, best in (
        ("highest close", "close", np.maximum),
        ("lowest close", "close", np.minimum),
        ("highest price", "high", np.maximum),
        ("lowest price", "low", np.minimum),
    ):
        same = np.zeros(len(held.rows), bool)
        for own, bars in held.by_symbol(panel):
            price, first, last = bars.records[name], held.first[own], held.last[own]
            found = price[first + 1]
            for ahead in range(2, min(int((last - first).max()), 4 * _AFTER) + 1):
                found = best(found, price[np.minimum(first + ahead, last)])
            same[own] = np.abs(held.exit[own] - found) <= EQUAL * held.entry[own]
        if same.mean() >= _MEASURED:
            return f"It is left at the {what} of its time, which is known only afterwards."
    return None


def _logarithm(held: LabelHoldings, panel: Panel) -> str | None:
    same = np.zeros(len(held.rows), bool)
    for own, bars in held.by_symbol(panel):
        left = held.entry[own] * np.exp(held.exit[own] / held.entry[own] - 1.0)
        same[own] = np.abs(left - bars.close[held.last[own]]) <= EQUAL * held.entry[own]
    what = "It is the logarithm of the return, which differs where moves are large."
    return what if same.mean() >= _MEASURED else None


Made = Callable[[Data], LabelTable]

# --- returns that no holding earns ----------------------------------------------------------------

_BARS_AFTER = 64  # bars
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
    traded = traded or not np.array_equal(labels.values, labels.returns, equal_nan=True)
    for place, horizon in enumerate(labels.target.horizons):
        held = label_holdings(labels, data.panel, place)
        if not len(held.rows):
            continue
        wrong = held.left < 0 if traded else held.left != held.last
        if traded and made is not None and not wrong.any():
            wrong = _chased(labels, made, data, held, place)
        what = made_of(held, data.panel, traded=traded) if wrong.any() else None
        if not wrong.any() or (what is None and not traded):
            continue
        row = int(held.rows[np.argmax(wrong)])
        symbol, at = who(labels.decisions, row)
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
        symbol, at = who(labels.decisions, row)
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
    until = data.panel[symbol].closed_at[min(last + _BARS_AFTER, len(data.panel[symbol]) - 1)]
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


# --- decisions chosen by what followed them -------------------------------------------------------

_MOMENTS = 5


def hunt_chosen(
    labels: LabelTable, made: Made, data: Data, moments: int = _MOMENTS
) -> Iterator[Leak]:
    """Decisions that have a label, or have none, because of what followed them.

    Bars keep their times, and all prices after a moment fall by more than half, or rise: which
    decisions up to then are eligible, and get an answer once their time is over, may not change.
    """
    decisions = labels.decisions
    times = np.unique(decisions.decided_at)
    unbroken = _unbroken(labels, data.panel)
    for share in np.linspace(0.0, 1.0, moments + 2)[1:-1]:
        moment = times[int(share * (len(times) - 1))]
        tables = [_labels_if(made, data, moment, factor) for factor in (_FALL, _RISE)]
        if any(len(each.decisions) != len(decisions) for each in tables):
            continue  # reported with the rows of the features
        mine = decisions.decided_at <= moment
        over = mine & unbroken
        for name, rows, flags in (
            ("is eligible", mine, [each.eligible for each in (labels, *tables)]),
            ("is answered", over, [_answered(each) for each in (labels, *tables)]),
        ):
            moved = rows & (flags[0] != flags[1]) | rows & (flags[0] != flags[2])
            if not moved.any():
                continue
            row = int(np.flatnonzero(moved)[np.argmin(decisions.decided_at[moved])])
            symbol, at = who(labels.decisions, row)
            yield Leak(
                "labels",
                "eligible",
                symbol,
                at,
                f"Whether the decision of {symbol} at {iso(at)} {name} changes when prices after "
                f"{iso(moment)} are others, as it does for {int(moved.sum()):,} decision(s): they "
                "are chosen by what followed.",
                "Choose decisions by what is known when they fall; what follows is what is to be "
                "forecast, crashes among it.",
            )
            return


def _unbroken(labels: LabelTable, panel: Panel) -> Bools:
    """(n_rows,) decisions whose longest holding ends within the bars and meets none missing.

    No holding reaches across missing bars, while one that is left before them has its answer.
    """
    decisions = labels.decisions
    lasted = labels.known_at - decisions.decided_at[:, None]
    there = lasted[~np.isnat(lasted)]
    found = np.zeros(len(decisions), bool)
    if not len(there):
        return found
    for code, symbol in enumerate(decisions.symbols):
        if symbol not in panel:
            continue
        bars, own = panel[symbol], np.flatnonzero(decisions.symbol_code == code)
        ends = decisions.decided_at[own] + np.asarray(there).max()
        passed = np.cumsum(bars.missing > 0)
        first = np.searchsorted(bars.closed_at, decisions.decided_at[own], side="right") - 1
        last = np.searchsorted(bars.closed_at, ends, side="right")
        inside = last < len(bars)
        found[own] = inside & (passed[np.minimum(last, len(bars) - 1)] == passed[first])
    return found


def _answered(labels: LabelTable) -> Bools:
    return np.asarray(
        np.isfinite(labels.values).all(axis=1)
        & np.isfinite(labels.returns).all(axis=1)
        & ~np.isnat(labels.known_at).any(axis=1)
    )


def _labels_if(made: Made, data: Data, moment: np.datetime64, factor: float) -> LabelTable:
    """The labels if all prices after the moment were others by a factor."""
    panel = {}
    for symbol, bars in data.panel.items():
        now = int(np.searchsorted(bars.closed_at, moment, side="right"))
        records = bars.records.copy()
        for price in ("open", "high", "low", "close"):
            records[price][now:] *= factor
        panel[symbol] = at_same_times(bars, records)
    return made(replace(data, panel=panel))
