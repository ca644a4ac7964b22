"""Hunting leaks by changing the future and looking for it in the past."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.errors import LeakError
from barstack.core.times import iso
from barstack.features import FeatureSet, FeatureTable

_PRICES = ("open", "high", "low", "close")


def assert_causal(features: FeatureSet, bars: Bars | Panel) -> None:
    """`LeakError` when any feature of any bar depends on a later bar.

    The bars are cut, and their future altered, at three moments; every feature before the cut
    must keep its value to the last bit.

    >>> from barstack.features import Feature
    >>> from barstack.testing import walk
    >>> assert_causal(FeatureSet(features=[Feature(feature="rsi")]), walk(bars=100))
    """
    panel = as_panel(bars)
    # Symbols that look at one another are cut together, others one by one, each within its bars.
    alone = [{symbol: each} for symbol, each in panel.items()]
    for group in [panel] if features.needs_market else alone:
        whole = features.compute(group)
        times = np.unique(whole.decisions.decided_at)
        for now in sorted({len(times) // 3, len(times) // 2, len(times) - 1} - {0}):
            for what, changed in _changed(group, times[now]):
                _compare(whole, features.compute(changed), times[now - 1], what)


def _changed(panel: Panel, since: np.datetime64) -> Iterator[tuple[str, Panel]]:
    """The panel without the bars that close at `since` or later, and with those altered."""
    cut, altered = {}, {}
    for symbol, each in panel.items():
        now = int(np.searchsorted(each.closed_at, since))
        if now:
            cut[symbol] = each[:now]
        records = each.records.copy()
        for price in _PRICES:
            records[price][now:] *= 1.7
        records["volume"][now:] *= 3.0
        altered[symbol] = Bars(symbol, each.length_us, records)
    if len(cut) == len(panel):  # a symbol that had not begun changes what the others see
        yield "cut off", cut
    yield "altered", altered


def _compare(whole: FeatureTable, changed: FeatureTable, last: np.datetime64, what: str) -> None:
    rows = whole.decisions.decided_at <= last
    before = whole.values[rows]
    after = changed.values[changed.decisions.decided_at <= last]
    equal = (before == after) | (np.isnan(before) & np.isnan(after))
    if equal.all():
        return
    row, column = (int(place) for place in np.argwhere(~equal)[0])
    decisions = whole.decisions.take(np.flatnonzero(rows)[row : row + 1])
    raise LeakError(
        f"Feature {whole.columns[column]!r} of {decisions.symbols[decisions.symbol_code[0]]} at "
        f"{iso(decisions.decided_at[0])} changes from {before[row, column]!r} to "
        f"{after[row, column]!r} when bars after {iso(last)} are {what}: it reads the future. Use "
        "only the bar that its step is handed, and its own state."
    )
