"""What models are given: rows and windows of features, scaled only as they are taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from barstack.core.arrays import Floats, Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import DataError
from barstack.core.times import DecidedAt, KnownAt

from ._history import blocks
from ._scaler import FittedScaler, Windows

# A table of at most so many values is scaled once, instead of again for every window it is in.
_SMALL = 2**22
# A table of at most so many values, 256 MiB of them, is copied row by row for whom sees a part.
TWICE = 2**25


def window_view(values: npt.NDArray[np.floating], lookback: int) -> npt.NDArray[np.floating]:
    """(n_rows - lookback + 1, lookback, n_columns) every window of a table, none of it copied.

    The window that ends at row `r` is at place `r - lookback + 1`; which of them stay within one
    symbol and cross no gap is what `Dataset.with_history` says.

    >>> table = np.arange(8.0).reshape(4, 2)
    >>> view = window_view(table, 3)
    >>> view[1].tolist(), np.shares_memory(view, table)
    ([[2.0, 3.0], [4.0, 5.0], [6.0, 7.0]], True)
    """
    view = np.lib.stride_tricks.sliding_window_view(values, lookback, axis=0)
    return view.transpose(0, 2, 1)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Features of some decisions, as rows or as windows of the bars up to each.

    table    (n_all_rows, n_features) rows of the feature table, as computed; models are given
             those alone that windows of `rows` hold, see `narrowed`
    rows     (n_rows,) the decisions to forecast or learn from
    scaler   fitted on training rows; applied to what is requested, and to no more
    history  (n_rows,) rows that a window of each decision may hold

    decisions  (n_all_rows) when each row of the table was decided, and for which symbol; only
               models that distinguish symbols need it
    """

    table: Floats
    rows: Rows
    scaler: FittedScaler
    history: Rows
    decisions: Decisions | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_features(self) -> int:
        return int(self.table.shape[1])

    def last(self, places: Rows | slice = slice(None)) -> Floats:
        """(n_places, n_features) the newest bar of each decision, scaled; by default of all."""
        return self.scaler.apply(self.table[self.rows[places]])

    def places_by_symbol(self) -> dict[str, Rows]:
        """The places of each symbol's decisions, for those symbols that have any."""
        if self.decisions is None:
            raise DataError(
                "Rows come without their symbols, and this model distinguishes symbols. "
                "Train it on a Dataset, with barstack.models.train; to forecast a row, say whose "
                "it is with symbol=."
            )
        code = self.decisions.symbol_code[self.rows]
        places = {
            symbol: np.flatnonzero(code == each)
            for each, symbol in enumerate(self.decisions.symbols)
        }
        return {symbol: own for symbol, own in places.items() if len(own)}

    def blocks(self) -> Iterator[slice]:
        """Places of one stretch of decisions after the other, each small beside a large table."""
        return blocks(len(self), self.n_features)

    def windows(self, lookback: int, places: Rows | slice = slice(None)) -> Windows:
        """(n_places, lookback, n_features) the bars up to each decision, oldest first, scaled.

        Raises `DataError` for a window that would reach over its symbol's first bar, a gap, an
        incomplete row or a row of `disjoint_from`.
        """
        rows = self.rows[places]
        short = self.history[places] < lookback
        if short.any():
            at = int(np.argmax(short))
            raise DataError(
                f"A window of {lookback} bars was requested for row {rows[at]}, which has "
                f"{self.history[places][at]} up to it. Take rows from with_history."
            )
        if self.table.size <= _SMALL and len(rows) * lookback >= len(self.table):
            small: Windows = self._scaled[rows[:, None] + np.arange(1 - lookback, 1)]
            return small
        return self.scaler.windows(self.table, rows, lookback)

    @cached_property
    def _scaled(self) -> Windows:
        return self.scaler.apply(self.table).astype(np.float32)


@dataclass(frozen=True, eq=False)
class NewestRow(Inputs):
    """Inputs of a table's newest row, which is scaled once for all models that share them.

    >>> from barstack.datasets import StandardScaler
    >>> table = np.array([[1.0], [3.0]])
    >>> NewestRow.of(table, StandardScaler().fit(table)).last().tolist()
    [[1.0]]
    """

    @classmethod
    def of(cls, table: Floats, scaler: FittedScaler, symbol: str | None = None) -> NewestRow:
        """The last of consecutive rows, each of which a window may hold.

        symbol  whose rows they are, for models that distinguish symbols
        """
        n_rows, decisions = len(table), None
        if symbol is not None:
            untold = DecidedAt(np.full(n_rows, "NaT", "datetime64[us]"))
            decisions = Decisions((symbol,), np.zeros(n_rows, np.int32), untold)
        newest, own = np.array([n_rows - 1]), np.array([n_rows])
        return cls(table, newest, scaler, own, decisions=decisions)

    def last(self, places: Rows | slice = slice(None)) -> Floats:
        """(n_places, n_features) as in `Inputs`; a copy, so that no model spoils another's."""
        return self._newest[places].copy()

    @cached_property
    def _newest(self) -> Floats:
        return self.scaler.apply(self.table[-1:])


@dataclass(frozen=True, eq=False)
class Samples(Inputs):
    """Inputs with their labels.

    y       (n_rows, n_horizons) returns in training deviations, or classes as whole numbers
    weight  (n_rows,) how much each row counts, 1 on average

    known_at  (n_all_rows,) the latest that all labels of each row of the table could be known, NaT
              for those not among `rows`; only models that split their rows themselves need it
    """

    y: Floats
    weight: Floats
    known_at: KnownAt | None = field(default=None, kw_only=True)


Given = TypeVar("Given", bound=Inputs)


def narrowed(inputs: Given, lookback: int) -> Given:
    """The same decisions over a table of their windows alone: nothing else can be reached from it.

    lookback  rows that a window may hold from now on

    Row numbers change with the table; windows stay in one piece. A table too large to be held
    twice is handed on unchanged: only the audit of fits tells what was read there.
    """
    if inputs.table.size > TWICE or not len(inputs.rows):
        return inputs
    reach = np.minimum(inputs.history, lookback)
    begins = np.maximum(inputs.rows - np.maximum(reach, 1) + 1, 0)
    first, end = int(begins.min()), int(inputs.rows.max()) + 1
    edges = np.bincount(begins - first, minlength=end - first + 1)
    edges -= np.bincount(inputs.rows + 1 - first, minlength=end - first + 1)
    kept = np.cumsum(edges[:-1]) > 0
    rows = (np.cumsum(kept) - 1)[inputs.rows - first]
    needed = first + np.flatnonzero(kept)
    changed: dict[str, Any] = {
        "table": inputs.table[needed],
        "rows": rows,
        "history": np.where(inputs.history < 1, inputs.history, reach),
    }
    if inputs.decisions is not None:
        changed["decisions"] = inputs.decisions.take(needed)
    if isinstance(inputs, Samples) and inputs.known_at is not None:
        known_at = np.full(len(needed), "NaT", "datetime64[us]")
        known_at[rows] = inputs.known_at[inputs.rows]
        changed["known_at"] = KnownAt(known_at)
    return replace(inputs, **changed)
