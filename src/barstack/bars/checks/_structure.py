"""Everything that the door would refuse in a raw table, listed at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.errors import DataError
from barstack.core.times import iso

from .._validation import (
    COLUMNS,
    Columns,
    Fault,
    commonest_spacing,
    first_row,
    length_faults,
    order_faults,
    price_faults,
    values_at,
)
from ._finding import Defect, Finding

# They cannot be weakened: bars that fail them mean nothing.
STRUCTURAL = {
    "time_order": "times must rise",
    "duplicates": "a bar stands twice, with equal values",
    "contradictions": "one time has two bars with different values",
    "not_a_number": "prices and volume must be finite",
    "not_positive": "prices must be above zero",
    "negative_volume": "volume cannot be below zero",
    "price_order": "low <= open, close <= high",
    "overlaps": "no bar begins before the one before it ends",
    "irregular_spacing": "bars have one length",
    "unreadable": "the rows make no series of bars on this calendar",
}


def structural(
    stamps: Ints, columns: Columns, symbol: str, *, length_us: int | None = None
) -> list[Finding]:
    """What is wrong with a raw table, one finding a kind; all of them refuse.

    stamps     (n_rows,) microseconds UTC, as the source has them, in its order
    columns    open, high, low, close and volume, each (n_rows,), NaN where there is none
    length_us  length of a bar; by default the commonest spacing
    """
    order = np.argsort(stamps, kind="stable")
    rising = stamps[order]
    in_time = {name: columns[name][order] for name in COLUMNS}
    time_order = next(order_faults(stamps))
    found = [_defect(time_order, stamps, columns)] if time_order.rows.any() else []
    found += _repeats(rising, in_time)
    distinct = rising[np.diff(rising, prepend=rising[:1] - 1) > 0]
    lengths: Iterator[Fault] = iter(())
    try:
        lengths = length_faults(
            distinct, length_us or commonest_spacing(distinct, symbol, "the table")
        )
    except DataError as error:
        text, _, advice = str(error).removeprefix("the table: ").rpartition(". ")
        found.append(("irregular_spacing", Defect(len(distinct), "", f"{text}.", advice)))
    merged: dict[str, list[Fault]] = {}
    for fault in price_faults(in_time):
        if fault.rows.any():
            merged.setdefault(fault.name, []).append(fault)
    for faults in merged.values():
        rows = np.logical_or.reduce([fault.rows for fault in faults])
        whats = " or ".join(dict.fromkeys(fault.what for fault in faults))
        whole = Fault(faults[0].name, rows, whats, faults[0].mend)
        found.append(_defect(whole, rising, in_time))
    found += [_defect(fault, distinct, {}) for fault in chain(lengths) if fault.rows.any()]
    return [Finding.of(defect, name, symbol, "refuse") for name, defect in found]


def _defect(fault: Fault, stamps: Ints, columns: Columns) -> tuple[str, Defect]:
    row, count = first_row(fault.rows), int(fault.rows.sum())
    at = iso(np.datetime64(int(stamps[row]), "us"))
    values = values_at(columns, row) if fault.shows_values else f"row {row}"
    shown = f": {values}" if fault.shows_values else ""
    what = f"{count:,} row(s); the first, at {at}, {fault.what}{shown}."
    return fault.name, Defect(count, values, what, f"{fault.mend}.", stamps[fault.rows])


def _repeats(stamps: Ints, columns: Columns) -> Iterator[tuple[str, Defect]]:
    """Rows that repeat a time: with the values of the row before them, or with others."""
    repeats = np.diff(stamps, prepend=stamps[:1] - 1) == 0
    if not repeats.any():
        return
    same = repeats.copy()
    for values in columns.values():
        before = np.roll(values, 1)
        same &= (values == before) | (np.isnan(values) & np.isnan(before))
    if same.any():
        what = f"{int(same.sum()):,} row(s) stand twice, with equal values."
        advice = "Remove duplicates, keeping one."
        yield "duplicates", Defect(int(same.sum()), "equal values", what, advice, stamps[same])
    other = repeats & ~same
    if other.any():
        row = first_row(other)
        pair = f"close {columns['close'][row - 1]:g} and {columns['close'][row]:g}"
        what = (
            f"{int(other.sum()):,} row(s) repeat a time with other values; at "
            f"{iso(np.datetime64(int(stamps[row]), 'us'))} first {values_at(columns, row - 1)}, "
            f"then {values_at(columns, row)}."
        )
        advice = "Find out which is right; nobody can tell from the table."
        yield "contradictions", Defect(int(other.sum()), pair, what, advice, stamps[other])
