"""The shape of holes, and whether bars are missing or were left out where nothing traded."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.times import DAY_US, format_duration

from ._subject import Subject

_REGULAR = 0.15  # of the time between two holes, within which most others lie
_RHYTHMS = ((1, "daily"), (7, "weekly"), (30.4, "monthly"), (91.3, "quarterly"), (365.25, "yearly"))
_NEAR = 20  # bars on either side that say how much usually trades
_DEVIATIONS = 3.0  # by which the bars beside holes must be quieter than chance makes them
_LEAST = 0.25  # of the median volume: where the least is more, no bar lacks all trade
_SHORT = 3  # bars: where most holes are longer, they are no pauses between trades


def shape(begins: Ints, counts: Ints, lasts: Callable[[int], str]) -> str:
    """A sentence: how many holes, how long, and how often.

    begins  (n_holes,) microseconds UTC
    counts  (n_holes,) how many bars, or sessions, each lacks
    lasts   so many of them in words
    """
    least, usual, most = (int(each) for each in np.quantile(counts, [0, 0.5, 1], method="lower"))
    each = lasts(least) if least == most else f"{lasts(least)} to {lasts(most)}"
    if len(counts) == 1:
        return f"It is 1 hole of {each}."
    if most > 2 * least and (counts == usual).mean() > 0.5:
        each += f", most of {lasts(usual)}"
    return f"They are {len(counts):,} holes of {each}{_rhythm(begins)}."


def of_bars(subject: Subject, at: Ints) -> str:
    """The shape of missing bars: those with no bar between them are one hole."""
    _, first, counts = np.unique(
        np.searchsorted(subject.opened_at, at), return_index=True, return_counts=True
    )
    length_us = subject.bars.length_us
    return shape(at[first], counts, lambda count: _about(count * length_us))


def of_sessions(subject: Subject, days: Ints, unit: str) -> str:
    """The shape of missing sessions: those that follow one another are one hole."""
    row = np.searchsorted(subject.expected.day, days)
    first = np.flatnonzero(np.diff(row, prepend=-2) > 1)
    counts = np.diff(np.append(first, len(row)))
    begins = subject.expected.open[row[first]]
    return shape(begins, counts, lambda count: f"{count:,} {unit if count > 1 else unit[:-1]}")


def _about(lasts_us: int) -> str:
    """A duration in its largest unit, such as 45d."""
    for unit in (DAY_US, DAY_US // 24, DAY_US // 1440):
        if lasts_us >= 2 * unit:
            return format_duration(round(lasts_us / unit) * unit)
    return format_duration(lasts_us)


def _rhythm(begins: Ints) -> str:
    """How often they come, where they come regularly."""
    steps = np.diff(begins)
    if len(steps) < 2:
        return ""
    usual = float(np.median(steps))
    if (np.abs(steps - usual) <= _REGULAR * usual).mean() < 0.7:
        return ""
    for days, name in _RHYTHMS:
        if abs(usual / DAY_US / days - 1) <= _REGULAR:
            return f", {name}"
    return f", every {_about(int(usual))}"


def left_out(subject: Subject, at: Ints) -> bool:
    """Whether the source leaves out bars in which nothing traded, by what lies beside the holes.

    Where nothing traded, hardly anything trades just before and just after: the bars beside are
    among the quietest of those near them, and the least volume of all is little. Where bars got
    lost, those beside the hole are like any others. Without volume the range of bars tells.
    """
    if subject.has_volume and subject.volume.min() == 0:
        return False  # the source has bars in which nothing traded
    sizes = subject.volume if subject.has_volume else subject.logs["high"] - subject.logs["low"]
    if subject.has_volume and sizes.min() > _LEAST * np.median(sizes):
        return False
    after, lengths = np.unique(np.searchsorted(subject.opened_at, at), return_counts=True)
    if np.median(lengths) > _SHORT:
        return False
    beside = np.unique(np.concatenate([after - 1, after]))
    beside = beside[(beside >= 0) & (beside < len(sizes))]
    # Ranks are uniform where the holes lie anywhere: deviation 1 / sqrt(12).
    surprise = (0.5 - float(_ranks(sizes, beside).mean())) * math.sqrt(12 * len(beside))
    return surprise > _DEVIATIONS


def _ranks(sizes: Floats, rows: Ints) -> Floats:
    """(len(rows),) share of the bars near each that are smaller; half of those that are equal."""
    width = min(2 * _NEAR + 1, len(sizes))
    windows = np.lib.stride_tricks.sliding_window_view(sizes, width)
    own = windows[np.clip(rows - _NEAR, 0, len(windows) - 1)]
    below: Bools = own < sizes[rows, None]
    equal: Bools = own == sizes[rows, None]
    return np.asarray((below.sum(axis=1) + 0.5 * (equal.sum(axis=1) - 1)) / (width - 1))
