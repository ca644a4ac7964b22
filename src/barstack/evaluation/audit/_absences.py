"""What is missing because of what followed: bars, rows of a series, decisions, and single numbers.

Whether something is there says nothing honest about the next move, so that the price must go up
about as often as down after what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from barstack.bars import SeriesTable
from barstack.core.arrays import Floats, Ints
from barstack.core.times import DAY_US, iso, microseconds
from barstack.features import FeatureTable

from ._leak import Leak
from ._paths import Path
from ._pipeline import Data

_MOST_BARS = 20_000  # of each symbol, the latest
_FEWEST = 20  # moves
_ONE_WAY = 0.75  # share of them that goes one way
_ERRORS = 6.0  # standard errors
_STEPS = (1, 4, 12, 24)  # bars
_REGULAR = 0.8  # share of equal gaps from which a series is read as regular
_MEND = "Take it from a source that keeps all of it."


def hunt_absences(features: FeatureTable, data: Data) -> Iterator[Leak]:
    """Bars, series, decisions and columns that are missing before falls, or before rises."""
    paths = {
        name: Path(bars[-_MOST_BARS:]) for name, bars in data.panel.items() if len(bars) > _FEWEST
    }
    for name, path in paths.items():
        after = np.flatnonzero(path.bars.missing)
        yield from _told("bars", name, name, path, after - 1, path.steps[after], "bars")
    for name, table in data.series.items():
        yield from _of_series(name, table, paths)
    decisions = features.decisions
    for code, symbol in enumerate(decisions.symbols):
        if symbol not in paths:
            continue
        path, own = paths[symbol], decisions.symbol_code == code
        bar = np.searchsorted(path.bars.closed_at, decisions.decided_at[own], side="right") - 1
        there = np.zeros(len(path.at), bool)
        there[bar[bar >= 0]] = True
        first = int(np.argmax(there))
        without = first + np.flatnonzero(~there[first:])
        yield from _ahead("features", "rows", symbol, path, without, "decisions")
        values = features.values[own][bar >= 0]
        known = np.isfinite(values)
        seldom = (known.mean(axis=0) > 0.5) & ~known.all(axis=0)
        for place in np.flatnonzero(seldom):
            begun = int(np.argmax(known[:, place]))
            unknown = bar[bar >= 0][begun:][~known[begun:, place]]
            name = features.columns[place]
            yield from _ahead("features", name, symbol, path, unknown, f"numbers of {name!r}")


def _of_series(name: str, table: SeriesTable, paths: dict[str, Path]) -> Iterator[Leak]:
    """Rows that a regular series lacks, held against the symbol they are about, or against all."""
    about = [None] if table.symbols is None else list(table.symbols)
    for symbol in about:
        own = table if symbol is None else table.about(symbol)
        times = np.unique(microseconds(own.known_at))
        gaps = np.diff(times)
        if len(gaps) < _FEWEST:
            continue
        usual = int(np.median(gaps))
        if usual <= 0 or (gaps == usual).mean() < _REGULAR:
            continue
        begins = times[:-1][(gaps > usual) & (gaps <= DAY_US + usual)]
        for other in paths if symbol is None else [symbol]:
            if other not in paths:
                continue
            bar = np.searchsorted(paths[other].at, begins + usual, side="right") - 1
            yield from _ahead("series", name, other, paths[other], bar[bar >= 0], "rows")


def _ahead(
    stage: str, column: str, symbol: str, path: Path, bars: Ints, what: str
) -> Iterator[Leak]:
    """The moves of the bars that follow, of stretches of which none overlaps another."""
    for ahead in _STEPS:
        chosen = _side_by_side(bars[bars + ahead < len(path.at)], ahead)
        moves = path.price[chosen + ahead] - path.price[chosen]
        found = list(_told(stage, column, symbol, path, chosen, moves, what))
        if found:
            yield from found
            return


def _side_by_side(bars: Ints, ahead: int) -> Ints:
    kept, end = [], -1
    for bar in bars.tolist():
        if bar >= end:
            kept.append(bar)
            end = bar + ahead
    return np.array(kept, np.int64)


def _told(
    stage: str, column: str, symbol: str, path: Path, bars: Ints, moves: Floats, what: str
) -> Iterator[Leak]:
    moved = moves[moves != 0.0]
    if len(moved) < _FEWEST:
        return
    down = float((moved < 0.0).mean())
    one_way = max(down, 1.0 - down)
    if one_way <= _ONE_WAY or (2.0 * one_way - 1.0) * np.sqrt(len(moved)) <= _ERRORS:
        return
    at = path.bars.closed_at[bars[0]]
    yield Leak(
        stage,
        column,
        symbol,
        at,
        f"{symbol} {'falls' if down > 0.5 else 'rises'} after {one_way:.0%} of {len(moved):,} "
        f"places where {what} are missing, the first at {iso(at)}: they are missing because of "
        "what followed.",
        _MEND,
    )
