"""A raw table checked as far as it can be read: all findings, not only the first violation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.errors import DataError

from .._bars import Bars, Columns
from .._columns import read_columns, stamps_of, stored_table
from .._frames import bars_from_table, table_from_frame
from .._sessions import ALWAYS, sessions
from .._validation import price_violations
from ._finding import Defect, Finding
from ._registry import find
from ._structure import structural


@dataclass(frozen=True, eq=False)
class Examined:
    """The result of examining one table.

    rows      of the table
    bars      those left when rows with structural violations are dropped; None if nothing is
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

    Rows with structural violations are dropped for the checks that come after, so that one run
    lists everything; nothing is written anywhere. Raises `DataError` only for a table whose
    columns or times cannot be read at all.

    >>> from barstack.testing import sound_bars
    >>> from barstack.worlds import table_of
    >>> table = table_of(sound_bars()).with_columns(volume=-1.0)
    >>> [each.check for each in examine(table, "A", calendar="XNYS").findings][:1]
    ['negative_volume']
    """
    _, stamps, columns, _ = read_columns(frame, timezone, symbol)
    findings = structural(stamps, columns, symbol, length_us=length_us) if len(stamps) else []
    sound = _sound_rows(stamps, columns) if findings else slice(None)
    rest = stored_table(stamps[sound], {name: values[sound] for name, values in columns.items()})
    try:
        table, length_us = table_from_frame(
            rest, symbol, calendar=calendar, stamp=stamp, length_us=length_us, where=symbol
        )
        bars = bars_from_table(
            table, symbol, length_us=length_us, calendar=calendar, hours=hours, where=symbol
        )
    except DataError as error:
        return Examined(symbol, len(stamps), None, findings or [_unreadable(symbol, error)])
    starts = stamps_of(table)
    *_, inside = sessions(calendar, hours).locate(starts, length_us)
    found = find(
        bars,
        calendar=calendar,
        hours=hours,
        levels=levels,
        outside_at={symbol: starts[~inside]},
    )
    return Examined(symbol, len(stamps), bars, findings + found)


def _sound_rows(stamps: Ints, columns: Columns) -> Ints:
    """Rows without a violation of their own, in time order, the first of each time."""
    wrong = np.logical_or.reduce([each.rows for each in price_violations(columns)])
    rows = np.flatnonzero(~wrong)
    _, first = np.unique(stamps[rows], return_index=True)
    return rows[first]


def _unreadable(symbol: str, error: DataError) -> Finding:
    what, _, advice = str(error).removeprefix(f"{symbol}: ").rstrip(".").partition(". ")
    defect = Defect(1, "", f"{what}.", f"{advice}." if advice else "Correct the source.")
    return Finding.of(defect, "unreadable", symbol, "refuse")
