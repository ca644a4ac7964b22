"""How many bars features need until their values no longer depend on where the history begins."""

from __future__ import annotations

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.arrays import Floats

from ._feature_set import FeatureSet

# As a fraction of a column's standard deviation: no more than rounding to a forecast.
TOLERANCE = 1e-6
_SHORTEST = 32
# Shares of the bars at which it is measured: a longer timeframe begins anywhere.
_ENDS = (1.0, 0.97, 0.93, 0.88, 0.81)
_MOST_SYMBOLS = 3
_MOST_BARS = 200_000


def history_bars(features: FeatureSet, panel: Bars | Panel) -> int:
    """Bars up to a row, its own included, that give the features of the full history.

    Measured on these bars: a stream that begins so many bars before a row gives the row's features
    to `TOLERANCE`. Exponential averages, also of days or weeks, need many times their window. If
    all bars are too few, their number.

    >>> from barstack.features import Feature
    >>> from barstack.testing import walk
    >>> few = FeatureSet(features=[Feature(feature="sma_distance")])
    >>> many = FeatureSet(features=[Feature(feature="rsi")])
    >>> history_bars(few, walk(bars=2000)) <= 50 < 100 < history_bars(many, walk(bars=2000))
    True
    """
    all_bars = as_panel(panel)
    own = FeatureSet(features=features.features)  # series have their own times
    if not own.needs_market:
        longest = sorted(all_bars, key=lambda symbol: -len(all_bars[symbol]))[:_MOST_SYMBOLS]
        all_bars = {symbol: all_bars[symbol][-_MOST_BARS:] for symbol in sorted(longest)}
    most = max(len(bars) for bars in all_bars.values())
    rows = _rows(own, all_bars)
    scale = np.nanstd(np.concatenate(list(rows.values())), axis=0)
    scale = np.where(scale > 0, scale, 1.0)

    def enough(count: int) -> bool:
        return all(_agree(own, all_bars, rows, scale, count, share) for share in _ENDS)

    count = _SHORTEST
    while count < most and not enough(count):
        count *= 2
    if count >= most:
        return most
    low = count // 2 if count > _SHORTEST else 0
    if own.needs_market:  # slow, with all symbols: the next power of two will do
        return count
    while count - low > max(1, count // 32):  # to within a few per cent
        middle = (low + count) // 2
        low, count = (low, middle) if enough(middle) else (middle, count)
    return count


def _rows(features: FeatureSet, panel: Panel) -> dict[str, Floats]:
    table = features.compute(panel)
    ends = np.cumsum([len(bars) for bars in panel.values()])
    return dict(zip(panel, np.split(table.values, ends[:-1]), strict=True))


def _agree(
    features: FeatureSet,
    panel: Panel,
    rows: dict[str, Floats],
    scale: Floats,
    count: int,
    share: float,
) -> bool:
    """Whether streams that begin `count` bars before a moment agree with the full history."""
    longest = max(panel.values(), key=len)
    end = int(share * len(longest))
    if end < count:
        return True  # nothing to compare at this moment
    first, last = longest.opened_at[end - count], longest.closed_at[end - 1]
    cut: dict[str, Bars] = {}
    for symbol, bars in panel.items():
        inside = np.flatnonzero((bars.opened_at >= first) & (bars.closed_at <= last))
        if len(inside):
            cut[symbol] = bars[inside[0] : inside[-1] + 1]
    if features.needs_market and len(cut) < len(panel):
        return False
    for symbol, found in _rows(features, cut).items():
        if len(cut[symbol]) < count:
            continue  # a less active symbol has fewer
        place = int(np.searchsorted(panel[symbol].closed_at, cut[symbol].closed_at[-1]))
        whole = rows[symbol][place]
        differs = np.abs(found[-1] - whole) > TOLERANCE * scale
        if (differs | (np.isnan(found[-1]) & ~np.isnan(whole))).any():
            return False
    return True
