"""What a series of bars must be. Reading refuses the first violation; the checks list them all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Bools, Ints
from barstack.core.errors import DataError
from barstack.core.times import DAY_US, format_duration, iso
from barstack.core.warn import warn

from ._bars import COLUMNS, PRICES, Columns
from ._clocks import clock_of, ends_of, newest_is_off
from ._sessions import ALWAYS, sessions

_CLOCK_SKEW_US = 60_000_000  # between the clock of the source and ours


@dataclass(frozen=True, eq=False)
class Violation:
    """One rule that rows of a table break.

    name    of the check that finds it
    rows    (n_rows,) the rows that break it
    what    in words, such as "has a high below its low"
    remedy  what to do
    """

    name: str
    rows: Bools
    what: str
    remedy: str = "Repair or remove them"
    shows_values: bool = True


def order_violations(stamps: Ints) -> Iterator[Violation]:
    """Rows whose time does not rise, or repeats."""
    steps = np.diff(stamps, prepend=stamps[:1] - 1)
    yield Violation("time_order", steps < 0, "goes back in time", "Sort the rows by time", False)
    repeats = "repeats the time of the row before"
    yield Violation("duplicates", steps == 0, repeats, "Remove duplicates, keeping one", False)


def price_violations(columns: Columns) -> Iterator[Violation]:
    """Rows without finite positive prices between low and high, or with a negative volume."""
    high, low = columns["high"], columns["low"]
    for name in COLUMNS:
        yield Violation("not_a_number", ~np.isfinite(columns[name]), f"has no finite {name}")
    for name in PRICES:
        yield Violation("not_positive", columns[name] <= 0, f"has a {name} that is not positive")
    yield Violation("negative_volume", columns["volume"] < 0, "has a negative volume")
    yield Violation("price_order", high < low, "has a high below its low")
    for name in ("open", "close"):
        outside = (columns[name] > high) | (columns[name] < low)
        yield Violation("price_order", outside, f"has a {name} outside its low and high")


def length_violations(stamps: Ints, length_us: int) -> Iterator[Violation]:
    """Intraday bars that overlap; daily bars are checked against their calendar."""
    if length_us < DAY_US:
        yield _overlaps(stamps, length_us, clock_of(stamps, length_us))


def _overlaps(starts: Ints, length_us: int, clock: str | None) -> Violation:
    overlaps = np.zeros(len(starts), bool)
    overlaps[1:] = starts[1:] < ends_of(starts, length_us, clock)[:-1]
    return Violation(
        "overlaps",
        overlaps,
        f"begins before the bar before it ends, {format_duration(length_us)} after its start",
        "Remove them, as a live row is, or set how long a bar is with bar: 5min",
        False,
    )


def check_order(stamps: Ints, symbol: str, where: str) -> None:
    """`DataError` unless times rise, each once."""
    _refuse_first(order_violations(stamps), stamps, {}, symbol, where)


def check_prices(stamps: Ints, columns: Columns, symbol: str, where: str) -> None:
    """`DataError` unless every bar could have been traded."""
    _refuse_first(price_violations(columns), stamps, columns, symbol, where)


def _refuse_first(
    violations: Iterable[Violation], stamps: Ints, columns: Columns, symbol: str, where: str
) -> None:
    for each in violations:
        if each.rows.any():
            row = int(np.argmax(each.rows))
            values = f": {values_at(columns, row)}" if each.shows_values else ""
            raise DataError(
                f"{where}: row {row} of {symbol} ({iso(stamps[row])}) {each.what}{values}; "
                f"{int(each.rows.sum())} such row(s) in all. {each.remedy}."
            )


def values_at(columns: Columns, row: int) -> str:
    """Prices and volume of one row.

    >>> values_at({name: np.array([2.5]) for name in COLUMNS}, 0)
    'open 2.5, high 2.5, low 2.5, close 2.5, volume 2.5'
    """
    return ", ".join(f"{name} {columns[name][row]:g}" for name in COLUMNS)


def commonest_spacing(stamps: Ints, symbol: str, where: str) -> int:
    """Microseconds between most bars and the next."""
    if len(stamps) < 2:
        raise DataError(
            f"{where}: {symbol} has one bar, too few to see how long a bar is. "
            "Give more bars, or set it with bar: 5min."
        )
    spacings, counts = np.unique(np.diff(stamps), return_counts=True)
    length_us = int(spacings[np.argmax(counts)])
    if counts.max() < 0.2 * counts.sum():
        raise DataError(
            f"{where}: bars of {symbol} have no regular spacing; the commonest, "
            f"{format_duration(length_us)}, holds for {counts.max():,} of {counts.sum():,} steps. "
            "Set how long a bar is with bar: 5min."
        )
    return length_us


def check_length(
    starts: Ints, symbol: str, length_us: int, calendar: str, where: str, clock: str | None = None
) -> None:
    """`DataError` for bars that overlap, or that are longer than a session.

    clock  of bars longer than an hour, see `ends_of`
    """
    if length_us > DAY_US and calendar != ALWAYS:
        raise DataError(
            f"{where}: bars of {symbol} are {format_duration(length_us)} long, longer than a "
            f"session of {calendar}. Give daily bars and resample them, or use calendar: {ALWAYS}."
        )
    usual_us = int(np.median(np.diff(starts))) if len(starts) > 1 else length_us
    if length_us >= DAY_US and usual_us < 0.75 * length_us:
        raise DataError(
            f"{where}: bars of {symbol} are mostly {format_duration(usual_us)} apart, the first at "
            f"{iso(starts[0])}, which is not {format_duration(length_us)}. Set how long they are "
            "with bar: 5min; a collection holds bars of one length."
        )
    if length_us < DAY_US or calendar == ALWAYS:
        _refuse_first([_overlaps(starts, length_us, clock)], starts, {}, symbol, where)


def refuse_live_row(
    stamps: Ints, symbol: str, length_us: int, calendar: str, clock: str | None, where: str
) -> None:
    """`DataError` where the last row alone is off the grid of all others.

    Many sources append the current price as one more row, stamped with the current time.
    """
    if not newest_is_off(stamps, length_us, clock):
        return
    if calendar != ALWAYS and length_us == DAY_US:
        _, opens, closes, _ = sessions(calendar).locate(stamps[-1:] - 1, length_us)
        if stamps[-1] in (opens[0], closes[0]):  # such as the close of a half day
            return
    raise DataError(
        f"{where}: the newest row of {symbol}, {iso(stamps[-1])}, lies off the grid that the bars "
        f"before it keep, the last of them at {iso(stamps[-2])}: it is a live price, no bar of "
        f"{format_duration(length_us)}. Remove it."
    )


def refuse_forming(
    starts: Ints, symbol: str, length_us: int, calendar: str, clock: str | None, where: str
) -> None:
    """`DataError` where the last bar has not ended yet; a warning where it lies in the future."""
    now_us = time.time_ns() // 1000
    start_us = int(starts[-1])
    end_us = int(ends_of(starts[-1:], length_us, clock)[0])
    if calendar != ALWAYS:
        _, _, closes, inside = sessions(calendar).locate(starts[-1:], length_us)
        if inside[0]:
            end_us = int(closes[0]) if length_us >= DAY_US else min(end_us, int(closes[0]))
    if end_us <= now_us + min(_CLOCK_SKEW_US, length_us // 2):
        return
    now = iso(now_us // 1_000_000 * 1_000_000)
    if start_us <= now_us:
        raise DataError(
            f"{where}: the newest bar of {symbol}, from {iso(start_us)} to {iso(end_us)}, is still "
            f"forming: it is {now}. Remove it, or wait for its end."
        )
    warn(
        f"{where}: bars of {symbol} go on to {iso(end_us)}, which lies ahead: it is {now}. Look at "
        "their years and their timezone."
    )
