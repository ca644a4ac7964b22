"""Findings: what a check found, in numbers, in words, and with a way out."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np

from barstack.core.arrays import Ints

Level = Literal["refuse", "warn"]

NO_TIMES = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Defect:
    """What one check function found in one subject.

    count   how many bars, or sessions, are concerned
    values  the figures, short enough for a table
    what    a sentence, without the symbol
    advice  a sentence: what to do
    at      (n,) microseconds UTC of the bars concerned, rising; may be fewer than `count`
    """

    count: int
    values: str
    what: str
    advice: str
    at: Ints = field(default_factory=NO_TIMES.copy)


@dataclass(frozen=True, eq=False)
class Finding:
    """A defect of one symbol, and whether it refuses or warns.

    first_at_us, last_at_us  microseconds UTC; None where the times are not known
    The other fields are those of `Defect`.
    """

    check: str
    symbol: str
    level: Level
    count: int
    first_at_us: int | None
    last_at_us: int | None
    values: str
    what: str
    advice: str
    at: Ints = field(default_factory=NO_TIMES.copy, repr=False)

    @classmethod
    def of(cls, defect: Defect, check: str, symbol: str, level: Level) -> Finding:
        """The defect as a finding of `check`."""
        at = np.sort(np.asarray(defect.at, np.int64))
        return cls(
            check,
            symbol,
            level,
            count=int(defect.count),
            first_at_us=int(at[0]) if len(at) else None,
            last_at_us=int(at[-1]) if len(at) else None,
            values=defect.values,
            what=defect.what,
            advice=defect.advice,
            at=at,
        )

    @property
    def sentence(self) -> str:
        """What was found and what to do."""
        return f"{self.symbol}: {self.what} {self.advice}"

    def to_json(self) -> dict[str, Any]:
        """Plain data; the single times are left out, as they may be many."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "at"}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Finding:
        """A finding from `to_json`, without its single times."""
        return cls(**content)
