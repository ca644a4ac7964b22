"""Stretches of time: what a collection lacks, and how far bars can be complete by now."""

from __future__ import annotations

import numpy as np

from barstack.core.times import DAY_US

from .._sessions import ALWAYS, sessions

Stretch = tuple[int, int]  # from (inclusive) to (exclusive), microseconds UTC

_MINUTE_US = 60_000_000


def missing(wanted: Stretch, covered: list[Stretch]) -> list[Stretch]:
    """What of `wanted` no stretch of `covered` (sorted, apart from each other) holds.

    >>> missing((0, 10), [(2, 4), (8, 12)])
    [(0, 2), (4, 8)]
    """
    found, at = [], wanted[0]
    for begin, end in covered:
        if begin >= wanted[1]:
            break
        if begin > at:
            found.append((at, begin))
        at = max(at, end)
    if at < wanted[1]:
        found.append((at, wanted[1]))
    return found


def complete_through(now_us: int, length_us: int, calendar: str) -> int:
    """Every bar that starts before this moment has closed at `now_us`.

    A daily bar closes with its session. Rounded down to the minute, so that requests read well.
    """
    if calendar != ALWAYS and length_us >= DAY_US:
        closes = sessions(calendar).close
        row = int(np.searchsorted(closes, now_us, side="right")) - 1
        return int(closes[row]) if row >= 0 else 0
    return (now_us - length_us) // _MINUTE_US * _MINUTE_US


def first_start(start_us: int, length_us: int, calendar: str) -> int:
    """Where to begin to ask for bars of sessions that open at or after `start_us`.

    Sources stamp a day with its date, with midnight at the exchange or with the open: all of
    these lie after the close of the session before.
    """
    if calendar == ALWAYS or length_us < DAY_US:
        return start_us
    closes = sessions(calendar).close
    row = int(np.searchsorted(closes, start_us, side="right")) - 1
    return int(closes[row]) if row >= 0 else start_us


def whole_days(stretches: list[Stretch]) -> int:
    """Days in all stretches together, rounded up: the unit of progress."""
    return -(-sum(end - begin for begin, end in stretches) // DAY_US)
