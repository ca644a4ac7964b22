"""Findings of checks: figures, sentences and advice, single and summarised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.errors import DataError

Level = Literal["refuse", "warn"]

NO_TIMES = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Defect:
    """What a check function found in one subject.

    count   number of bars, or sessions, concerned
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
        """The finding and the advice."""
        return f"{self.symbol}: {self.what} {self.advice}"

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the single times, which may be many."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "at"}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Finding:
        """A finding from `to_json`, without its single times."""
        return cls(**content)


_SHOWN = 5


def refuse(findings: Sequence[Finding]) -> None:
    """`DataError` with the first few of the findings that refuse, if there are any.

    >>> refuse([])  # nothing was found
    """
    refused = [each for each in findings if each.level == "refuse"]
    if not refused:
        return
    listed = "\n".join(f"  {each.check}: {each.sentence}" for each in refused[:_SHOWN])
    more = len(refused) - _SHOWN
    rest = f"\n  and {more:,} more; barstack data lists them all" if more > 0 else ""
    raise DataError(
        f"Checks refuse these bars, {len(refused):,} finding(s):\n{listed}{rest}\n"
        "Correct the bars, or lower the level in the study with bars: {checks: {"
        f"{refused[0].check}: warn}}}}."
    )


def in_short(findings: Sequence[Finding], who: str = "checks of bars") -> str:
    """One line: which kinds of findings, how many bars or sessions, on how many symbols.

    >>> from barstack.bars.checks import find
    >>> from barstack.testing import walk
    >>> in_short(find(walk(bars=300), calendar="XNYS"))
    'checks of bars warn: missing_bars 43 of WALK'
    """
    kinds: dict[str, list[Finding]] = {}
    for each in findings:
        kinds.setdefault(each.check, []).append(each)
    parts = []
    for name, group in sorted(kinds.items()):
        symbols = sorted({each.symbol for each in group})
        whom = symbols[0] if len(symbols) == 1 else f"{len(symbols):,} symbols"
        parts.append(f"{name} {sum(each.count for each in group):,} of {whom}")
    return f"{who} warn: {', '.join(parts)}"
