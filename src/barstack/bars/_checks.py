"""What a series of bars must be. Each check refuses with the symbol, the row and its values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from barstack.core.errors import DataError
from barstack.core.times import DAY_US, format_duration, iso

from ._bars import PRICES
from ._sessions import ALWAYS

COLUMNS = (*PRICES, "volume")


def check_order(stamps: npt.NDArray[np.int64], symbol: str, where: str) -> None:
    """Times rise, each once."""
    steps = np.diff(stamps)
    for wrong, what, mend in (
        (steps < 0, "goes back in time", "Sort the rows by time"),
        (steps == 0, "repeats the time of the row before", "Remove duplicates, keeping one"),
    ):
        if wrong.any():
            row = first_row(wrong) + 1
            at = iso(np.datetime64(int(stamps[row]), "us"))
            raise DataError(
                f"{where}: row {row} of {symbol} ({at}) {what}; "
                f"{int(wrong.sum())} such row(s) in all. {mend}."
            )


def check_prices(
    stamps: npt.NDArray[np.int64],
    columns: dict[str, npt.NDArray[np.float64]],
    symbol: str,
    where: str,
) -> None:
    """Finite positive prices, none outside its bar's low and high, no negative volume."""

    def refuse(wrong: npt.NDArray[np.bool_], what: str) -> None:
        if wrong.any():
            row = first_row(wrong)
            values = ", ".join(f"{name} {columns[name][row]:g}" for name in COLUMNS)
            at = iso(np.datetime64(int(stamps[row]), "us"))
            raise DataError(
                f"{where}: row {row} of {symbol} ({at}) has {what}: {values}; "
                f"{int(wrong.sum())} such row(s) in all. Repair or remove them."
            )

    high, low = columns["high"], columns["low"]
    for name in COLUMNS:
        refuse(~np.isfinite(columns[name]), f"no finite {name}")
    for name in PRICES:
        refuse(columns[name] <= 0, f"a {name} that is not positive")
    refuse(columns["volume"] < 0, "a negative volume")
    refuse(high < low, "a high below its low")
    for name in ("open", "close"):
        outside = (columns[name] > high) | (columns[name] < low)
        refuse(outside, f"a {name} outside its low and high")


def commonest_spacing(stamps: npt.NDArray[np.int64], symbol: str, where: str) -> int:
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
    stamps: npt.NDArray[np.int64], symbol: str, length_us: int, calendar: str, where: str
) -> None:
    """No bar begins before the one before it ends, and none is longer than its session."""
    if length_us > DAY_US and calendar != ALWAYS:
        raise DataError(
            f"{where}: bars of {symbol} are {format_duration(length_us)} long, longer than a "
            f"session of {calendar}. Give daily bars and resample them, or use calendar: {ALWAYS}."
        )
    overlaps = np.diff(stamps) < length_us
    if length_us < DAY_US and overlaps.any():  # days and months differ in length
        row = first_row(overlaps) + 1
        raise DataError(
            f"{where}: row {row} of {symbol} ({iso(np.datetime64(int(stamps[row]), 'us'))}) begins "
            f"before the bar before it ends, {format_duration(length_us)} after its start; "
            f"{int(overlaps.sum())} such row(s) in all. Remove them, or say how long a bar is "
            "with bar: 5min."
        )


def first_row(wrong: Any) -> int:
    """Row of the first that is true."""
    return int(np.argmax(np.asarray(wrong)))
