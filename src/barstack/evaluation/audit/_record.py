"""Which audits were made: what a report says of the looks that were taken before its verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

How = Literal["short", "full"]


@dataclass(kw_only=True)
class AuditRecord:
    """One audit, counted while it is made.

    how       "short": few cuts and no fits, before anything is fitted; "full": fits included
    cuts      moments at which the bars were cut, and their future altered
    folds     how many there are
    refitted  numbers of the folds that were fitted again
    seen      parts in which the audit's own alterations showed, which is its positive control:
              a part that is missing here could not be looked into
    leaks     findings, those that a study allows included
    """

    how: How = "short"
    cuts: int = 0
    folds: int = 0
    refitted: list[int] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    leaks: int = 0
