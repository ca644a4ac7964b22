"""Whether later rows still agree with what was guessed from the first."""

from __future__ import annotations

import numpy as np

from barstack.core.errors import DataError
from barstack.core.times import DAY_US, iso

from .._sessions import ALWAYS
from ..reading import MARKETS, Reading, fit


def check_agrees(
    stamps: np.ndarray, symbol: str, length_us: int, reading: Reading, where: str
) -> None:
    """`DataError` when bars lie outside the hours in which those looked at before lay.

    stamps  starts of the bars, microseconds UTC
    """
    if reading.calendar == ALWAYS or length_us >= DAY_US or not len(stamps):
        return
    fits = [
        fit([stamps], length_us, market, None, "open")
        for market in MARKETS
        if (market.calendar, market.hours) == (reading.calendar, reading.hours)
    ]
    for each in fits:
        another_clock = reading.timezone is not None and each.odd_weeks > 1
        if each.stray > max(2, 0.1 * each.days) or another_clock:
            first = iso(np.datetime64(int(stamps[0]), "us"))
            raise DataError(
                f"{where}: on {each.stray:,} of {each.days:,} days from {first} bars of {symbol} "
                f"lie outside {each.market.trades}, unlike those from which calendar, timezone and "
                "stamps were guessed. Say --calendar, --hours, --timezone and --stamp, or bring "
                "this file in by itself."
            )
