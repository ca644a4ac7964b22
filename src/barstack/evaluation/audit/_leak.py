"""What the audit finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from barstack.core.times import as_time


@dataclass(frozen=True)
class Leak:
    """A number that depends on what came after it, or rows that share what must be kept apart."""

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
