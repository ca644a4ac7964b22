"""Columns that know the answer: alone or together they forecast better than can be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import rankdata

from barstack.bars import Panel
from barstack.core.arrays import Floats, Rows
from barstack.core.horizon import Horizon
from barstack.core.times import iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable

from ._copies import Later
from ._knowing import FEWEST, Future, Table, surely
from ._leak import Leak
from ._past import AHEAD, Past, correlation, over, past_of
from ._together import Together

TOO_GOOD = 0.3  # correlation with what follows that no column of an honest market reaches
_TOO_GOOD_SIZE = 0.7  # the same of how much it moves, which is far better foreseeable
_CLASSES = 24  # values of a label that is read as classes
_IS_RETURN = 0.85  # correlation with the price's own move from which a label is read as a return
_MOST_ROWS, _STRETCH = 10_000, 500  # more rows tell no more
# Stretches of later bars whose return a column may know: (bars until it begins, bars it lasts).
_WINDOWS = (
    *((first, 1) for first in range(24)),
    *((first, 4) for first in range(0, 24, 2)),
    *((first, 12) for first in range(0, 28, 4)),
    *((0, bars) for bars in (2, 8, 20, 24, 36, AHEAD)),
    *((first, 24) for first in (8, 16)),
)

_MEND = "Find out when it was known: it may be stamped too early, or made of the label."


def hunt_targets(
    features: FeatureTable,
    labels: LabelTable,
    panel: Panel,
    too_good: float = TOO_GOOD,
    *,
    short: bool = False,
) -> Iterator[Leak]:
    """Columns that are later numbers themselves, or know what follows better than can be.

    too_good  what the correlation with later returns, less two standard errors, must not reach

    What the bars' own past tells, such as the way back of a price that is pegged, is no leak: only
    what a column knows beyond it counts. Whether a price will move much is foreseeable and its
    side is not, so columns are held against returns, whose mean given the past is nearly zero
    however asymmetric the barriers are, and not against the numbers of classes.
    """
    rows = _some(features)
    later = Later(features, panel, rows)
    told: set[int] = set()
    for place, name in enumerate(features.columns):
        copy = later.copied(features.values[rows, place])
        if copy is not None:
            told.add(place)
            yield _leak(features, int(rows[copy[1]]), name, f"Feature {name!r} is {copy[0]}")
    past = past_of(labels.decisions, panel, rows)
    rest = [place for place in range(len(features.columns)) if place not in told]
    table = Table.of(features, past, rows, rest)
    if table is None:
        return
    futures = list(_futures(labels, past, rows, table))
    for future in futures:
        limit = too_good if future.side else max(_TOO_GOOD_SIZE, too_good)
        for column, found in table.knowing(future, limit):
            place = rest[column]
            if place in told:
                continue
            told.add(place)
            name = features.columns[place]
            yield _leak(
                features,
                int(rows[table.rows[0]]),
                name,
                f"Feature {name!r} forecasts {future.what} with a correlation of "
                f"{found:.2f} beyond what the bars' own past tells, over "
                f"{future.n_apart:,} such stretches side by side; nothing honest reaches "
                f"{limit:g}",
            )
    if told:
        return
    sides = [future for future in futures if future.side and (future.main or not short)]
    names = [features.columns[place] for place in rest]
    together = Together(table.raw, table.symbol, names, table.strangest, surely)
    for future in sides:
        known = together.knowing(future.values, future.block, too_good, deep=not short)
        if known is not None:
            yield _leak(
                features,
                int(rows[table.rows[0]]),
                known.name,
                f"{known.what} forecasts {future.what} with a correlation of "
                f"{known.correlation:.2f}, which no honest columns reach together either "
                f"({too_good:g})",
            )
            return


def _some(features: FeatureTable) -> Rows:
    """Rows to look at: all, or of many a spread of stretches, in which labels still overlap."""
    n_rows = len(features.decisions)
    if n_rows <= _MOST_ROWS:
        return np.arange(n_rows)
    starts = np.linspace(0, n_rows - _STRETCH, _MOST_ROWS // _STRETCH).astype(np.int64)
    return np.unique((starts[:, None] + np.arange(_STRETCH)).ravel())


def _futures(labels: LabelTable, past: Past, rows: Rows, table: Table) -> Iterator[Future]:
    times = np.unique(labels.decisions.decided_at[rows], return_inverse=True)[1]
    for place, horizon in enumerate(labels.target.horizons):
        held = _bars_held(labels, rows, place)
        returns, values = labels.returns[rows, place], labels.values[rows, place]
        what = f"the label {Horizon.parse(horizon).in_words} ahead"
        if _is_return(returns, values, past, held):
            scaled = returns / (past.scale * np.sqrt(held))
            yield from table.future(what, np.clip(scaled, -8.0, 8.0), held, times, main=True)
            if not _differ(values, returns):
                continue
        for size in _sizes(values):
            yield from table.future(what, size, held, times, side=False)
    for first, bars in _WINDOWS:
        what = f"the return of {bars} bar{'s' if bars > 1 else ''} from the {_th(first + 1)} on"
        yield from table.future(what, over(past, bars, first), bars, times)


def _th(number: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number in (11, 12, 13) else ends.get(number % 10, 'th')}"


def _bars_held(labels: LabelTable, rows: Rows, place: int) -> int:
    """How many decision times the longer labels take."""
    decided = labels.decisions.decided_at[rows]
    known = labels.known_at[rows, place]
    there = ~np.isnat(known)
    times = np.unique(labels.decisions.decided_at)
    steps = np.searchsorted(times, known[there]) - np.searchsorted(times, decided[there])
    return max(int(np.quantile(steps, 0.9)), 1) if len(steps) else 1


def _is_return(returns: Floats, values: Floats, past: Past, held: int) -> bool:
    """Whether `returns` are the price's: said by a label that has values beside, else measured."""
    if _differ(values, returns):
        return True
    moves = over(past, min(held, AHEAD)) * past.scale
    both = np.isfinite(moves) & np.isfinite(returns)
    if both.sum() < FEWEST or _few(returns):
        return False
    return correlation(rankdata(moves[both]), rankdata(returns[both])) > _IS_RETURN


def _differ(values: Floats, returns: Floats) -> bool:
    return not np.array_equal(values, returns, equal_nan=True)


def _few(values: Floats) -> bool:
    return len(np.unique(values[np.isfinite(values)][:_STRETCH])) <= _CLASSES


def _sizes(values: Floats) -> list[Floats]:
    """A label as numbers: each of its classes, or its ranks."""
    seen = np.isfinite(values)
    if not seen.any():
        return []
    if not _few(values):
        ranks = np.full(len(values), np.nan)
        ranks[seen] = rankdata(values[seen])
        return [ranks]
    classes = np.unique(values[seen])[: _CLASSES if len(values) else 0]
    return [np.where(seen, values == each, np.nan) for each in classes]


def _leak(features: FeatureTable, row: int, name: str, what: str) -> Leak:
    decisions = features.decisions
    symbol, at = str(decisions.symbols[decisions.symbol_code[row]]), decisions.decided_at[row]
    return Leak(
        "features", name, symbol, at, f"{what}; first seen of {symbol} at {iso(at)}.", _MEND
    )
