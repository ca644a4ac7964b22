"""Bars of a higher timeframe, made one base bar at a time so that live equals history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit

from barstack.core.arrays import Array
from barstack.core.errors import ConfigError
from barstack.core.times import DAY_US, WEEK_US, format_duration

from ._bars import BAR, Bars, Panel, as_panel

_MONDAY = 4 * DAY_US  # 1970-01-05, so that weeks begin on Mondays

# Values of the forming bar's `volume` while no bar is forming. A bin that was under way at the
# first base bar is only partly seen, so it never becomes a bar.
_NONE_FORMING = -1.0
_BEFORE_FIRST = -2.0
_PARTLY_SEEN = -3.0


@njit(cache=True)
def _bin_of(bar, length_us, bin_times):
    """Write the start and end of the higher bar that `bar` falls into.

    Bins start at the session's open and end with its close at the latest, so a half day or the
    remainder of a day gives a shorter bar, never one that spans the night.
    """
    if length_us < DAY_US:
        start = bar.session_open
        start += (bar.opened_at - start) // length_us * length_us
        bin_times[0] = start
        bin_times[1] = min(start + length_us, bar.session_close)
    elif length_us == DAY_US:
        bin_times[0] = bar.session_open
        bin_times[1] = bar.session_close
    else:
        day_us = bar.session * DAY_US
        start = (day_us - _MONDAY) // length_us * length_us + _MONDAY
        bin_times[0] = start
        bin_times[1] = start + length_us


@njit(cache=True)
def _seen_from_its_start(bar, length_us, bin_start):
    """Whether no part of the bin precedes `bar`, the first there is.

    A week is seen from its start when its Monday is: a week whose Monday is a holiday is left out
    where a history begins, as holidays are not known here.
    """
    if length_us <= DAY_US:
        return bar.opened_at <= bin_start
    return bar.session * DAY_US == bin_start and bar.opened_at <= bar.session_open


@njit(cache=True)
def aggregate(forming, bars, length_us, closed, known_at_row):
    """Feed base bars into the forming higher bar; write those that close, return how many.

    forming       (1,) BAR, the unfinished higher bar between calls, first `no_bar_forming()`
    bars          (n,) BAR, base bars
    closed        (2 * n,) BAR, receives the higher bars that closed
    known_at_row  (2 * n,) receives the row of `bars` at which each could first be known

    A higher bar closes with the base bar that reaches its end, or, when bars are missing there,
    with the first base bar after it. A base bar that reaches past the end delays the close: an
    hourly bar of 11:00 to 12:00 falls into the two hours from 09:30, known at 12:00.

    Where the first base bar does not open with its higher bar, that one is left out, as its
    beginning is unknown. A first minute without a trade costs a history its first higher bar.
    """
    bin_times = np.empty(2, np.int64)
    part = forming[0]
    count = 0
    for row in range(len(bars)):
        bar = bars[row]
        _bin_of(bar, length_us, bin_times)
        if part.volume == _BEFORE_FIRST:
            if _seen_from_its_start(bar, length_us, bin_times[0]):
                part.volume = _NONE_FORMING
            else:
                part.volume, part.opened_at = _PARTLY_SEEN, bin_times[0]
        if part.volume == _PARTLY_SEEN:
            if bin_times[0] == part.opened_at:
                continue
            part.volume = _NONE_FORMING
        if part.volume >= 0.0 and bin_times[0] != part.opened_at:
            closed[count] = part
            known_at_row[count] = row
            count += 1
            part.volume = _NONE_FORMING
        if part.volume < 0.0:
            part.opened_at, part.closed_at = bin_times[0], bin_times[1]
            part.session = bar.session
            part.session_open, part.session_close = bar.session_open, bar.session_close
            part.open, part.high, part.low = bar.open, bar.high, bar.low
            part.volume = 0.0
        part.high = max(part.high, bar.high)
        part.low = min(part.low, bar.low)
        part.close = bar.close
        part.volume += bar.volume
        if bar.closed_at >= part.closed_at:
            part.closed_at = bar.closed_at
            closed[count] = part
            known_at_row[count] = row
            count += 1
            part.volume = _NONE_FORMING
    return count


def no_bar_forming() -> Array:
    """The state of `aggregate` before its first base bar."""
    forming = np.zeros(1, BAR)
    forming["volume"] = _BEFORE_FIRST
    return forming


def check_higher(base_us: int, length_us: int) -> None:
    """`ConfigError` unless bars of `length_us` can be made of bars of `base_us`.

    >>> check_higher(300_000_000, 3_600_000_000)  # hours of 5 minutes
    """
    fits = length_us % base_us == 0 and length_us > base_us
    if length_us >= DAY_US:
        fits = length_us > base_us and length_us % DAY_US == 0
    if DAY_US < length_us < WEEK_US or (length_us % WEEK_US and length_us > WEEK_US):
        fits = False
    if not fits:
        raise ConfigError(
            f"Cannot make {format_duration(length_us)} bars from {format_duration(base_us)} bars. "
            "Choose a whole multiple of the bar length, 1d, or whole weeks."
        )


def resample(panel: Bars | Panel, length_us: int) -> dict[str, Bars]:
    """Bars of a higher timeframe, made of all their base bars.

    A bar still forming at the end is left out, and so is one under way when the first base bar
    opens: half an hour or half a week must not pass as whole.

    length_us  length of the new bars in microseconds: a multiple of the base length, a day
               (one bar a session) or whole weeks

    >>> from barstack.testing import walk
    >>> resample(walk(bars=13), 3_600_000_000)["WALK"]
    Bars(WALK, 7 x 1h, 2026-01-05 14:30 UTC .. 2026-01-05 21:00 UTC)
    """
    resampled = {}
    for symbol, bars in as_panel(panel).items():
        check_higher(bars.length_us, length_us)
        closed = np.zeros(2 * len(bars), BAR)
        rows = np.empty(2 * len(bars), np.int64)
        count = aggregate(no_bar_forming(), bars.records, length_us, closed, rows)
        resampled[symbol] = replace(bars, length_us=length_us, records=closed[:count].copy())
    return resampled
