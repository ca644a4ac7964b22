"""Repairs that the user requests; each counts the rows it changed."""

from __future__ import annotations

from itertools import chain
from typing import Literal

import numpy as np
import polars as pl

from barstack.core.errors import DataError
from barstack.core.spec import Spec

from .._columns import columns_of, stamps_of
from .._validation import length_violations, order_violations, price_violations
from ..checks import structural


class Repairs(Spec):
    """Repairs of a table that is not clean; by default none.

    >>> Repairs().any, Repairs(sort=True).any
    (False, True)
    """

    drop_bad_rows: bool = False  # without a time or a price, with prices that cannot be, overlaps
    keep: Literal["first", "last"] | None = None  # of several rows of one time
    sort: bool = False  # rows that are not in order of time

    @property
    def any(self) -> bool:
        """Whether any repair is requested."""
        return self != Repairs()


def repaired(
    table: pl.DataFrame, repairs: Repairs, length_us: int
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The table after the repairs, and the number of rows that each moved or dropped.

    table  `timestamp` (datetime64[us, UTC], null where there is none) and float64 prices, volume
    """
    done: dict[str, int] = {}

    def keep(rows: pl.DataFrame, wanted: np.ndarray, repair: str) -> pl.DataFrame:
        if not wanted.all():
            done[repair] = done.get(repair, 0) + int((~wanted).sum())
        return rows.filter(wanted)

    if repairs.drop_bad_rows:
        table = keep(table, table["timestamp"].is_not_null().to_numpy(), "drop_bad_rows")
        columns = columns_of(table)
        bad = np.logical_or.reduce([violation.rows for violation in price_violations(columns)])
        table = keep(table, ~bad, "drop_bad_rows")
    if repairs.sort and not table["timestamp"].is_sorted():
        order = table["timestamp"].arg_sort()
        done["sort"] = int((order.to_numpy() != np.arange(len(table))).sum())
        table = table.sort("timestamp", maintain_order=True)
    if repairs.keep is not None:
        stamps = table["timestamp"]
        first = repairs.keep == "first"
        kept = stamps.is_first_distinct() if first else stamps.is_last_distinct()
        table = keep(table, kept.to_numpy(), f"keep_{repairs.keep}")
    if repairs.drop_bad_rows and len(table):
        for violation in length_violations(stamps_of(table), length_us):
            table = keep(table, ~violation.rows, "drop_bad_rows")
    return table, done


def refuse_violations(
    table: pl.DataFrame, symbol: str, length_us: int, where: str, before_us: int | None
) -> None:
    """`DataError` that lists all violations, and the options that would repair them.

    before_us  the last stamp of the rows before in the same file
    """
    columns, stamps = columns_of(table), stamps_of(table)
    violations = chain(
        order_violations(stamps), price_violations(columns), length_violations(stamps, length_us)
    )
    clean = not any(
        violation.rows.any() for violation in violations
    )  # the usual case, and far quicker
    found = [] if clean else structural(stamps, columns, symbol, length_us=length_us)
    lines = [f"  {each.check}: {each.what} {each.advice}" for each in found]
    options = {_OPTIONS[each.check] for each in found if each.check in _OPTIONS}
    if before_us is not None and len(stamps) and stamps[0] <= before_us:
        pair = np.array([before_us, stamps[0]])
        late = [violation for violation in order_violations(pair) if violation.rows.any()]
        lines += [
            f"  {violation.name}: the file's next part {violation.what}." for violation in late
        ]
        options.add("--sort")
    if not lines:
        return
    listed = "\n".join(lines)
    ways = f"\nOr repair with {' '.join(sorted(options))}." if options else ""
    raise DataError(f"{where}: {symbol} is no clean series of bars:\n{listed}{ways}")


_OPTIONS = {
    "time_order": "--sort",
    "duplicates": "--keep first",
    "contradictions": "--keep last",
    "not_a_number": "--drop-bad-rows",
    "not_positive": "--drop-bad-rows",
    "negative_volume": "--drop-bad-rows",
    "price_order": "--drop-bad-rows",
    "overlaps": "--drop-bad-rows",
}
