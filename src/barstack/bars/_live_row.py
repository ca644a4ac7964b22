"""The newest row of a table may be a live price: a bar that is still forming, or none at all."""

from __future__ import annotations

import time
import warnings

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.errors import DataError
from barstack.core.times import DAY_US, format_duration, iso

from ._ends import ends_of, newest_is_off
from ._sessions import ALWAYS, sessions

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
