"""Hunting leaks by changing the future and looking for it in the past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from barstack.bars import Bars, Panel, SeriesTable, as_panel
from barstack.core.errors import LeakError
from barstack.core.times import iso
from barstack.features import FeatureSet, FeatureTable, read_series

_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Leak:
    """A number that depends on what came after it."""

    stage: str  # features, labels or folds
    column: str
    symbol: str
    at: np.datetime64  # the first decision found to be wrong
    what: str  # a sentence
    mend: str  # a sentence

    def __str__(self) -> str:
        return f"{self.what} {self.mend}"


def assert_causal(
    features: FeatureSet, bars: Bars | Panel, series: Mapping[str, Any] | None = None
) -> None:
    """`LeakError` when any feature of any bar depends on a later bar, or on what was known later.

    series  where the features have any: a table of each, by name

    Bars and series are cut, and their future altered, at three moments; every feature before the
    cut must keep its value to the last bit.

    >>> from barstack.features import Feature
    >>> from barstack.testing import walk
    >>> assert_causal(FeatureSet(features=[Feature(feature="rsi")]), walk(bars=100))
    """
    for leak in find_leaks(features, bars, series):
        raise LeakError(str(leak))


def find_leaks(
    features: FeatureSet,
    bars: Bars | Panel,
    series: Mapping[str, Any] | None = None,
    *,
    cuts: int = 3,
) -> Iterator[Leak]:
    """Each feature that depends on what comes later, once, where it first shows.

    cuts  moments at which the bars are cut and altered. Three find what reads the next bar;
          what reads only to the end of an hour shows at a cut inside one, so a thorough audit
          takes a dozen.
    """
    panel = as_panel(bars)
    tables = read_series(features.series, series)
    # Symbols that look at one another are cut together, others one by one, each within its bars.
    alone = [{symbol: each} for symbol, each in panel.items()]
    told: set[str] = set()
    for group in [panel] if features.needs_market else alone:
        known = {name: _about(table, group) for name, table in tables.items()}
        whole = features.compute(group, known)
        times = np.unique(whole.decisions.decided_at)
        for now in _places(len(times), cuts):
            for what, changed, then in _changed(group, known, times[now], times[now - 1]):
                for leak in _compare(whole, features.compute(changed, then), times[now - 1], what):
                    if leak.column not in told:
                        told.add(leak.column)
                        yield leak


def _places(n_times: int, cuts: int) -> list[int]:
    """A third, the half, the last; then spread by the golden ratio, which avoids round places."""
    spread = [int(n_times * (0.618034 * place % 1.0)) for place in range(1, max(cuts - 2, 1))]
    return sorted({n_times // 3, n_times // 2, n_times - 1, *spread} - {0})


def _about(table: SeriesTable, panel: Panel) -> SeriesTable:
    """Of one symbol only what concerns it, which is quicker to cut."""
    return table.about(next(iter(panel))) if len(panel) == 1 else table


def _changed(
    panel: Panel, known: dict[str, SeriesTable], since: np.datetime64, last: np.datetime64
) -> Iterator[tuple[str, Panel, dict[str, SeriesTable]]]:
    """Bars and series without what comes after `last`, and with that altered."""
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
        yield "cut off", cut, {name: table.known_by(last) for name, table in known.items()}
    yield "altered", altered, {name: _altered(table, last) for name, table in known.items()}


def _altered(table: SeriesTable, moment: np.datetime64) -> SeriesTable:
    later = table.known_at[:, None] > moment
    return replace(table, values=np.where(later, 1.7 * table.values + 1.0, table.values))


def _compare(
    whole: FeatureTable, changed: FeatureTable, last: np.datetime64, what: str
) -> Iterator[Leak]:
    rows = np.flatnonzero(whole.decisions.decided_at <= last)
    before = whole.values[rows]
    after = changed.values[changed.decisions.decided_at <= last]
    wrong = (before != after) & ~(np.isnan(before) & np.isnan(after))
    first = np.argmax(wrong, axis=0)
    leaking = np.flatnonzero(wrong.any(axis=0))
    for column in leaking[np.argsort(first[leaking], kind="stable")]:
        row = int(first[column])
        decisions = whole.decisions.take(rows[row : row + 1])
        name, symbol = whole.columns[column], str(decisions.symbol[0])
        yield Leak(
            "features",
            name,
            symbol,
            decisions.decided_at[0],
            f"Feature {name!r} of {symbol} at {iso(decisions.decided_at[0])} changes from "
            f"{before[row, column]:.17g} to {after[row, column]:.17g} when bars and series after "
            f"{iso(last)} are {what}: it reads the future.",
            "Use only the bar that its step is handed, and its own state.",
        )
