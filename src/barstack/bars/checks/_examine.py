"""A raw table from anywhere, checked as far as it can be read: all faults, not only the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from barstack.core.arrays import Ints
from barstack.core.errors import DataError

from .._bars import Bars
from .._columns import as_polars, match_columns, numbers, utc_microseconds
from .._frames import bars_from_table, table_from_frame
from .._sessions import ALWAYS, sessions
from .._validation import COLUMNS, Columns, price_faults
from ._finding import NO_TIMES, Defect, Finding
from ._registry import find
from ._structure import structural


@dataclass(frozen=True, eq=False)
class Examined:
    """What became of one table.

    rows      of the table
    bars      what the door would let in once the structural faults are mended; None if nothing
    findings  structural ones first
    """

    symbol: str
    rows: int
    bars: Bars | None
    findings: list[Finding]


def examine(
    frame: Any,
    symbol: str,
    *,
    calendar: str = ALWAYS,
    hours: str = "regular",
    stamp: str = "open",
    timezone: str | None = None,
    length_us: int | None = None,
    levels: Mapping[str, str] | None = None,
) -> Examined:
    """All findings of one table, read as `bars_from_frame` reads it.

    Rows with structural faults are left out for the checks that come after, so that one look
    lists everything; nothing is written anywhere. Raises `DataError` only for a table whose
    columns or times cannot be read at all.
    """
    where = symbol
    given = as_polars(frame, where)
    named = match_columns(given, where)
    stamps = utc_microseconds(given[named["time"]], timezone, where)
    columns = {name: numbers(given[named[name]], where) for name in COLUMNS}
    findings = structural(stamps, columns, symbol, length_us=length_us) if len(stamps) else []
    sound = _sound_rows(stamps, columns) if findings else slice(None)
    start = pl.Series("timestamp", stamps[sound]).cast(pl.Datetime("us", "UTC"))
    rest = pl.DataFrame([start, *(pl.Series(name, columns[name][sound]) for name in COLUMNS)])
    try:
        table, length_us = table_from_frame(
            rest, symbol, calendar=calendar, stamp=stamp, length_us=length_us, where=where
        )
        bars = bars_from_table(
            table, symbol, length_us=length_us, calendar=calendar, hours=hours, where=where
        )
    except DataError as error:
        return Examined(symbol, len(stamps), None, findings or [_unreadable(symbol, error)])
    opened_at = table["timestamp"].to_physical().to_numpy()
    outside_at = _outside(opened_at, length_us, calendar, hours)
    found = find(
        bars, calendar=calendar, hours=hours, levels=levels, outside_at={symbol: outside_at}
    )
    return Examined(symbol, len(stamps), bars, findings + found)


def _sound_rows(stamps: Ints, columns: Columns) -> Any:
    """Rows without a fault of their own, in order of time, the first of those that share one."""
    wrong = np.logical_or.reduce([fault.rows for fault in price_faults(columns)])
    rows = np.flatnonzero(~wrong)
    _, first = np.unique(stamps[rows], return_index=True)
    return rows[first]


def _outside(opened_at: Ints, length_us: int, calendar: str, hours: str) -> Ints:
    *_, inside = sessions(calendar, hours).locate(opened_at, length_us)
    return opened_at[~inside] if len(opened_at) else NO_TIMES


def _unreadable(symbol: str, error: DataError) -> Finding:
    what, _, advice = str(error).removeprefix(f"{symbol}: ").rstrip(".").partition(". ")
    defect = Defect(1, "", f"{what}.", f"{advice}." if advice else "Mend the source.")
    return Finding.of(defect, "unreadable", symbol, "refuse")
