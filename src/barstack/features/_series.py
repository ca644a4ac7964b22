"""The columns that series give to a feature table, live and in history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from barstack.bars import Series, SeriesTable
from barstack.core.arrays import Array, Floats
from barstack.core.errors import ConfigError, DataError, did_you_mean
from barstack.core.times import NEVER, DecidedAt, KnownAt, iso

SeriesSpecs = Mapping[str, Series]
SeriesTables = Mapping[str, SeriesTable]


def read_series(specs: SeriesSpecs, given: Mapping[str, Any] | None) -> dict[str, SeriesTable]:
    """A validated table for each series of the specs, from tables or frames by name.

    Raises `ConfigError` if one is missing or not in the specs.
    """
    given = given or {}
    for name in given:
        if name not in specs:
            raise ConfigError(
                f"There is no series {name!r} in the features. {did_you_mean(name, specs)}"
            )
    tables = {}
    for name, spec in specs.items():
        if name not in given:
            raise ConfigError(
                f"Series {name!r} ({', '.join(spec.columns)}) is missing. Give it as "
                f"series={{{name!r}: table}}, or on the command line with --series {name}=FILE."
            )
        table, where = given[name], f"series {name}"
        tables[name] = table if isinstance(table, SeriesTable) else spec.read(table, where)
        spec.check_fits(tables[name], where)
    return tables


class SeriesStream:
    """The series columns of one symbol, decision by decision."""

    def __init__(self, specs: SeriesSpecs, tables: SeriesTables, symbol: str) -> None:
        self.specs = dict(specs)
        self._symbol = symbol
        self._tables = {name: tables[name].about(symbol) for name in specs}
        self._decided_at = NEVER

    @property
    def columns(self) -> tuple[str, ...]:
        """Names such as `news.sentiment`, in order."""
        return tuple(
            f"{name}.{column}" for name, spec in self.specs.items() for column in spec.column_names
        )

    @property
    def decided_at(self) -> np.datetime64:
        """The newest decision; `NEVER` before the first."""
        return self._decided_at

    def update(self, decided_at: DecidedAt) -> list[Floats]:
        """For each series, (n, its columns) values known at the next decisions."""
        blocks = [
            spec.join(self._tables[name], self._symbol, decided_at)
            for name, spec in self.specs.items()
        ]
        if len(decided_at):
            self._decided_at = decided_at[-1]
            # Rows no longer in force are dropped, so that the cost of a bar does not grow.
            self._tables = {
                name: table.since(self._decided_at) for name, table in self._tables.items()
            }
        return blocks

    def know(self, name: str, row: Mapping[str, Any]) -> None:
        """One more row of a series, as its table has it.

        Decisions from its `known_at` on use it. Raises `DataError` for a row known at or before a
        decision already made, which would have had to use it.
        """
        if name not in self.specs:
            raise ConfigError(
                f"There is no series {name!r} in the features. {did_you_mean(name, self.specs)}"
            )
        where = f"row of series {name}"
        given = self.specs[name].read(pl.DataFrame([dict(row)]), where)
        if given.known_at[0] <= self._decided_at:
            raise DataError(
                f"{where}: it was known at {iso(given.known_at[0])}, and the decision of "
                f"{iso(self._decided_at)} was made without it. Give as known_at the moment at "
                "which it reached you."
            )
        self._tables[name] = self._tables[name].with_rows(given.about(self._symbol), where)

    def snapshot(self) -> dict[str, Array]:
        """Copies of all state, as plain arrays."""
        arrays: dict[str, Array] = {"decided_at": np.array([self._decided_at])}
        for i, table in enumerate(self._tables.values()):
            arrays[f"known_at_{i}"] = table.known_at.copy()
            arrays[f"known_{i}"] = table.values.copy()
            arrays[f"began_at_{i}"] = np.array([table.began_at])
        return arrays

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Take over the state of `snapshot`."""
        self._decided_at = arrays["decided_at"][0]
        for i, (name, table) in enumerate(self._tables.items()):
            known_at = KnownAt(arrays[f"known_at_{i}"].copy())
            self._tables[name] = replace(
                table,
                symbol_code=np.zeros(len(known_at), np.int32),
                known_at=known_at,
                values=arrays[f"known_{i}"].copy(),
                began_at=arrays[f"began_at_{i}"][0],
            )
