"""The manifest of an artifact: its schema, and the check of every file that it lists."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from barstack.core.errors import ArtifactError
from barstack.core.files import sha256_of
from barstack.core.stored import Duration, Moment, Name, Names, Sha256, Stored, StoredTarget
from barstack.core.times import parse_duration
from barstack.core.untrusted import parse_json, plain_files, read_bytes

FORMAT = 3  # 1 kept boosters in their libraries' formats alone, 2 held one ensemble
READABLE = (2, 3)
ENSEMBLES = "ensembles"
DETECTOR = "detector"
MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
SIGNATURE = "manifest.sig"
VERDICT = "verdict.json"
LARGEST_MANIFEST = 16 * 2**20  # bytes
_LONGEST_NAME = 255  # bytes that a folder's name may have
_LONGEST_SEAL = 65  # 64 hex digits and the end of the line
_LARGEST_FILE = 2**31
# Of each kind of file; what a library keeps for itself may be larger than any description.
_LARGEST = {".json": 32 * 2**20, ".npz": 2**30, ".safetensors": 2**31}
_YEAR_US = 366 * 86_400_000_000
WAY_OUT = (
    "It may be damaged or altered; nothing of it was loaded. Restore it from a copy, or run the "
    "study again."
)


class FileFacts(Stored):
    """Size and hash of one file of an artifact."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0, le=_LARGEST_FILE)]


class BarsFacts(Stored):
    """The bars an artifact is for, and how its study read tables of them."""

    model_config = ConfigDict(extra="allow")

    length_us: Annotated[int, Field(gt=0, le=_YEAR_US)]
    symbols: Names
    calendar: Name
    hours: Literal["regular", "extended"]
    stamp: Literal["open", "close"]
    timezone: Name | None
    bar: Duration | None
    resample: Duration | None
    day_zone: Name | None = None
    history_bars: Annotated[int, Field(ge=0, le=10**9)] | None = None
    began_at: dict[Name, Moment] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_of_one_length(self) -> Self:
        if (read := self.resample or self.bar) and parse_duration(read) != self.length_us:
            raise ValueError(f"length_us is {self.length_us}, and its study read bars of {read}")
        return self


class OldVerdict(Stored):
    """The verdict within a manifest of version 0.1, as far as it is used here."""

    model_config = ConfigDict(extra="allow")

    edge: Literal["none", "unproven", "supported"]
    sentence: str = ""
    horizon: str = ""
    trials: int | None = None


class StudyBars(Stored):
    """The settings of a study's bars that are used here."""

    model_config = ConfigDict(extra="allow")

    checks: dict[Name, Literal["refuse", "warn", "ignore"]] = Field(default_factory=dict)


class StudyFacts(Stored):
    """The part of a study that is used here; the rest is documentation."""

    model_config = ConfigDict(extra="allow")

    bars: StudyBars | None = None


class About(Stored):
    """Provenance; entries that are not used here may be plain data of any form."""

    model_config = ConfigDict(extra="allow")

    verdict: OldVerdict | None = None
    label: dict[str, Any] | None = None
    study: StudyFacts | None = None
    series: dict[str, dict[str, Any]] | None = None
    study_id: str | None = None
    data_sha256: str | None = None


class EnsembleFacts(Stored):
    """One of the ensembles: what it is, and the members and ensembles that it combines."""

    name: Name
    ensemble: dict[str, Any] | str
    of: Names
    trained_through: Moment


class Manifest(StoredTarget):
    """The whole content of `manifest.json`, validated."""

    format: Literal[2, 3]
    features: dict[str, Any]
    features_id: str
    columns: Names
    members: Names
    ensembles: Annotated[list[EnsembleFacts], Field(min_length=1, max_length=1_000)]
    detector_features_id: str | None = None
    trained_through: Moment
    bars: BarsFacts
    about: About
    versions: dict[str, str]
    files: dict[str, FileFacts]

    @model_validator(mode="before")
    @classmethod
    def _of_one_ensemble(cls, content: Any) -> Any:
        """Format 2, whose one ensemble combined all members, in the form of today."""
        if not isinstance(content, dict) or content.get("format") != 2:
            return content
        own = dict(content)
        ensemble, through = own.pop("ensemble", None), own.pop("ensemble_trained_through", None)
        name = ensemble.get("ensemble") if isinstance(ensemble, dict) else ensemble
        if name == "stack":  # as non-negative least squares were called
            ensemble = ensemble | {"ensemble": "nnls"} if isinstance(ensemble, dict) else "nnls"
        facts = {"name": name, "ensemble": ensemble, "trained_through": through}
        return own | {"ensembles": [facts | {"of": own.get("members")}]}

    @model_validator(mode="after")
    def _has_names_of_folders(self) -> Self:
        for name in (*self.members, *(each.name for each in self.ensembles)):
            marks = any(each in name for each in "/\\\0")
            if name in (".", "..") or marks or len(name.encode()) > _LONGEST_NAME:
                raise ValueError(f"{name!r} is no name of a folder")
        return self

    @model_validator(mode="after")
    def _combines_what_it_holds(self) -> Self:
        known = set(self.members)
        for each in self.ensembles:
            if lacking := sorted(set(each.of) - known):
                raise ValueError(f"ensemble {each.name!r} combines {lacking[0]!r}, not before it")
            if each.name in known:
                raise ValueError(f"two forecasters are called {each.name!r}")
            known.add(each.name)
        return self

    @model_validator(mode="after")
    def _holds_its_members(self) -> Self:
        for name in self.members:
            if f"members/{name}/fitted.json" not in self.files:
                raise ValueError(f"it names a member {name!r} that it does not hold")
        return self


def verified_manifest(folder: Path) -> Manifest:
    """The manifest, once it and every file it lists have the sizes and hashes written in it.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = bs.run(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    ...     manifest = verified_manifest(run.folder / "artifact")
    >>> type(manifest).__name__
    'Manifest'
    """
    sizes = plain_files(folder)
    for name in (MANIFEST, SEAL):
        if name not in sizes:
            raise ArtifactError(f"{folder} is not an artifact: it has no {name}.")
    manifest_file = folder / MANIFEST
    data = read_bytes(manifest_file, LARGEST_MANIFEST)
    if read_bytes(folder / SEAL, _LONGEST_SEAL) != seal_of(data):
        raise ArtifactError(
            f"{manifest_file} and {SEAL} do not fit together: one of them is not what was saved. "
            f"{WAY_OUT}"
        )
    content = parse_json(data, manifest_file)
    if not isinstance(content, dict):
        raise ArtifactError(f"{manifest_file} is not what was saved. {WAY_OUT}")
    if (found := content.get("format")) not in READABLE or type(found) is not int:
        formats = " and ".join(map(str, READABLE))
        raise ArtifactError(
            f"{folder} has format {found}, this barstack reads {formats}. Load it with the version "
            "that wrote it, or run its study again."
        )
    manifest = Manifest.read(content, manifest_file)
    listed = sizes.keys() - {MANIFEST, SEAL, SIGNATURE, VERDICT}
    for name in sorted(listed ^ manifest.files.keys()):
        what = "has a file that its manifest does not list" if name in listed else "lacks a file"
        raise ArtifactError(f"{folder} {what}: {name}. Restore it from a copy.")
    for name, facts in manifest.files.items():
        file = folder / name
        most = _LARGEST.get(file.suffix, _LARGEST_FILE)
        if sizes[name] > most:
            raise ArtifactError(f"{file} is larger than any such file of a model. {WAY_OUT}")
        if sizes[name] != facts.bytes or sha256_of(file) != facts.sha256:
            raise ArtifactError(f"{file} is not what was saved: its SHA-256 differs. {WAY_OUT}")
    return manifest


def seal_of(manifest: bytes) -> bytes:
    """Content of the `manifest.sha256` that belongs to a manifest."""
    return f"{sha256(manifest).hexdigest()}\n".encode()
