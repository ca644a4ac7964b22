"""Point-in-time tables of numbers other than bars."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from barstack.core.arrays import Bools, Floats
from barstack.core.errors import DataError
from barstack.core.times import NEVER, DecidedAt, KnownAt, iso, microseconds, parse_duration


@dataclass(frozen=True, eq=False)
class SeriesTable:
    """Rows of numbers, each in force from its `known_at` until the next of its symbol.

    columns      names of the numbers
    symbols      names, sorted; None when every row is about every symbol
    symbol_code  (n_rows,) which of `symbols`; each symbol's rows lie together
    known_at     (n_rows,) rising within each symbol, each once
    values       (n_rows, n_columns) NaN where a number is unknown
    began_at     the earliest `known_at` of all symbols, NaT without rows
    max_age      age beyond which a row is no longer valid
    fill         replaces unknown numbers from `began_at` on
    """

    columns: tuple[str, ...]
    symbols: tuple[str, ...] | None
    symbol_code: npt.NDArray[np.int32]
    known_at: KnownAt
    values: Floats
    began_at: np.datetime64
    max_age: str | None = None
    fill: float | None = None

    @classmethod
    def of_rows(
        cls,
        columns: tuple[str, ...],
        symbols: tuple[str, ...] | None,
        symbol_code: npt.NDArray[np.int32],
        known_at: KnownAt,
        values: Floats,
        where: str,
    ) -> SeriesTable:
        """A table of rows in any order; the same row twice counts once.

        Raises `DataError` when one symbol has two different rows of the same moment.
        """
        order = np.lexsort((microseconds(known_at), symbol_code))
        symbol_code, values = symbol_code[order], values[order]
        known_at = KnownAt(known_at[order])
        twice = (np.diff(symbol_code) == 0) & (np.diff(microseconds(known_at)) == 0)
        equal = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
        differs = twice & ~equal.all(axis=1)
        if differs.any():
            row = int(np.argmax(differs))
            whom = f" about {symbols[symbol_code[row]]}" if symbols else ""
            raise DataError(
                f"{where} has two rows{whom} known at {iso(known_at[row])} that differ: "
                f"{dict(zip(columns, values[row].tolist(), strict=True))} and "
                f"{dict(zip(columns, values[row + 1].tolist(), strict=True))}; "
                f"{int(differs.sum())} such pair(s) in all. Keep one of them, or give the "
                "correction the later moment at which it was known."
            )
        keep = np.concatenate([np.ones(min(len(order), 1), bool), ~twice])
        began_at = known_at.min() if len(order) else NEVER
        return cls(
            columns, symbols, symbol_code[keep], KnownAt(known_at[keep]), values[keep], began_at
        )

    def __len__(self) -> int:
        return len(self.known_at)

    def __repr__(self) -> str:
        names = ", ".join(self.columns)
        if not len(self):
            return f"SeriesTable({names}; no rows)"
        whom = "every symbol" if self.symbols is None else f"{len(self.symbols)} symbol(s)"
        span = f"{iso(self.known_at.min())} .. {iso(self.known_at.max())}"
        return f"SeriesTable({names}; {len(self):,} rows about {whom}, {span})"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of every name, moment and value; changes when any row does."""
        digest = hashlib.sha256(json.dumps([self.columns, self.symbols]).encode())
        digest.update(self.symbol_code.tobytes() + self.known_at.tobytes())
        digest.update(np.where(np.isnan(self.values), np.nan, self.values).tobytes())
        return digest.hexdigest()

    def about(self, symbol: str) -> SeriesTable:
        """The rows of one symbol, or all rows where they are about every symbol."""
        if self.symbols is None or self.symbols == (symbol,):
            return self
        code = bisect_left(self.symbols, symbol)
        if code == len(self.symbols) or self.symbols[code] != symbol:
            own = slice(0)
        else:
            own = slice(*np.searchsorted(self.symbol_code, [code, code + 1]))
        rows = self._take(own)
        return replace(rows, symbols=(symbol,), symbol_code=np.zeros(len(rows), np.int32))

    def as_of(self, symbol: str, decided_at: DecidedAt) -> tuple[Floats, KnownAt]:
        """The values of a symbol known at given moments.

        decided_at  (n,)
        returns     values (n, n_columns) of the latest row with `known_at <= decided_at`, and
                    (n,) that `known_at`; NaN and NaT before the first. Past `max_age` values are
                    NaN. With `fill` no value is NaN from `began_at` on, the `known_at` of a
                    symbol without a row

        >>> from barstack.bars import Series
        >>> import polars as pl
        >>> news = Series(columns=["mood"]).read(pl.DataFrame({
        ...     "known_at": ["2026-01-05T21:30Z"], "symbol": ["SPY"], "mood": [0.4]}))
        >>> moments = np.array(["2026-01-05T21:00", "2026-01-05T21:30"], "datetime64[us]")
        >>> news.as_of("SPY", moments)[0].tolist()
        [[nan], [0.4]]
        """
        own = self.about(symbol)
        row = np.searchsorted(own.known_at, decided_at, side="right")
        unknown = np.full((1, len(self.columns)), np.nan)
        values = np.concatenate([unknown, own.values])[row]
        known_at = np.concatenate([[NEVER], own.known_at])[row]
        if self.max_age is not None:
            longest = np.timedelta64(parse_duration(self.max_age), "us")
            values[decided_at - known_at > longest] = np.nan
        if self.fill is not None:
            begun = np.asarray(decided_at >= self.began_at)
            values[np.isnan(values) & begun[:, None]] = self.fill
            # A symbol without a row has been silent for as long as the series exists.
            silent = begun & np.isnat(known_at)
            known_at = np.where(silent, self.began_at, known_at)
        return values, KnownAt(known_at)

    def known_by(self, moment: np.datetime64) -> SeriesTable:
        """The rows known at that moment: those with `known_at <= moment`."""
        began_at = self.began_at if self.began_at <= moment else NEVER
        return replace(self._take(self.known_at <= moment), began_at=began_at)

    def since(self, moment: np.datetime64) -> SeriesTable:
        """Of a table about one symbol: the row in force at that moment, and those after it."""
        first = max(int(np.searchsorted(self.known_at, moment, side="right")) - 1, 0)
        return self._take(slice(first, None))

    def with_rows(self, other: SeriesTable, where: str) -> SeriesTable:
        """The rows of both, which concern the same symbol; errors as in `of_rows`."""
        both = self.of_rows(
            self.columns,
            self.symbols,
            np.concatenate([self.symbol_code, other.symbol_code]),
            KnownAt(np.concatenate([self.known_at, other.known_at])),
            np.concatenate([self.values, other.values]),
            where,
        )
        began_at = np.fmin(self.began_at, other.began_at)  # NaT gives way
        return replace(both, began_at=began_at, max_age=self.max_age, fill=self.fill)

    def _take(self, rows: slice | Bools) -> SeriesTable:
        return replace(
            self,
            symbol_code=self.symbol_code[rows],
            known_at=KnownAt(self.known_at[rows]),
            values=self.values[rows],
        )
