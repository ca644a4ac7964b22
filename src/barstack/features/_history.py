"""How many bars features need before they have forgotten where a history begins."""

from __future__ import annotations

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.arrays import Floats

from ._feature_set import FeatureSet

# Of a column's standard deviation: what a forecast cannot tell from rounding.
TOLERANCE = 1e-6
_SHORTEST = 32
_ENDS = (
    1.0,
    0.97,
    0.93,
    0.88,
    0.81,
)  # shares of the bars at which it is measured: weeks begin anywhere
_MOST_SYMBOLS = 3
_MOST_BARS = 200_000


def history_bars(features: FeatureSet, panel: Bars | Panel) -> int:
    """Bars up to a row, its own included, from which its features are those of all history.

    Measured on these bars: a stream that begins so many bars before a row gives the row's features
    to `TOLERANCE`. An average that forgets by a part with each bar, of days or weeks too, needs
    many times its window. The number of bars where even all of them are too few to forget.

    >>> from barstack.features import Feature
    >>> from barstack.testing import walk
    >>> few = FeatureSet(features=[Feature(feature="sma_distance")])
    >>> many = FeatureSet(features=[Feature(feature="rsi")])
    >>> history_bars(few, walk(bars=2000)) <= 50 < 100 < history_bars(many, walk(bars=2000))
    True
    """
    all_bars = as_panel(panel)
    own = FeatureSet(features=features.features)  # series say themselves when they were known
    if not own.needs_market:
        longest = sorted(all_bars, key=lambda symbol: -len(all_bars[symbol]))[:_MOST_SYMBOLS]
        all_bars = {symbol: all_bars[symbol][-_MOST_BARS:] for symbol in sorted(longest)}
    most = max(len(bars) for bars in all_bars.values())
    rows = _rows(own, all_bars)
    scale = np.nanstd(np.concatenate(list(rows.values())), axis=0)
    scale = np.where(scale > 0, scale, 1.0)

    def forgotten(count: int) -> bool:
        return all(_agree(own, all_bars, rows, scale, count, share) for share in _ENDS)

    count = _SHORTEST
    while count < most and not forgotten(count):
        count *= 2
    if count >= most:
        return most
    low = count // 2 if count > _SHORTEST else 0
    if own.needs_market:  # all symbols each time: the next power of two is near enough
        return count
    while count - low > max(1, count // 32):  # to a few in a hundred
        middle = (low + count) // 2
        low, count = (low, middle) if forgotten(middle) else (middle, count)
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
    """Whether streams that begin `count` bars before a moment give its row as all history does."""
    longest = max(panel.values(), key=len)
    end = int(share * len(longest))
    if end < count:
        return True  # nothing to compare: another moment shows it
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
            continue  # of a quieter symbol there are fewer
        place = int(np.searchsorted(panel[symbol].closed_at, cut[symbol].closed_at[-1]))
        whole = rows[symbol][place]
        apart = np.abs(found[-1] - whole) > TOLERANCE * scale
        if (apart | (np.isnan(found[-1]) & ~np.isnan(whole))).any():
            return False
    return True
