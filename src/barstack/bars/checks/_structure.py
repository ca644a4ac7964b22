"""All structural violations of a raw table, for which reading it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.errors import DataError
from barstack.core.times import iso

from .._bars import COLUMNS, Columns
from .._columns import first_row
from .._validation import (
    Violation,
    commonest_spacing,
    length_violations,
    order_violations,
    price_violations,
    values_at,
)
from ._finding import Defect, Finding

# Their level is always refuse: bars that fail them are meaningless.
STRUCTURAL = {
    "time_order": "times must rise",
    "duplicates": "a bar is there twice, with equal values",
    "contradictions": "one time has two bars with different values",
    "not_a_number": "prices and volume must be finite",
    "not_positive": "prices must be above zero",
    "negative_volume": "volume cannot be below zero",
    "price_order": "low <= open, close <= high",
    "overlaps": "no bar begins before the one before it ends",
    "irregular_spacing": "bars have one length",
    "unreadable": "the rows are no series of bars on this calendar",
}


def structural(
    stamps: Ints, columns: Columns, symbol: str, *, length_us: int | None = None
) -> list[Finding]:
    """Violations of a raw table, one finding for each kind; all of them refuse.

    stamps     (n_rows,) microseconds UTC, as the source has them, in its order
    columns    open, high, low, close and volume, each (n_rows,), NaN where there is none
    length_us  length of a bar; by default the commonest spacing

    >>> prices = dict.fromkeys(("open", "high", "low", "close", "volume"), np.ones(2))
    >>> [each.check for each in structural(np.array([300_000_000, 0]), prices, "A")]
    ['time_order']
    """
    order = np.argsort(stamps, kind="stable")
    rising = stamps[order]
    in_time = {name: columns[name][order] for name in COLUMNS}
    time_order = next(order_violations(stamps))
    found = [_defect(time_order, stamps, columns)] if time_order.rows.any() else []
    found += _repeats(rising, in_time)
    distinct = rising[np.diff(rising, prepend=rising[:1] - 1) > 0]
    lengths: Iterator[Violation] = iter(())
    try:
        lengths = length_violations(
            distinct, length_us or commonest_spacing(distinct, symbol, "the table")
        )
    except DataError as error:
        text, _, advice = str(error).removeprefix("the table: ").rpartition(". ")
        found.append(("irregular_spacing", Defect(len(distinct), "", f"{text}.", advice)))
    merged: dict[str, list[Violation]] = {}
    for violation in price_violations(in_time):
        if violation.rows.any():
            merged.setdefault(violation.name, []).append(violation)
    for violations in merged.values():
        rows = np.logical_or.reduce([violation.rows for violation in violations])
        whats = " or ".join(dict.fromkeys(violation.what for violation in violations))
        whole = Violation(violations[0].name, rows, whats, violations[0].remedy)
        found.append(_defect(whole, rising, in_time))
    found += [
        _defect(violation, distinct, {}) for violation in chain(lengths) if violation.rows.any()
    ]
    return [Finding.of(defect, name, symbol, "refuse") for name, defect in found]


def _defect(violation: Violation, stamps: Ints, columns: Columns) -> tuple[str, Defect]:
    row, count = first_row(violation.rows), int(violation.rows.sum())
    at = iso(stamps[row])
    values = values_at(columns, row) if violation.shows_values else f"row {row}"
    shown = f": {values}" if violation.shows_values else ""
    what = f"{count:,} row(s); the first, at {at}, {violation.what}{shown}."
    return violation.name, Defect(
        count, values, what, f"{violation.remedy}.", stamps[violation.rows]
    )


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
        what = f"{int(same.sum()):,} row(s) are there twice, with equal values."
        advice = "Remove duplicates, keeping one."
        yield "duplicates", Defect(int(same.sum()), "equal values", what, advice, stamps[same])
    other = repeats & ~same
    if other.any():
        row = first_row(other)
        pair = f"close {columns['close'][row - 1]:g} and {columns['close'][row]:g}"
        what = (
            f"{int(other.sum()):,} row(s) repeat a time with other values; at "
            f"{iso(stamps[row])} first {values_at(columns, row - 1)}, "
            f"then {values_at(columns, row)}."
        )
        advice = "Find out which is right; the table does not show it."
        yield "contradictions", Defect(int(other.sum()), pair, what, advice, stamps[other])
