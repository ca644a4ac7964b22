"""How far back each row may look: within its symbol, over complete rows, across no long gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from barstack.core.arrays import Bools, Rows
from barstack.core.errors import DataError
from barstack.core.times import iso, parse_duration
from barstack.features import FeatureTable

# Longer than the weekends and holidays of most exchanges, shorter than a week of missing bars.
MAX_GAP = "5d"

_VALUES_AT_ONCE = 2**22


def blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Stretches of rows, each small beside a large table: what walks over one makes no copy."""
    size = max(1, _VALUES_AT_ONCE // max(n_columns, 1))
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def complete(features: FeatureTable) -> Bools:
    """(n_rows,) whether every feature is a finite number."""
    values = features.values
    # Of a row with a number that is not finite the sum is neither: few rows are looked at closely.
    with np.errstate(all="ignore"):
        found: Bools = np.isfinite(values @ np.ones(values.shape[1]))
    doubtful = np.flatnonzero(~found)
    for part in blocks(len(doubtful), values.shape[1]):
        rows = doubtful[part]
        found[rows] = np.isfinite(values[rows]).all(axis=1)
    return found


def history(features: FeatureTable, max_gap: str = MAX_GAP, ready: Bools | None = None) -> Rows:
    """(n_rows,) rows that a window ending at each may hold, that row included.

    max_gap  longest time between neighbouring decisions of a window
    ready    (n_rows,) rows that a window may hold at all; by default the complete ones

    >>> from barstack.testing import small_dataset
    >>> history(small_dataset("return", bars=100).features).max()
    np.int64(80)
    """
    ready = complete(features) if ready is None else ready
    decisions = features.decisions
    places = np.arange(len(ready))
    begins = places == decisions.first_row
    begins[1:] |= np.diff(decisions.decided_at) > np.timedelta64(parse_duration(max_gap), "us")
    last_outside = np.where(ready, np.where(begins, places - 1, -1), places)
    return places - np.maximum.accumulate(last_outside)


def recent_history(
    features: FeatureTable, rows: Rows, lookback: int, max_gap: str = MAX_GAP
) -> Rows:
    """(len(rows),) rows that a window ending at each may hold; beyond `lookback` not all may count.

    As `history`, but of all the table it reads what lies between the first and the last of the
    windows: of one live row a window, however long the table is.

    >>> from barstack.testing import small_dataset
    >>> recent_history(small_dataset("return", bars=100).features, np.array([90, 99]), 10).tolist()
    [10, 19]
    """
    if not len(rows):
        return rows
    first, end = max(int(rows.min()) - lookback + 1, 0), int(rows.max()) + 1
    if first == 0 and end == len(features.values):
        return history(features, max_gap)[rows]
    part = slice(first, end)
    decisions = features.decisions.take(np.arange(first, end))
    own = history(replace(features, decisions=decisions, values=features.values[part]), max_gap)
    found: Rows = own[rows - first]
    return found


def rows_with_history(
    features: FeatureTable, rows: Rows, lookback: int, max_gap: str = MAX_GAP
) -> Rows:
    """Those of `rows` that have `lookback` complete rows of their own symbol up to them.

    max_gap  longest time between two neighbours among those, so that no missing days are bridged

    >>> from barstack.testing import small_dataset
    >>> table = small_dataset("return", bars=100).features
    >>> len(rows_with_history(table, np.arange(len(table.values)), 10))
    142
    """
    return rows[history(features, max_gap)[rows] >= lookback]


def usable_rows(features: FeatureTable) -> Bools:
    """(n_rows,) rows past every feature's warm-up; `DataError` where a symbol has none.

    >>> from barstack.testing import small_dataset
    >>> int(usable_rows(small_dataset("return", bars=100).features).sum())
    160
    """
    ready = complete(features)
    _refuse_infinite(features)
    decisions = features.decisions
    for code, symbol in enumerate(decisions.symbols):
        own = decisions.symbol_code == code
        if not ready[own].any():
            worst = int(np.isnan(features.values[own]).sum(axis=0).argmax())
            raise DataError(
                f"{symbol} has {own.sum():,} bars, all within the warm-up of feature "
                f"{features.columns[worst]!r}. Give more bars, or choose features that "
                "look back less."
            )
    return ready


def _refuse_infinite(features: FeatureTable) -> None:
    first, count = None, 0
    for part in blocks(*features.values.shape):
        infinite = np.isinf(features.values[part])
        if infinite.any():
            row, column = (int(place) for place in np.argwhere(infinite)[0])
            first = first or (row + part.start, column)
            count += int(infinite.sum())
    if first is not None:
        row, column = first
        decisions = features.decisions
        raise DataError(
            f"Feature {features.columns[column]!r} of {decisions.symbol[row]} is infinite at "
            f"{iso(decisions.decided_at[row])}; {count:,} such value(s) in all. Say "
            "in its step what it is where its denominator vanishes."
        )
