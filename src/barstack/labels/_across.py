"""Holdings across holes or bad prints: what they return says nothing about the horizon."""

from __future__ import annotations

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Bools
from barstack.core.horizon import Horizon
from barstack.core.times import DAY_US, KnownAt, parse_duration


def across_hole(bars: Bars, horizon: Horizon, known_at: KnownAt, max_gap: str | None) -> Bools:
    """(n_bars,) whether a hole or a bad print lies between each decision and its holding's end.

    known_at  (n_bars,) when holdings end; NaT while open, and so not across anything yet
    max_gap   what counts as a hole instead: neighbouring bars further apart than this
    """
    if max_gap is None:
        holes = bars.holes(_bars_in(bars, horizon))
    else:
        apart = np.diff(bars.closed_at, prepend=bars.closed_at[:1])
        holes = apart > np.timedelta64(parse_duration(max_gap), "us")
    passed = np.cumsum(holes | bars.prints)
    ended = ~np.isnat(known_at)
    # The last bar closed by then: a session's end may be known later than its last bar closes.
    exits = np.searchsorted(bars.closed_at, known_at[ended], side="right") - 1
    found = np.zeros(len(bars), bool)
    found[ended] = passed[exits] > passed[ended]
    return found


def _bars_in(bars: Bars, horizon: Horizon) -> int:
    """How many bars a horizon has where none is missing, by the first bar's session."""
    if horizon.unit == "bars":
        return horizon.count
    span_us = horizon.count * (DAY_US if horizon.unit == "sessions" else 1)
    if bars.length_us < DAY_US:
        first = bars.records[0]
        session_us = min(int(first["session_close"] - first["session_open"]), DAY_US)
        days, rest_us = divmod(span_us, DAY_US)
        span_us = days * session_us + min(rest_us, session_us)
    return max(span_us // bars.length_us, 1)
