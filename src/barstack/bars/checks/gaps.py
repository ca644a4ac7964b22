"""Bars that the calendar expects and that are missing, and bars outside its sessions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.text import listed
from barstack.core.times import DAY_US, format_duration, iso

from .._sessions import ALWAYS
from ._finding import Defect
from ._registry import check
from ._subject import Subject

_REGULAR = 0.15  # of the time between two holes, within which most others lie
_PERIODS = ((1, "daily"), (7, "weekly"), (30.4, "monthly"), (91.3, "quarterly"), (365.25, "yearly"))
_NEAR = 20  # bars on either side that show the usual volume
_DEVIATIONS = 3.0  # by which the bars beside holes must be quieter than chance makes them
_LEAST_VOLUME = 0.25  # of the median volume: if the least is more, all bars have trades
_SHORT = 3  # bars: most holes that are longer are no pauses between trades


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
    return f"They are {len(counts):,} holes of {each}{_period(begins)}."


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


def _period(begins: Ints) -> str:
    """How often they come, where they come regularly."""
    steps = np.diff(begins)
    if len(steps) < 2:
        return ""
    usual = float(np.median(steps))
    if (np.abs(steps - usual) <= _REGULAR * usual).mean() < 0.7:
        return ""
    for days, name in _PERIODS:
        if abs(usual / DAY_US / days - 1) <= _REGULAR:
            return f", {name}"
    return f", every {_about(int(usual))}"


def left_out(subject: Subject, at: Ints) -> bool:
    """Whether the source omits bars in which nothing traded, judged by the bars beside holes.

    Where nothing traded, hardly anything trades just before and just after: the bars beside are
    among the quietest of those near them, and the least volume of all is little. Where bars got
    lost, those beside the hole are like any others. Without volume the range of bars tells.
    """
    if subject.has_volume and subject.volume.min() == 0:
        return False  # the source has bars in which nothing traded
    sizes = subject.volume if subject.has_volume else subject.logs["high"] - subject.logs["low"]
    if subject.has_volume and sizes.min() > _LEAST_VOLUME * np.median(sizes):
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


_NAMED = 4


@check("warn", "whole sessions of the calendar without a bar")
def missing_sessions(subject: Subject) -> Defect | None:
    """Sessions between the first bar and the last that have no bar at all."""
    gaps = subject.gaps
    days = np.unique(gaps.session[gaps.whole])
    if not len(days):
        return None
    due = len(subject.expected.day)
    at = subject.expected.open[np.searchsorted(subject.expected.day, days)]
    unit = "days" if subject.calendar == ALWAYS else f"sessions of {subject.calendar}"
    thin = len(np.intersect1d(days, subject.session))
    but = f" but for a few bars on {thin:,} of them" if thin else ""
    lost = int(gaps.whole.sum())
    return Defect(
        count=len(days),
        values=f"{len(days):,} of {due:,}: {_dates(days)}",
        what=(
            f"{len(days):,} of {due:,} {unit} ({_bars(lost)}) are missing{but}: {_dates(days)}. "
            + of_sessions(subject, days, unit.split(maxsplit=1)[0])
        ),
        advice=_whole_days_advice(subject, days),
        at=at,
    )


def _whole_days_advice(subject: Subject, days: Ints) -> str:
    weekend = (days + 3) % 7 >= 5
    if subject.calendar == ALWAYS and weekend.mean() > 0.9 and len(days) > 1:
        return "They are weekends: name the calendar that the symbol trades on, such as FX."
    return "Fetch them again; where the market was shut, name the calendar that knows it."


def _bars(count: int) -> str:
    return "1 bar" if count == 1 else f"{count:,} bars"


def _dates(days: Ints) -> str:
    return listed(list(days.astype("datetime64[D]")), _NAMED)


@check("warn", "times of day inside the sessions that the source hardly ever covers")
def missing_hours(subject: Subject) -> Defect | None:
    """Stretches of the session that are empty day after day: a break, or hours left out."""
    gaps = subject.gaps
    if not gaps.never.any():
        return None
    at = gaps.at[gaps.never]
    shown = _times_of_day(subject)
    return Defect(
        count=len(at),
        values=shown,
        what=f"Hardly any day has a bar at {shown}; {len(at):,} bars by the calendar.",
        advice="A daily break is no fault; if the market trades then, the source leaves hours out.",
        at=at,
    )


def _times_of_day(subject: Subject) -> str:
    """The stretches by the market's own clock, as on the last full day that lacks them."""
    gaps, length_us = subject.gaps, subject.bars.length_us
    inner = (gaps.session != subject.session[0]) & (gaps.session != subject.session[-1])
    days, counts = np.unique(gaps.session[gaps.never & inner], return_counts=True)
    day = days[counts == counts.max()][-1]
    at = gaps.at[gaps.never & (gaps.session == day)]
    edges = np.flatnonzero(np.diff(at) > length_us) + 1
    shown = [
        f"{subject.clock(part[0])}-{subject.clock(part[-1] + length_us)}"
        for part in np.split(at, edges)
    ]
    return f"{listed(shown, 3)} {subject.zone.key}"


@check("warn", "single bars missing inside sessions")
def missing_bars(subject: Subject) -> Defect | None:
    """Bars missing at times of day that other days cover."""
    gaps = subject.gaps
    missing = ~gaps.whole & ~gaps.never
    count = int(missing.sum())
    if not count:
        return None
    at = gaps.at[missing]
    due = count + len(subject)
    _, first, lengths = np.unique(gaps.stretch[missing], return_index=True, return_counts=True)
    longest = int(np.argmax(lengths))
    begin = int(at[first[longest]])
    share = f"{count:,} of {due:,} ({100 * count / due:.2g} %)"
    stretches = (
        "1 stretch that" if len(lengths) == 1 else f"{len(lengths):,} stretches; the longest"
    )
    return Defect(
        count=count,
        values=share,
        what=(
            f"{share} bars are missing inside sessions, in {stretches} "
            f"begins at {iso(begin)} and lasts {_bars(lengths[longest])}. " + of_bars(subject, at)
        ),
        advice=(
            "Least is traded in the bars beside them, so the source leaves out bars without a "
            "trade: features count bars, not minutes."
            if left_out(subject, at)
            else "Fetch them again, or leave out the days concerned."
        ),
        at=at,
    )


@check("warn", "bars outside all sessions, which were left out")
def outside_sessions(subject: Subject) -> Defect | None:
    """Bars of the source outside all sessions of the calendar."""
    outside = subject.bars.outside
    if not outside:
        return None
    total = outside + len(subject)
    share = f"{outside:,} of {total:,} ({100 * outside / total:.2g} %)"
    where = f"the {subject.hours} sessions of {subject.calendar}"
    return Defect(
        count=outside,
        values=share,
        what=f"{share} bars lie outside {where} and were left out.",
        advice="If they should count, name the calendar they fit, or use hours: extended.",
        at=subject.outside_at,
    )
