"""Hunting leaks by changing the future and looking for it in the past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.errors import LeakError
from barstack.core.times import iso
from barstack.features import FeatureSet, FeatureTable

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


def assert_causal(features: FeatureSet, bars: Bars | Panel) -> None:
    """`LeakError` when any feature of any bar depends on a later bar.

    The bars are cut, and their future altered, at three moments; every feature before the cut
    must keep its value to the last bit.

    >>> from barstack.features import Feature
    >>> from barstack.testing import walk
    >>> assert_causal(FeatureSet(features=[Feature(feature="rsi")]), walk(bars=100))
    """
    for leak in find_leaks(features, bars):
        raise LeakError(str(leak))


def find_leaks(features: FeatureSet, bars: Bars | Panel, *, cuts: int = 3) -> Iterator[Leak]:
    """Each feature that depends on a later bar, once, where it first shows.

    cuts  moments at which the bars are cut and altered. Three find what reads the next bar;
          what reads only to the end of an hour shows at a cut inside one, so a thorough audit
          takes a dozen.
    """
    panel = as_panel(bars)
    # Symbols that look at one another are cut together, others one by one, each within its bars.
    alone = [{symbol: each} for symbol, each in panel.items()]
    told: set[str] = set()
    for group in [panel] if features.needs_market else alone:
        whole = features.compute(group)
        times = np.unique(whole.decisions.decided_at)
        for now in _places(len(times), cuts):
            for what, changed in _changed(group, times[now]):
                for leak in _compare(whole, features.compute(changed), times[now - 1], what):
                    if leak.column not in told:
                        told.add(leak.column)
                        yield leak


def _places(n_times: int, cuts: int) -> list[int]:
    """A third, the half, the last; then spread by the golden ratio, which avoids round places."""
    spread = [int(n_times * (0.618034 * place % 1.0)) for place in range(1, max(cuts - 2, 1))]
    return sorted({n_times // 3, n_times // 2, n_times - 1, *spread} - {0})


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


def _compare(
    whole: FeatureTable, changed: FeatureTable, last: np.datetime64, what: str
) -> Iterator[Leak]:
    rows = np.flatnonzero(whole.decisions.decided_at <= last)
    before = whole.values[rows]
    after = changed.values[changed.decisions.decided_at <= last]
    wrong = (before != after) & ~(np.isnan(before) & np.isnan(after))
    for column in np.flatnonzero(wrong.any(axis=0)):
        row = int(np.argmax(wrong[:, column]))
        decisions = whole.decisions.take(rows[row : row + 1])
        name, symbol = whole.columns[column], str(decisions.symbol[0])
        yield Leak(
            "features",
            name,
            symbol,
            decisions.decided_at[0],
            f"Feature {name!r} of {symbol} at {iso(decisions.decided_at[0])} changes from "
            f"{before[row, column]!r} to {after[row, column]!r} when bars after {iso(last)} are "
            f"{what}: it reads the future.",
            "Use only the bar that its step is handed, and its own state.",
        )
