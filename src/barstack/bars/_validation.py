"""The newest row of a table may be a live price: a bar that is still forming, or none at all."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.errors import DataError
from barstack.core.times import DAY_US, format_duration, iso

from ._bars import PRICES
from ._clocks import clock_of, ends_of, newest_is_off
from ._sessions import ALWAYS, sessions

COLUMNS = (*PRICES, "volume")

Columns = dict[str, Floats]


@dataclass(frozen=True, eq=False)
class Fault:
    """One kind of thing that is wrong with a table.

    name  of the check that finds it
    rows  (n_rows,) which rows are wrong
    what  in words, such as "has a high below its low"
    mend  what to do
    """

    name: str
    rows: Bools
    what: str
    mend: str = "Repair or remove them"
    shows_values: bool = True


def order_faults(stamps: Ints) -> Iterator[Fault]:
    """Times rise, each once."""
    steps = np.diff(stamps, prepend=stamps[:1] - 1)
    yield Fault("time_order", steps < 0, "goes back in time", "Sort the rows by time", False)
    repeats = "repeats the time of the row before"
    yield Fault("duplicates", steps == 0, repeats, "Remove duplicates, keeping one", False)


def price_faults(columns: Columns) -> Iterator[Fault]:
    """Finite positive prices, none outside its bar's low and high, no negative volume."""
    high, low = columns["high"], columns["low"]
    for name in COLUMNS:
        yield Fault("not_a_number", ~np.isfinite(columns[name]), f"has no finite {name}")
    for name in PRICES:
        yield Fault("not_positive", columns[name] <= 0, f"has a {name} that is not positive")
    yield Fault("negative_volume", columns["volume"] < 0, "has a negative volume")
    yield Fault("price_order", high < low, "has a high below its low")
    for name in ("open", "close"):
        outside = (columns[name] > high) | (columns[name] < low)
        yield Fault("price_order", outside, f"has a {name} outside its low and high")


def length_faults(stamps: Ints, length_us: int) -> Iterator[Fault]:
    """No bar begins before the one before it ends; days by session are told by their calendar."""
    if length_us < DAY_US:
        yield overlap_fault(stamps, length_us, clock_of(stamps, length_us))


def overlap_fault(starts: Ints, length_us: int, clock: str | None) -> Fault:
    """Which bars begin before the one before them ends, on the clock that they keep."""
    overlaps = np.zeros(len(starts), bool)
    overlaps[1:] = starts[1:] < ends_of(starts, length_us, clock)[:-1]
    return Fault(
        "overlaps",
        overlaps,
        f"begins before the bar before it ends, {format_duration(length_us)} after its start",
        "Remove them, as a live row is, or say how long a bar is with bar: 5min",
        False,
    )


def check_order(stamps: Ints, symbol: str, where: str) -> None:
    """`DataError` unless times rise, each once."""
    _refuse_first(order_faults(stamps), stamps, {}, symbol, where)


def check_prices(stamps: Ints, columns: Columns, symbol: str, where: str) -> None:
    """`DataError` unless every bar could have been traded."""
    _refuse_first(price_faults(columns), stamps, columns, symbol, where)


def _refuse_first(
    faults: Iterator[Fault], stamps: Ints, columns: Columns, symbol: str, where: str
) -> None:
    for fault in faults:
        if fault.rows.any():
            row = first_row(fault.rows)
            values = f": {values_at(columns, row)}" if fault.shows_values else ""
            raise DataError(
                f"{where}: row {row} of {symbol} ({iso(np.datetime64(int(stamps[row]), 'us'))}) "
                f"{fault.what}{values}; {int(fault.rows.sum())} such row(s) in all. {fault.mend}."
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
            "Give more bars, or say it with bar: 5min."
        )
    spacings, counts = np.unique(np.diff(stamps), return_counts=True)
    length_us = int(spacings[np.argmax(counts)])
    if counts.max() < 0.2 * counts.sum():
        raise DataError(
            f"{where}: bars of {symbol} have no regular spacing; the commonest, "
            f"{format_duration(length_us)}, holds for {counts.max():,} of {counts.sum():,} steps. "
            "Say how long a bar is with bar: 5min."
        )
    return length_us


def check_length(
    starts: Ints, symbol: str, length_us: int, calendar: str, where: str, clock: str | None = None
) -> None:
    """No bar begins before the one before it ends, and none is longer than its session.

    clock  of bars longer than an hour, see `ends_of`
    """
    if length_us > DAY_US and calendar != ALWAYS:
        raise DataError(
            f"{where}: bars of {symbol} are {format_duration(length_us)} long, longer than a "
            f"session of {calendar}. Give daily bars and resample them, or use calendar: {ALWAYS}."
        )
    _refuse_shorter_days(starts, symbol, length_us, where)
    if length_us < DAY_US or calendar == ALWAYS:
        fault = overlap_fault(starts, length_us, clock)
        _refuse_first(iter([fault]), starts, {}, symbol, where)


def _refuse_shorter_days(starts: Ints, symbol: str, length_us: int, where: str) -> None:
    if length_us < DAY_US or len(starts) < 2:
        return
    usual = int(np.median(np.diff(starts)))
    if usual < 0.75 * length_us:
        raise DataError(
            f"{where}: bars of {symbol} are mostly {format_duration(usual)} apart, the first at "
            f"{iso(np.datetime64(int(starts[0]), 'us'))}, which is no "
            f"{format_duration(length_us)}. Say how long they are with bar: 5min; a collection "
            "holds bars of one length."
        )


def first_row(wrong: Any) -> int:
    """Row of the first that is true."""
    return int(np.argmax(np.asarray(wrong)))


# Two clocks, that of the source and ours, never agree to the second.
_CLOCKS_DIFFER_US = 60_000_000


def refuse_live_row(
    stamps: Ints, symbol: str, length_us: int, calendar: str, clock: str | None, where: str
) -> None:
    """`DataError` where the last row alone bears a time off the grid of all others.

    Many sources add the price of the moment as one more row, with the moment as its time.
    """
    if not newest_is_off(stamps, length_us, clock):
        return
    if calendar != ALWAYS and length_us == DAY_US:
        _, opens, closes, _ = sessions(calendar).locate(stamps[-1:] - 1, length_us)
        if stamps[-1] in (opens[0], closes[0]):  # such as the close of a half day
            return
    raise DataError(
        f"{where}: the newest row of {symbol}, {_at(stamps[-1])}, lies off the grid that the bars "
        f"before it keep, the last of them at {_at(stamps[-2])}: it is a live price, no bar of "
        f"{format_duration(length_us)}. Remove it."
    )


def refuse_forming(
    starts: Ints, symbol: str, length_us: int, calendar: str, clock: str | None, where: str
) -> None:
    """`DataError` where the last bar has begun and not ended; a warning where it lies ahead."""
    now_us = time.time_ns() // 1000
    start_us = int(starts[-1])
    end_us = int(ends_of(starts[-1:], length_us, clock)[0])
    if calendar != ALWAYS:
        _, _, closes, inside = sessions(calendar).locate(starts[-1:], length_us)
        if inside[0]:
            end_us = int(closes[0]) if length_us >= DAY_US else min(end_us, int(closes[0]))
    if end_us <= now_us + min(_CLOCKS_DIFFER_US, length_us // 2):
        return
    if start_us <= now_us:
        raise DataError(
            f"{where}: the newest bar of {symbol}, from {_at(start_us)} to {_at(end_us)}, is still "
            f"forming: it is {_at(now_us // 1_000_000 * 1_000_000)}. Remove it, or wait for its "
            "end."
        )
    warnings.warn(
        f"{where}: bars of {symbol} go on to {_at(end_us)}, which lies ahead: it is "
        f"{_at(now_us // 1_000_000 * 1_000_000)}. Look at their years and their timezone.",
        stacklevel=4,
    )


def _at(stamp: int) -> str:
    return iso(np.datetime64(int(stamp), "us"))
