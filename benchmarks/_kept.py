"""Results of long benchmarks, kept one by one, so that a run that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import barstack

# What the result of training a model depends on.
ROOMS = ("core", "bars", "worlds", "features", "labels", "splits", "datasets", "models")


class Kept:
    """Values by key (plain data) in a file of lines; those made by other code do not count."""

    def __init__(self, name: str, rooms: tuple[str, ...] = ROOMS) -> None:
        self._file = Path(__file__).parent / "results" / f".{name}.jsonl"
        self._code = code_of(rooms)
        self.values: dict[str, Any] = {}
        if self._file.is_file():
            for line in self._file.read_text().splitlines():
                code, key, value = json.loads(line)
                if code == self._code:
                    self.values[json.dumps(key)] = value

    def __contains__(self, key: Any) -> bool:
        return json.dumps(key) in self.values

    def __getitem__(self, key: Any) -> Any:
        return self.values[json.dumps(key)]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.values[json.dumps(key)] = value
        with self._file.open("a") as file:
            file.write(json.dumps([self._code, key, value]) + "\n")


@cache
def code_of(rooms: tuple[str, ...]) -> str:
    """A digest of the sources of some rooms, or of folders in them."""
    root, digest = Path(barstack.__file__).parent, hashlib.sha256()
    for room in rooms:
        for file in sorted((root / room).rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]
