"""Repairs that the user asks for; each says how many rows it touched."""

from __future__ import annotations

from itertools import chain
from typing import Literal

import numpy as np
import polars as pl

from barstack.core.errors import DataError
from barstack.core.spec import Spec

from .._validation import COLUMNS, length_faults, order_faults, price_faults
from ..checks import structural


class Repairs(Spec):
    """What may be done to a table that is not clean; by default nothing."""

    drop_bad_rows: bool = False  # without a time or a price, with prices that cannot be, overlaps
    keep: Literal["first", "last"] | None = None  # of several rows of one time
    sort: bool = False  # rows that are not in order of time

    @property
    def any(self) -> bool:
        """Whether anything may be done."""
        return self != Repairs()


def repaired(
    table: pl.DataFrame, repairs: Repairs, length_us: int
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The table after the repairs, and for each the rows it moved or dropped.

    table  `timestamp` (datetime64[us, UTC], null where there is none) and float64 prices, volume
    """
    done: dict[str, int] = {}

    def keep(rows: pl.DataFrame, wanted: np.ndarray, repair: str) -> pl.DataFrame:
        if not wanted.all():
            done[repair] = done.get(repair, 0) + int((~wanted).sum())
        return rows.filter(wanted)

    if repairs.drop_bad_rows:
        table = keep(table, table["timestamp"].is_not_null().to_numpy(), "drop_bad_rows")
        columns = {name: table[name].to_numpy() for name in COLUMNS}
        bad = np.logical_or.reduce([fault.rows for fault in price_faults(columns)])
        table = keep(table, ~bad, "drop_bad_rows")
    if repairs.sort and not table["timestamp"].is_sorted():
        order = table["timestamp"].arg_sort()
        done["sort"] = int((order.to_numpy() != np.arange(len(table))).sum())
        table = table.sort("timestamp", maintain_order=True)
    if repairs.keep is not None:
        table = keep(table, _kept(table["timestamp"], repairs.keep), f"keep_{repairs.keep}")
    if repairs.drop_bad_rows and len(table):
        for fault in length_faults(_stamps(table), length_us):
            table = keep(table, ~fault.rows, "drop_bad_rows")
    return table, done


def _kept(stamps: pl.Series, which: str) -> np.ndarray:
    kept = stamps.is_first_distinct() if which == "first" else stamps.is_last_distinct()
    return kept.to_numpy()


def _stamps(table: pl.DataFrame) -> np.ndarray:
    return table["timestamp"].to_physical().to_numpy()


def refuse_faults(
    table: pl.DataFrame, symbol: str, length_us: int, where: str, before_us: int | None
) -> None:
    """`DataError` that lists everything that is wrong, and the options that would repair it.

    before_us  the last stamp of what came before in the same file
    """
    columns = {name: table[name].to_numpy() for name in COLUMNS}
    stamps = _stamps(table)
    faults = chain(order_faults(stamps), price_faults(columns), length_faults(stamps, length_us))
    clean = not any(fault.rows.any() for fault in faults)  # the usual case, and far quicker
    found = [] if clean else structural(stamps, columns, symbol, length_us=length_us)
    lines = [f"  {each.check}: {each.what} {each.advice}" for each in found]
    options = {_OPTIONS[each.check] for each in found if each.check in _OPTIONS}
    if before_us is not None and len(stamps) and stamps[0] <= before_us:
        pair = np.array([before_us, stamps[0]])
        late = [fault for fault in order_faults(pair) if fault.rows.any()]
        lines += [f"  {fault.name}: the file's next part {fault.what}." for fault in late]
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
