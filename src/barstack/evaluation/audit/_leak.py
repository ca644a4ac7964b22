"""What an audit finds, and what it did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from barstack.core.decisions import Decisions
from barstack.core.times import as_time


def who(decisions: Decisions, row: int) -> tuple[str, np.datetime64]:
    """Symbol and time of a decision."""
    return str(decisions.symbols[decisions.symbol_code[row]]), decisions.decided_at[row]


@dataclass(frozen=True)
class Leak:
    """A number that depends on later data, or rows that overlap where they must be disjoint."""

    stage: str  # features, labels, folds, forecast, or the name of a fitted stage
    column: str
    symbol: str
    at: np.datetime64  # the first decision found to be wrong
    what: str  # a sentence
    mend: str  # a sentence
    blind: bool = False  # no leak, but a place that the audit cannot see into

    def __str__(self) -> str:
        return f"{self.what} {self.mend}"

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        return asdict(self) | {"at": str(self.at)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Leak:
        """The leak that `to_json` wrote."""
        return cls(**(content | {"at": as_time(content["at"])}))


How = Literal["short", "full"]


@dataclass(kw_only=True)
class AuditRecord:
    """One audit, counted while it is made.

    how       "short": few cuts and no fits, before a forecast is kept; "full": fits included
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
