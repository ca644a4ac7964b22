"""Bars that the door left out."""

from __future__ import annotations

from ._finding import Defect
from ._registry import check
from ._subject import Subject


@check("warn", "bars outside all sessions, which were left out")
def outside_sessions(subject: Subject) -> Defect | None:
    """Bars of the source that lie in no session of the calendar."""
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
