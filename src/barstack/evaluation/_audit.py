"""Hunting leaks by changing the future and looking for it in the past."""

from __future__ import annotations

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.errors import LeakError
from barstack.core.times import iso
from barstack.features import FeatureSet, FeatureTable

_PRICES = ("open", "high", "low", "close")


def assert_causal(features: FeatureSet, bars: Bars | Panel) -> None:
    """`LeakError` when any feature of any bar depends on a later bar.

    Each symbol is cut, and its future altered, at three places; every feature before the cut
    must keep its value to the last bit.

    >>> from barstack.features import Feature
    >>> from barstack.testing import walk
    >>> assert_causal(FeatureSet(features=[Feature(feature="rsi")]), walk(bars=100))
    """
    for each in as_panel(bars).values():
        whole = features.compute(each)
        for now in sorted({len(each) // 3, len(each) // 2, len(each) - 1} - {0}):
            altered = each.records.copy()
            for price in _PRICES:
                altered[price][now:] *= 1.7
            altered["volume"][now:] *= 3.0
            for what, changed in (
                ("cut off", each[:now]),
                ("altered", Bars(each.symbol, each.length_us, altered)),
            ):
                _compare(whole, features.compute(changed), each, now, what)


def _compare(whole: FeatureTable, changed: FeatureTable, bars: Bars, now: int, what: str) -> None:
    before, after = whole.values[:now], changed.values[:now]
    equal = (before == after) | (np.isnan(before) & np.isnan(after))
    if equal.all():
        return
    row, column = (int(place) for place in np.argwhere(~equal)[0])
    raise LeakError(
        f"Feature {whole.columns[column]!r} of {bars.symbol} at {iso(bars.closed_at[row])} changes "
        f"from {before[row, column]!r} to {after[row, column]!r} when bars after "
        f"{iso(bars.closed_at[now - 1])} are {what}: it reads the future. Use only the bar that "
        "its step is handed, and its own state."
    )
