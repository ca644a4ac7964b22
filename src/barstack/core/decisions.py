"""The rows of every table: one decision for each `(decided_at, symbol)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from barstack.core.arrays import Array, Ints, Rows

from .errors import DataError
from .times import DecidedAt, iso, microseconds


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

    @classmethod
    def of(cls, decided_at: DecidedAt, symbols: Array) -> tuple[Decisions, Rows]:
        """Decisions in any order, sorted by symbol, then time.

        Returns
        -------
        decisions
            With as many rows as were given.
        order
            (n_rows,) which of the given rows each is.
        """
        names, code = np.unique(symbols, return_inverse=True)
        order = np.lexsort((decided_at, code))
        sorted_code = np.asarray(code[order], np.int32)
        return cls(tuple(map(str, names)), sorted_code, DecidedAt(decided_at[order])), order

    def match(self, others: Decisions) -> Rows:
        """(len(others),) the row here of each of the other decisions, -1 where it has none.

        Neither needs to be in any order. Of equal rows here the first is taken.
        """
        found = np.full(len(others), -1, np.int64)
        code_of = {symbol: code for code, symbol in enumerate(self.symbols)}
        for other_code, symbol in enumerate(others.symbols):
            rows, times = self._of_symbol(code_of.get(symbol, -1))
            other_rows, other_times = others._of_symbol(other_code)
            if len(rows) == 0 or len(other_rows) == 0:
                continue
            place = np.searchsorted(times[:-1], other_times)
            found[other_rows] = np.where(times[place] == other_times, rows[place], -1)
        return found

    def find(self, others: Decisions) -> Rows:
        """As `match`; `DataError` where one of the other decisions has no row here."""
        found = self.match(others)
        if (found < 0).any():
            missing = int(np.argmax(found < 0))
            raise DataError(
                f"No row for {others.symbols[others.symbol_code[missing]]} decided at "
                f"{iso(others.decided_at[missing])}. Use tables made from the same bars."
            )
        return found

    def _of_symbol(self, code: int) -> tuple[Rows, Ints]:
        """Rows of one symbol in order of time, and their times."""
        rows, times, bounds = self._sorted
        if not 0 <= code < len(self.symbols):
            return rows[:0], times[:0]
        begin, end = bounds[code : code + 2]
        return rows[begin:end], times[begin:end]

    @cached_property
    def _sorted(self) -> tuple[Rows, Ints, Ints]:
        """Rows by symbol, then time; their times in microseconds; where each symbol begins."""
        code: Array = self.symbol_code
        times = microseconds(self.decided_at)
        rows = np.arange(len(self))
        falls = np.flatnonzero(times[1:] < times[:-1])
        if (code[1:] < code[:-1]).any() or (code[falls] == code[falls + 1]).any():
            # Of 16 bits numpy sorts in linear time.
            if len(self.symbols) < 2**16:
                code = code.astype(np.uint16)
            if len(falls):
                rows = np.argsort(times, kind="stable")
                code = code[rows]
            by_code = np.argsort(code, kind="stable")
            rows, code = rows[by_code], code[by_code]
            times = times[rows]
        return rows, times, np.searchsorted(code, np.arange(len(self.symbols) + 1))


def shared_rows(tables: Sequence[Decisions]) -> list[Rows]:
    """For each table its rows of the decisions that all of them have, by time, then symbol.

    >>> hours = np.datetime64("2026-01-05T00:00", "us") + np.arange(4) * np.timedelta64(1, "h")
    >>> one, other = (Decisions.concatenate({"A": hours[at]}) for at in ([0, 1, 3], [1, 3]))
    >>> [rows.tolist() for rows in shared_rows([one, other])]
    [[1, 2], [0, 1]]
    """
    first, *others = tables
    found = [np.arange(len(first)), *(other.match(first) for other in others)]
    there = np.flatnonzero(np.min(found, axis=0) >= 0)
    by_name = np.argsort(np.argsort(first.symbols))[first.symbol_code[there]]
    there = there[np.lexsort((by_name, first.decided_at[there]))]
    return [rows[there] for rows in found]
