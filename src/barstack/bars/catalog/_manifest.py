"""The manifest of one symbol: the one file whose replacement makes new bars visible."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from barstack.core.errors import StorageError
from barstack.core.files import new_file

from ._folders import bytes_of

MANIFEST = "manifest.json"
_FORMAT = 1
WAY_OUT = (
    "Restore the symbol's folder from a backup, or remove the symbol (Collection.remove) and bring "
    "its bars in again."
)

TimeRange = tuple[int, int]  # from (inclusive) to (exclusive), microseconds UTC

# Marks a symbol's folder while its first bars are written, or while it is removed: parts without a
# manifest are then no loss. Without the mark they are bars whose manifest was lost.
UNLISTED = ".unlisted"


def refuse_lost(folder: Path) -> None:
    """`StorageError` for a folder with parts, whose manifest is missing."""
    if (folder / MANIFEST).exists() or (folder / UNLISTED).exists():
        return
    parts = sorted(file.name for file in folder.glob("*.parquet"))
    if parts and not (folder / MANIFEST).exists():
        raise StorageError(
            f"{folder} holds {len(parts):,} parts, such as {parts[0]}, and no {MANIFEST} that "
            f"lists them: it was lost. Nothing was touched. {WAY_OUT}"
        )


@dataclass(frozen=True)
class PartFile:
    """One parquet file, never changed once it is written."""

    file: str
    rows: int
    first_us: int  # start of its first bar
    last_us: int  # start of its last bar
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Period:
    """Bars of one period of time; its parts follow each other and never overlap."""

    fingerprint: str  # SHA-256 of the bars, independent of how they are cut into parts
    parts: tuple[PartFile, ...]


@dataclass(frozen=True)
class Summary:
    """Figures on the stored bars of one symbol.

    first_us, last_us  starts of its first and last bar, microseconds UTC; None without bars
    fingerprint        SHA-256 of all its bars, independent of how they are stored
    bytes              of its files
    """

    symbol: str
    rows: int
    first_us: int | None
    last_us: int | None
    fingerprint: str
    parts: int
    bytes: int


@dataclass(frozen=True)
class SymbolManifest:
    """The list of all that is stored of one symbol.

    periods  by name, in time order
    covered  [from, to) in microseconds UTC: ranges for which the source was queried completely
    retired  replaced files, and when they were replaced, in seconds since 1970
    """

    symbol: str
    periods: dict[str, Period] = field(default_factory=dict)
    covered: tuple[TimeRange, ...] = ()
    retired: dict[str, int] = field(default_factory=dict)

    @cached_property
    def parts(self) -> list[PartFile]:
        """All parts in time order."""
        return [part for period in self.periods.values() for part in period.parts]

    @cached_property
    def summary(self) -> Summary:
        content = [[name, period.fingerprint] for name, period in self.periods.items()]
        return Summary(
            symbol=self.symbol,
            rows=sum(part.rows for part in self.parts),
            first_us=self.parts[0].first_us if self.parts else None,
            last_us=self.parts[-1].last_us if self.parts else None,
            fingerprint=sha256_of_json([self.symbol, content]),
            parts=len(self.parts),
            bytes=sum(part.bytes for part in self.parts),
        )

    def save(self, folder: Path) -> None:
        """Replace the folder's manifest atomically; returns when the disk has it."""
        content = asdict(self)
        text = json.dumps({"format": _FORMAT, "sha256": sha256_of_json(content)} | content)
        with new_file(folder / MANIFEST, durable=True) as scratch:
            scratch.write_text(text)

    @classmethod
    def load(cls, folder: Path) -> SymbolManifest:
        """Read it; FileNotFoundError where there is none, `StorageError` where it is damaged."""
        file = folder / MANIFEST
        text = bytes_of(file)
        try:
            content = json.loads(text)
            written_as, sha256 = content.pop("format"), content.pop("sha256")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = str(error).split(":")[0] if isinstance(error, ValueError) else "keys are missing"
            raise StorageError(f"{file} is damaged: {what[:80]}. {WAY_OUT}") from None
        if written_as != _FORMAT:
            raise StorageError(
                f"{file} has format {written_as}, and this barstack reads {_FORMAT}. "
                "Use the version of barstack that wrote it."
            )
        if sha256_of_json(content) != sha256:
            raise StorageError(f"{file} is damaged: its SHA-256 is not what it says. {WAY_OUT}")
        return cls(
            symbol=content["symbol"],
            periods={
                name: Period(each["fingerprint"], tuple(PartFile(**part) for part in each["parts"]))
                for name, each in content["periods"].items()
            },
            covered=tuple((start, end) for start, end in content["covered"]),
            retired=content["retired"],
        )


def merged_ranges(ranges: Iterable[TimeRange]) -> tuple[TimeRange, ...]:
    """Ranges sorted, with those that touch or overlap joined.

    >>> merged_ranges([(5, 7), (0, 2), (2, 3), (6, 9)])
    ((0, 3), (5, 9))
    """
    merged: list[TimeRange] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def sha256_of_json(content: Any) -> str:
    """Hex SHA-256 of plain data."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
