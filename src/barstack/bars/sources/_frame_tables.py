"""Frames in the shapes that people have them in, as one table for each symbol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from barstack.core.errors import ConfigError, DataError, did_you_mean

from .._bars import PRICES
from .._columns import as_polars
from ..importing import (
    Layout,
    guess_prices,
    guess_symbol_column,
    guess_volume,
    named_table,
)

UNNAMED = "unnamed"  # the symbol of a frame that names none; trials on all such frames add up


def frame_tables(
    frame: Any, *, symbol: str | None = None, symbol_column: str | None = None
) -> dict[str, pl.DataFrame]:
    """A table for each symbol, in the order of their names, with the frame's own columns.

    Parameters
    ----------
    frame
        A pandas or polars table of one symbol; a mapping of such by symbol; a long table with a
        column of symbols; or a pandas table with columns on two levels, symbol and price in
        either order, as yfinance gives them. Of the last, rows in which a symbol has no price at
        all belong to other symbols, and are left out.
    symbol
        The symbol of a table that names none; by default "unnamed".
    symbol_column
        The column of symbols; by default one called symbol, ticker or the like.

    Raises
    ------
    DataError
        For what is no such table.
    ConfigError
        For a `symbol` beside those that the frame names itself.

    >>> table = pl.DataFrame({"timestamp": ["2026-01-05", "2026-01-05"], "ticker": ["B", "A"]})
    >>> {name: len(each) for name, each in frame_tables(table).items()}
    {'A': 1, 'B': 1}
    """
    if isinstance(frame, Mapping) and not hasattr(frame, "columns"):
        found = _of_mapping(frame)
    elif getattr(getattr(frame, "columns", None), "nlevels", 1) > 1:
        found = _of_two_levels(frame)
    else:
        found = _of_one(frame, symbol, symbol_column)
    if symbol is not None and set(found) != {symbol}:
        raise ConfigError(
            f"The frame names its symbols itself: {_listed(found)}. Leave symbol={symbol!r} out, "
            "or give the part of that symbol alone."
        )
    return {name: found[name] for name in sorted(found)}


def standard_table(table: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """The table with its columns named timestamp, open, high, low, close and volume.

    They are found by their names as `guess` finds them; `ConfigError` where a name is not sure.
    Times stay as they are written.
    """
    columns: dict[str, str] = {}
    prices = list(guess_prices(table, {}))
    taken = {str(each.value) for each in prices if each.value}
    for clue in (*prices, guess_volume(table, {}, taken, ".", "")):
        role = clue.setting.removeprefix("columns.")
        if clue.open:
            raise ConfigError(
                f"The frame of {symbol}: {clue.because} Rename the column that holds {role} to "
                f"{role!r}."
            )
        columns[role] = str(clue.value)
    return named_table(table, Layout(columns=columns), f"the frame of {symbol}")


def _of_mapping(frames: Mapping[Any, Any]) -> dict[str, pl.DataFrame]:
    if not frames:
        raise DataError("The mapping of frames is empty. Give a frame for at least one symbol.")
    found = {}
    for name, each in frames.items():
        if not isinstance(name, str) or not name:
            raise DataError(f"A frame is given for the symbol {name!r}. Name symbols as text.")
        found[name] = _table(each, f"the frame of {name}")
    return found


def _of_two_levels(frame: Any) -> dict[str, pl.DataFrame]:
    levels = [
        {str(each).lower() for each in frame.columns.get_level_values(level)}
        for level in range(frame.columns.nlevels)
    ]
    prices = [level for level, names in enumerate(levels) if names.issuperset(PRICES)]
    if len(levels) != 2 or len(prices) != 1:
        raise DataError(
            f"The frame has columns on {len(levels)} levels, such as {frame.columns[0]}, and "
            f"{len(prices)} of them hold {', '.join(PRICES)}. Give two levels, one of prices and "
            "one of symbols, as yfinance does, or a mapping of frames by symbol."
        )
    own = 1 - prices[0]
    found = {}
    for name in dict.fromkeys(frame.columns.get_level_values(own)):
        part = frame.xs(name, axis=1, level=own)
        priced = [column for column in part.columns if str(column).lower() in PRICES]
        found[str(name)] = _table(part.dropna(how="all", subset=priced), f"the frame of {name}")
    return found


def _of_one(frame: Any, symbol: str | None, column: str | None) -> dict[str, pl.DataFrame]:
    table = _table(frame, "the frame")
    clue = guess_symbol_column(table, {"symbol_column": column} if column else {}, set())
    if clue is None:
        return {symbol or UNNAMED: table}
    column = str(clue.value)
    if column not in table.columns:
        raise DataError(
            f"The frame has no column {column!r}. {did_you_mean(column, table.columns)}"
        )
    if table[column].null_count():
        raise DataError(
            f"The frame: {table[column].null_count():,} row(s) have no symbol in {column!r}. "
            "Remove them."
        )
    table = table.with_columns(pl.col(column).cast(pl.String).str.strip_chars())
    parts = table.partition_by(column, as_dict=True, include_key=False, maintain_order=True)
    return {str(name): part for (name,), part in parts.items()}


def _table(frame: Any, where: str) -> pl.DataFrame:
    if getattr(getattr(frame, "index", None), "nlevels", 1) > 1:  # such as (symbol, timestamp)
        frame = frame.reset_index()
    table = as_polars(frame, where)
    if not len(table):
        raise DataError(f"{where[:1].upper()}{where[1:]} has no rows. Give at least some bars.")
    return table


def _listed(names: Mapping[str, Any]) -> str:
    shown = ", ".join(list(names)[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
