"""Decisions that are chosen by what followed them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from barstack.bars import Panel
from barstack.core.arrays import Bools
from barstack.core.times import iso
from barstack.labels import LabelTable

from ._holdings import who
from ._leak import Leak
from ._pipeline import Data

Made = Callable[[Data], LabelTable]

_RISE, _FALL = 2.5, 0.4  # all prices after a moment, by these
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
            continue  # told with the rows of the features
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
            symbol, at = who(labels, row)
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
        panel[symbol] = replace(bars, records=records)
    return made(replace(data, panel=panel))
