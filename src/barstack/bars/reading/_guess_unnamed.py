"""Columns without names: told by their order and by which is never below or above the others."""

from __future__ import annotations

import numpy as np
import polars as pl

from ._clue import Clue
from ._layout import ZEROS
from ._named import parse_numbers


def guess_unnamed(raw: pl.DataFrame, times: set[str], decimal: str, thousands: str) -> list[Clue]:
    """Open, high, low, close and volume of a table without a header.

    The order open, high, low, close is everybody's; high and low must prove it.
    """
    after = max((raw.columns.index(name) for name in times), default=-1) + 1
    names = raw.columns[after : after + 5]
    values = []
    for name in names:
        column = raw[name]
        read = column if column.dtype.is_numeric() else parse_numbers(column, decimal, thousands)
        values.append(read.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    if len(values) < 4:
        return []
    opens, highs, lows, closes = values[:4]
    whole = np.isfinite(opens + highs + lows + closes)
    bounded = (
        (highs >= np.maximum(opens, closes)) & (lows <= np.minimum(opens, closes)) & (lows <= highs)
    )
    if not whole.any() or not bounded[whole].mean() > 0.99:
        return []
    because = "By place: the second of the prices is the highest, the third the lowest."
    found = [
        Clue(f"columns.{role}", name, because, "likely")
        for role, name in zip(("open", "high", "low", "close"), names, strict=False)
    ]
    if len(names) == 5 and not (values[4][whole] < 0).any():
        found.append(Clue("columns.volume", names[4], "It follows the prices.", "likely"))
    elif len(names) == 4:
        found.append(Clue("columns.volume", ZEROS, "Nothing follows the prices.", "likely"))
    return found
