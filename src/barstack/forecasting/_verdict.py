"""The verdict that lies beside an artifact: what its study found, and when it did."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from barstack.core.errors import ArtifactError
from barstack.core.files import new_file
from barstack.core.stored import Name, Sha256, Stored
from barstack.core.untrusted import parse_json, read_bytes

from ._manifest import LARGEST_MANIFEST, MANIFEST, VERDICT

NOT_GIVEN = "not given"
_LARGEST_VERDICT = 64 * 1024  # bytes


@dataclass(frozen=True)
class GivenVerdict:
    """The verdict on an artifact's forecasts, as it was when it was given.

    Attributes
    ----------
    edge : "none", "unproven" or "supported"
    sentence : the same for a person who knows no statistics
    horizon : the one at which most speaks for an edge
    given_at : UTC, ISO 8601; "" in artifacts of version 0.1
    ledger_head : hash over all trials recorded by then; "" in artifacts of version 0.1
    trials : how many it counts; None where that was not written down
    """

    edge: Literal["none", "unproven", "supported"]
    sentence: str = ""
    horizon: str = ""
    given_at: str = ""
    ledger_head: str = ""
    trials: int | None = None


def _is_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


class _StoredVerdict(Stored):
    edge: Literal["none", "unproven", "supported"]
    sentence: Name
    horizon: Name
    given_at: Annotated[str, Field(max_length=40), AfterValidator(_is_time)]
    ledger_head: Annotated[str, Field(max_length=200, pattern=r"^[0-9a-zA-Z:_-]*$")]
    trials: Annotated[int, Field(ge=0, le=10**12)] | None
    manifest_sha256: Sha256
    sha256: Sha256  # of all the rest


def write_verdict(folder: Path, verdict: GivenVerdict) -> Path:
    """Lay a verdict beside an artifact's manifest, in place of any before; the manifest stays.

    A signature of the artifact covers its verdict, so that it must be signed again.
    """
    file, own = folder / VERDICT, manifest_hash(folder)
    data = _written(asdict(verdict) | {"manifest_sha256": own})
    _StoredVerdict.read(json.loads(data), file)
    with new_file(file) as scratch:
        scratch.write_bytes(data)
    return file


def read_verdict(folder: Path) -> GivenVerdict | None:
    """The verdict beside an artifact; None where none was given.

    Raises `ArtifactError` for one that is damaged, or about another artifact.
    """
    file = folder / VERDICT
    if not file.exists() and not file.is_symlink():
        return None
    data = read_bytes(file, _LARGEST_VERDICT)
    content = _StoredVerdict.read(parse_json(data, file), file).model_dump()
    del content["sha256"]
    if data != _written(content):
        raise ArtifactError(f"{file} is not what was saved. Restore it from a copy, or remove it.")
    if (about := content.pop("manifest_sha256")) != (own := manifest_hash(folder)):
        raise ArtifactError(
            f"{file} is the verdict on another artifact, whose manifest has SHA-256 {about[:16]}; "
            f"that of this one has {own[:16]}. Restore its own verdict, or remove the file."
        )
    return GivenVerdict(**content)


def _written(content: dict[str, Any]) -> bytes:
    """The one form of a verdict's file, whose last entry is the hash of those before."""
    digest = sha256(json.dumps(content).encode()).hexdigest()
    return json.dumps(content | {"sha256": digest}, indent=1).encode()


def manifest_hash(folder: Path) -> str:
    """SHA-256 of an artifact's manifest."""
    return sha256(read_bytes(folder / MANIFEST, LARGEST_MANIFEST)).hexdigest()
