"""The rows of every table: one decision for each `(decided_at, symbol)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from barstack.core.arrays import Array, Rows

from .errors import DataError
from .times import DecidedAt, iso


@dataclass(frozen=True, eq=False)
class Decisions:
    """When and for which symbol; tables that share a `Decisions` share their row numbers.

    symbols      names, sorted
    symbol_code  (n_rows,) which of `symbols`
    decided_at   (n_rows,) rising within each symbol; each symbol's rows lie together
    """

    symbols: tuple[str, ...]
    symbol_code: npt.NDArray[np.int32]
    decided_at: DecidedAt

    def __len__(self) -> int:
        return len(self.decided_at)

    @classmethod
    def concatenate(cls, decided_at: Mapping[str, DecidedAt]) -> Decisions:
        """The decisions of several symbols, one after the other in the order of their names."""
        symbols = tuple(sorted(decided_at))
        lengths = [len(decided_at[symbol]) for symbol in symbols]
        code = np.repeat(np.arange(len(symbols), dtype=np.int32), lengths)
        times = np.concatenate([decided_at[symbol] for symbol in symbols])
        return cls(symbols, code, DecidedAt(times))

    def take(self, rows: Rows) -> Decisions:
        """Some of the rows, in the order given."""
        return Decisions(self.symbols, self.symbol_code[rows], DecidedAt(self.decided_at[rows]))

    @property
    def symbol(self) -> Array:
        """(n_rows,) symbol names."""
        return np.asarray(self.symbols)[self.symbol_code]

    @cached_property
    def first_row(self) -> Rows:
        """(n_rows,) the row at which each row's symbol begins."""
        starts = np.searchsorted(self.symbol_code, np.arange(len(self.symbols)))
        return np.asarray(starts, np.int64)[self.symbol_code]

    def find(self, others: Decisions) -> Rows:
        """(len(others),) the row number here of each of the other decisions.

        Raises `DataError` when one is not here.
        """
        code_of = {symbol: code for code, symbol in enumerate(self.symbols)}
        codes = np.array([code_of.get(symbol, -1) for symbol in others.symbols], np.int64)
        found = np.zeros(len(others), np.int64)
        for other_code, code in enumerate(codes):
            theirs = others.symbol_code == other_code
            own = np.flatnonzero(self.symbol_code == code)
            place = np.searchsorted(self.decided_at[own], others.decided_at[theirs])
            inside = place < len(own)
            matched = np.zeros(len(place), bool)
            rows = own[place[inside]]
            matched[inside] = self.decided_at[rows] == others.decided_at[theirs][inside]
            if not matched.all():
                missing = others.decided_at[theirs][np.argmin(matched)]
                raise DataError(
                    f"No row for {others.symbols[other_code]} decided at {iso(missing)}. "
                    "Use tables made from the same bars."
                )
            found[theirs] = rows
        return found
