"""What became of one symbol of one file, and the log that remembers it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOG = "imports.jsonl"


@dataclass(frozen=True)
class Outcome:
    """Rows of one symbol that one file brought, or why it brought none.

    rows      in the file
    new, same, revised  as the catalog counts them
    repairs   rows that each repair moved or dropped
    error     the sentence, where nothing was taken
    """

    file: str
    symbol: str
    rows: int = 0
    new: int = 0
    same: int = 0
    revised: int = 0
    repairs: dict[str, int] = field(default_factory=dict)
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def write_down(folder: Path, outcomes: list[Outcome], sha256: str, reading: dict[str, Any]) -> None:
    """Append a line for each symbol to the collection's log; returns when the disk has them."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with (folder / LOG).open("a") as log:
        for outcome in outcomes:
            line = outcome.to_json() | {"sha256": sha256, "reading": reading, "at": now}
            log.write(json.dumps(line) + "\n")
        log.flush()
        os.fsync(log.fileno())
