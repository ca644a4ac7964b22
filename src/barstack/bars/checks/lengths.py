"""Bars that are longer than the others of the same series."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.times import DAY_US, format_duration, iso

from .._sessions import ALWAYS
from ._finding import Defect
from ._registry import check
from ._subject import Subject

# Where bars are missing at random, a step of one bar is the likeliest of all, so that its absence
# among n steps of another length has a chance of 1 in 2 ** n at most.
_MANY = 30  # equal steps in a stretch of a series
_FEW = 8  # equal steps where there is no other stretch
_SHARE = 0.4  # of the steps that are equal; nights and weekends lie between them


@check("refuse", "bars further apart than they are long, all by the same: they are longer ones")
def longer_bars(subject: Subject) -> Defect | None:
    """Over a stretch no bar follows the one before by its length, and most by the same multiple.

    A longer bar read as a short one would be known before its close.
    """
    at, unit = _places(subject)
    steps = np.diff(at)
    if not len(steps) or unit <= 0:
        return None
    edges = np.flatnonzero(np.diff(steps > unit, prepend=False, append=False))
    found = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        sizes, counts = np.unique(steps[begin:end], return_counts=True)
        most = int(np.argmax(counts))
        least = _FEW if end - begin == len(steps) else _MANY
        if counts[most] >= max(least, _SHARE * (end - begin)) and sizes[most] % unit == 0:
            found.append((int(begin), int(end), int(sizes[most]), int(counts[most])))
    if not found:
        return None
    begin, end, step, count = max(found, key=lambda each: each[1] - each[0])
    own = format_duration(subject.bars.length_us)
    longer = f"{step} sessions" if unit == 1 else format_duration(step)
    stretches = "" if len(found) == 1 else f", the longest of {len(found):,} such stretches"
    rows = np.concatenate([np.arange(each[0], each[1] + 1) for each in found])
    return Defect(
        count=len(rows),
        values=f"{own}, then {longer}",
        what=(
            f"From {iso(subject.opened_at[begin])} to {iso(subject.opened_at[end])} no bar follows "
            f"the one before by {own}, and {count:,} of {end - begin:,} do by {longer}{stretches}: "
            f"they look {longer} long, and would be taken as known before they close."
        ),
        advice=(
            "Give bars of one length. Where nothing is wrong with them, set checks: "
            "{longer_bars: ignore}."
        ),
        at=subject.opened_at[rows],
    )


def _places(subject: Subject) -> tuple[Ints, int]:
    """(n_bars,) where bars begin, and by how much each should follow; 0 where that is not known."""
    length_us = subject.bars.length_us
    if length_us >= DAY_US and subject.calendar != ALWAYS:
        return np.searchsorted(subject.expected.day, subject.session), 1
    records = subject.bars.records
    open_us = np.median(records["session_close"] - records["session_open"]) if len(subject) else 0
    if subject.calendar != ALWAYS and open_us < 2 * length_us:
        return subject.opened_at, 0  # one bar a session, so nights lie between all of them
    return subject.opened_at, length_us
