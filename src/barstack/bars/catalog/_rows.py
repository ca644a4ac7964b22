"""New rows compared with stored ones: which are new, equal, or in conflict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from barstack.core.arrays import Bools, Ints
from barstack.core.errors import DataError
from barstack.core.times import DAY_US, format_duration, iso

from .._bars import COLUMNS, PRICES
from .._clocks import clock_of, ends_of
from .._columns import check_years, columns_of, first_row, stamps_of
from .._sessions import ALWAYS
from .._validation import check_length, check_order, check_prices
from ._facts import Facts
from ._parts import CANONICAL

_ENOUGH = 30  # rows that tell how long their bars are


@dataclass(frozen=True)
class Added:
    """Counts of the rows of one `add`.

    new      not stored before
    same     stored already, bit for bit
    revised  replaced stored rows of the same time
    """

    new: int
    same: int
    revised: int


@dataclass(frozen=True, eq=False)
class Overlap:
    """Given rows compared with stored ones.

    new      (n_given,) no bar of that time is stored
    differs  (n_given,) one is, with other values
    stored   the stored rows of the times in both
    given    the given ones, row by row
    """

    new: Bools
    differs: Bools
    stored: pl.DataFrame
    given: pl.DataFrame

    @classmethod
    def of(cls, stored: pl.DataFrame, given: pl.DataFrame) -> Overlap:
        """Compare two canonical tables."""
        stamps = stamps_of(given)
        both = np.isin(stamps, stamps_of(stored), assume_unique=True)
        ours = stored.filter(np.isin(stamps_of(stored), stamps, assume_unique=True))
        theirs = given.filter(both)
        differs = np.zeros(len(given), bool)
        differs[both] = np.any([(ours[name] != theirs[name]).to_numpy() for name in COLUMNS], 0)
        return cls(~both, differs, ours, theirs)

    @property
    def ratio(self) -> float | None:
        """Given over stored prices where it is one ratio other than 1 for all of them."""
        given, stored = (table.select(PRICES).to_numpy() for table in (self.given, self.stored))
        if not len(given):
            return None
        ratio = float(np.median(given / stored))
        spread = np.abs(given / stored / ratio - 1).max()  # prices are rounded after adjusting
        steady = spread < 0.005 and abs(ratio - 1) > 5 * spread + 1e-6
        return ratio if steady else None


def canonical(table: pl.DataFrame, symbol: str, facts: Facts, where: str) -> pl.DataFrame:
    """A table in the stored form, checked; `DataError` for one that cannot be stored."""
    if not isinstance(table, pl.DataFrame) or dict(table.schema) != dict(CANONICAL):
        found = getattr(table, "schema", type(table).__name__)
        raise DataError(
            f"{where}: {symbol} is given as {found}, not in the form that is stored. Make the "
            "table with barstack.bars.table_from_frame."
        )
    table = table.select(list(CANONICAL))
    if table.null_count().sum_horizontal().item():
        raise DataError(f"{where}: {symbol} has empty cells. Fill them or remove their rows.")
    check_years(table["timestamp"], where)
    stamps, length_us = stamps_of(table), facts.length_us
    check_order(stamps, symbol, where)
    check_prices(stamps, columns_of(table), symbol, where)
    clock = clock_of(stamps, length_us, facts.day_zone) if facts.calendar == ALWAYS else None
    check_length(stamps, symbol, length_us, facts.calendar, where, clock)
    _refuse_longer_bars(stamps, symbol, length_us, where)
    return table.with_columns(pl.col("volume") + 0.0)  # a volume of -0.0 is 0.0


def _refuse_longer_bars(stamps: Ints, symbol: str, length_us: int, where: str) -> None:
    # Hourly bars taken for bars of 5 minutes would each be known 55 minutes too early.
    if len(stamps) < _ENOUGH:
        return
    spacings, counts = np.unique(np.diff(stamps), return_counts=True)
    commonest = int(spacings[np.argmax(counts)])
    regular = counts.max() >= 0.5 * counts.sum()
    # A share that trades once a day, in the auction, has true bars of 5 minutes a day apart.
    once_a_day = commonest >= DAY_US and bool((stamps % DAY_US).any())
    if spacings[0] > length_us and regular and not once_a_day:
        raise DataError(
            f"{where}: no two of {len(stamps):,} bars of {symbol} are {format_duration(length_us)} "
            f"apart, most are {format_duration(commonest)}, the first at {iso(stamps[0])}. Bring "
            "longer bars into a collection of their own length."
        )


def refuse_conflicts(overlap: Overlap, symbol: str, where: str) -> None:
    """`DataError` where a stored row would change."""
    if not overlap.differs.any():
        return
    row = first_row(overlap.differs[~overlap.new])
    stored, given = overlap.stored.row(row, named=True), overlap.given.row(row, named=True)
    differ = [name for name in COLUMNS if stored[name] != given[name]]
    what = (
        f"{where}: {symbol} at {iso(stamps_of(overlap.given)[row])} is stored with "
        f"{_values(stored, differ)} and given with {_values(given, differ)}; "
        f"{int(overlap.differs.sum()):,} of {len(overlap.given):,} rows in both differ."
    )
    if overlap.ratio is not None:
        raise DataError(
            f"{what} All prices differ by one ratio, {overlap.ratio:.6g}: the source has "
            "re-adjusted its prices. Remove the symbol (Collection.remove) and fetch all of it "
            "again, or add its whole history with revise."
        )
    raise DataError(f"{what} Keep what is stored, or add with revise to replace it.")


def refuse_half_adjusted(
    overlap: Overlap, first_us: int, last_us: int, symbol: str, where: str
) -> None:
    """`DataError` where revising would leave a history adjusted in one part only.

    first_us, last_us  starts of the first and last stored bar

    A source that re-adjusts its prices changes all of them. Rows that reach one end of the stored
    range and not the other, all off by one ratio, are part of such a history: the seam would look
    like a crash. A range inside is a repair, and the whole range a new history: those pass.
    """
    ratio = overlap.ratio
    if ratio is None:
        return
    stamps = stamps_of(overlap.given)
    if (stamps[0] == first_us) != (stamps[-1] == last_us):
        raise DataError(
            f"{where}: the source has re-adjusted the prices of {symbol} (ratio {ratio:.6g}), and "
            f"these rows from {iso(stamps[0])} to {iso(stamps[-1])} are a part of what is stored, "
            f"{iso(first_us)} to {iso(last_us)}. Half of it would stay as it was. Remove the "
            "symbol (Collection.remove) and fetch all of it again, or add its whole history with "
            "revise."
        )


def refuse_overlaps(stamps: Ints, symbol: str, facts: Facts, where: str) -> None:
    """`DataError` where a stored bar and a given one overlap without being the same bar."""
    length_us = facts.length_us
    clock = clock_of(stamps, length_us, facts.day_zone)
    overlaps = stamps[1:] < ends_of(stamps, length_us, clock)[:-1]
    if (length_us < DAY_US or facts.calendar == ALWAYS) and overlaps.any():
        row = first_row(overlaps)
        raise DataError(
            f"{where}: bars of {symbol} at {iso(stamps[row])} and {iso(stamps[row + 1])} overlap, "
            f"each being {format_duration(length_us)} long; one is stored, one given. Check "
            "whether the source stamps bars with their end (stamp: close), or keep it in a "
            "collection of its own."
        )


def _values(row: dict[str, Any], names: list[str]) -> str:
    # Every digit: two sources may differ in the last.
    return ", ".join(f"{name} {row[name]!r}" for name in names)
