"""Bars that the calendar expects and that are not there."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.times import iso

from .._sessions import ALWAYS
from ._finding import Defect
from ._holes import left_out, of_bars, of_sessions
from ._registry import check
from ._subject import Subject

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
    shown = ", ".join(str(np.datetime64(int(day), "D")) for day in days[:_NAMED])
    return shown + (f" and {len(days) - _NAMED:,} more" if len(days) > _NAMED else "")


@check("warn", "times of day inside the sessions that the source hardly ever covers")
def missing_hours(subject: Subject) -> Defect | None:
    """Stretches of the session that are empty day after day: a break, or hours left out."""
    gaps = subject.gaps
    if not gaps.never.any():
        return None
    at = gaps.at[gaps.never]
    listed = _times_of_day(subject)
    return Defect(
        count=len(at),
        values=listed,
        what=f"Hardly any day has a bar at {listed}; {len(at):,} bars by the calendar.",
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
    rest = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return ", ".join(shown[:3]) + f"{rest} {subject.zone.key}"


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
            f"begins at {iso(np.datetime64(begin, 'us'))} and lasts {_bars(lengths[longest])}. "
            + of_bars(subject, at)
        ),
        advice=(
            "Least is traded in the bars beside them, so the source leaves out bars without a "
            "trade: features count bars, not minutes."
            if left_out(subject, at)
            else "Fetch them again, or leave out the days concerned."
        ),
        at=at,
    )
