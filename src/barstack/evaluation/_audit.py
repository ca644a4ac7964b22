"""Hunting leaks by changing the future and looking for it in the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from barstack.bars import Bars, Panel, SeriesTable, as_panel
from barstack.core.errors import LeakError
from barstack.core.times import iso
from barstack.features import FeatureSet, FeatureTable, read_series

_PRICES = ("open", "high", "low", "close")


def assert_causal(
    features: FeatureSet, bars: Bars | Panel, series: Mapping[str, Any] | None = None
) -> None:
    """`LeakError` when any feature of any bar depends on a later bar, or on what was known later.

    series  where the features have any: a table of each, by name

    Each symbol and all series are cut, and their future altered, at three places; every feature
    before the cut must keep its value to the last bit.

    >>> from barstack.features import Feature
    >>> from barstack.testing import walk
    >>> assert_causal(FeatureSet(features=[Feature(feature="rsi")]), walk(bars=100))
    """
    tables = read_series(features.series, series)
    for each in as_panel(bars).values():
        known = {name: table.about(each.symbol) for name, table in tables.items()}
        whole = features.compute(each, known)
        for now in sorted({len(each) // 3, len(each) // 2, len(each) - 1} - {0}):
            altered = each.records.copy()
            for price in _PRICES:
                altered[price][now:] *= 1.7
            altered["volume"][now:] *= 3.0
            moment = each.closed_at[now - 1]
            for what, changed, change in (
                ("cut off", each[:now], SeriesTable.known_by),
                ("altered", Bars(each.symbol, each.length_us, altered), _altered),
            ):
                then = {name: change(table, moment) for name, table in known.items()}
                _compare(whole, features.compute(changed, then), each, now, what)


def _altered(table: SeriesTable, moment: np.datetime64) -> SeriesTable:
    later = table.known_at[:, None] > moment
    return replace(table, values=np.where(later, 1.7 * table.values + 1.0, table.values))


def _compare(whole: FeatureTable, changed: FeatureTable, bars: Bars, now: int, what: str) -> None:
    before, after = whole.values[:now], changed.values[:now]
    equal = (before == after) | (np.isnan(before) & np.isnan(after))
    if equal.all():
        return
    row, column = (int(place) for place in np.argwhere(~equal)[0])
    raise LeakError(
        f"Feature {whole.columns[column]!r} of {bars.symbol} at {iso(bars.closed_at[row])} changes "
        f"from {before[row, column]!r} to {after[row, column]!r} when bars and series "
        f"after {iso(bars.closed_at[now - 1])} are {what}: it reads the future. Use only the bar "
        "that its step is handed, and its own state."
    )
