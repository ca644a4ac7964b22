"""A trained ensemble as a folder of data files, checked before any of it is used."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from barstack.core.decisions import Rows
from barstack.core.errors import ArtifactError, ConfigError, MissingPackageError, PluginError
from barstack.core.files import new_folder, sha256_of
from barstack.core.forecast import Forecast, Kind, Target
from barstack.core.times import TrainedThrough, as_time, parse_duration
from barstack.datasets import rows_with_history
from barstack.features import FeatureSet, FeatureTable
from barstack.models import FittedModel

from ._calls import load
from ._ensemble import ENSEMBLES, FittedEnsemble

_MANIFEST = "manifest.json"
_SEAL = "manifest.sha256"
_WAY_OUT = (
    "It may be damaged or tampered with; nothing of it was loaded. Restore it from a copy, or run "
    "the study again."
)
_LARGEST_MANIFEST = 16 * 2**20  # bytes
_LARGEST_FILE = 8 * 2**30
_LEAST_SCALE = 1e-200  # what is divided by less is no number any more
_RECORDED = (
    "barstack",
    "numpy",
    "numba",
    "scipy",
    "scikit-learn",
    "lightgbm",
    "xgboost-cpu",
    "catboost",
    "torch",
)


@dataclass(frozen=True, eq=False)
class TrainedEnsemble:
    """Everything a forecast needs: features, members, and how to combine them.

    bars      what bars it is for: length_us and symbols, and how the study read its tables:
              calendar, hours, stamp, timezone, bar, day_zone, resample; history_bars, up to a row,
              from which its features are those of all history; began_at, the first by symbol
    about     provenance: study, data fingerprint, scores; plain data
    """

    format: ClassVar[int] = 2  # 1 kept boosters in their libraries' formats alone
    features: FeatureSet
    target: Target
    members: dict[str, FittedModel]
    ensemble: FittedEnsemble
    bars: dict[str, Any]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the ensemble is registered as."""
        registered = self.ensemble.ensemble.registered_as
        assert registered is not None  # ensembles in a study are
        return registered[1]

    @property
    def trained_through(self) -> np.datetime64:
        """Latest `known_at` that any member or the ensemble has seen."""
        each = [member.trained_through for member in self.members.values()]
        return max(*each, self.ensemble.trained_through)

    @property
    def lookback_bars(self) -> int:
        """Rows of features that one forecast needs."""
        return max(member.model.lookback_bars for member in self.members.values())

    @property
    def history_bars(self) -> int:
        """Bars, up to the newest, from which a forecast is that of all history; 0 where unknown."""
        needed = self.bars.get("history_bars", 0)
        return int(needed) + self.lookback_bars - 1 if needed else 0

    def lacks_history(self, symbol: str, opened_at: np.datetime64, n_bars: int) -> str:
        """What a forecast lacks whose bars begin at `opened_at`, in words; else nothing.

        Bars that go as far back as those it was trained on are enough.
        """
        began_at = self.bars.get("began_at", {}).get(symbol)
        if n_bars >= self.history_bars or (began_at and opened_at <= as_time(began_at)):
            return ""
        return (
            f"{n_bars:,} bar(s) of {symbol} lead up to a forecast, and its features need "
            f"{self.history_bars:,} to forget where a history begins: with fewer, forecasts differ "
            "from those of all history. Give earlier bars too."
        )

    @property
    def verdict(self) -> str:
        """The word of its study's verdict: none, unproven or supported; unknown without one."""
        return str((self.about.get("verdict") or {}).get("edge", "unknown"))

    @property
    def max_gap(self) -> str:
        """The furthest apart that neighbouring rows of one forecast may lie."""
        return min((each.max_gap for each in self.members.values()), key=parse_duration)

    def with_history(self, table: FeatureTable, rows: Rows) -> Rows:
        """Those of `rows` that every member can forecast: enough rows before, and no long gap."""
        return rows_with_history(table, rows, self.lookback_bars, self.max_gap)

    def forecast(
        self, table: FeatureTable, rows: Rows, kind: Kind = "forward"
    ) -> dict[str, Forecast]:
        """The ensemble's forecast under the ensemble's name, and that of every member."""
        values = {name: member.predict(table, rows) for name, member in self.members.items()}
        combined = self.ensemble.predict(np.stack(list(values.values()), axis=1), self.target)
        through = TrainedThrough(np.full(len(rows), self.trained_through, "datetime64[us]"))
        decisions = table.decisions.take(rows)
        return {
            each: Forecast(decisions, self.target, numbers, through, kind)
            for each, numbers in ({self.name: combined} | values).items()
        }

    def save(self, folder: Path) -> None:
        """Write the artifact, whole or not at all."""
        with new_folder(folder) as scratch:
            for name, member in self.members.items():
                member.save(scratch / "members" / name)
            self.ensemble.save(scratch / "ensemble.json")
            manifest = {
                "format": self.format,
                **self.target.to_json(),
                "features": self.features.content(),
                "features_id": self.features.id,
                "columns": list(self.features.columns),
                "members": list(self.members),
                "ensemble": self.ensemble.ensemble.content(),
                "ensemble_trained_through": str(self.ensemble.trained_through),
                "trained_through": str(self.trained_through),
                "bars": self.bars,
                "about": self.about,
                "versions": {"python": sys.version.split()[0]} | _versions(),
                "files": {
                    str(file.relative_to(scratch)): {
                        "sha256": sha256_of(file),
                        "bytes": file.stat().st_size,
                    }
                    for file in sorted(scratch.rglob("*"))
                    if file.is_file()
                },
            }
            (scratch / _MANIFEST).write_text(json.dumps(manifest, indent=1))
            (scratch / _SEAL).write_bytes(_seal_of(scratch / _MANIFEST))

    @classmethod
    def load(cls, folder: Path | str) -> TrainedEnsemble:
        """Read an artifact; `ArtifactError` unless every byte of it is as it was written."""
        folder = Path(folder)
        if not folder.is_dir():
            raise ConfigError(
                f"There is no artifact {folder}. Give the folder of a run or artifact."
            )
        try:
            return cls._read(folder, verified_manifest(folder))
        except (ArtifactError, MissingPackageError, PluginError):
            raise
        except ConfigError as error:
            raise ArtifactError(
                f"{folder} needs what is not here: {error} Install the package it comes from."
            ) from None
        except Exception as error:
            raise ArtifactError(
                f"{folder} does not hold what its manifest says: {error!r}. Restore it from a "
                "copy, or run its study again."
            ) from error

    @classmethod
    def _read(cls, folder: Path, manifest: dict[str, Any]) -> TrainedEnsemble:
        if manifest["format"] != cls.format:
            raise ArtifactError(
                f"{folder} has format {manifest['format']}, this barstack reads {cls.format}. "
                "Load it with the version that wrote it, or run its study again."
            )
        for name in manifest["members"]:
            if f"members/{name}/fitted.json" not in manifest["files"]:
                raise ArtifactError(f"{folder} names a member {name!r} that it does not hold.")
        features = FeatureSet(**manifest["features"])
        if features.id != manifest["features_id"]:
            raise ArtifactError(
                f"{folder} was trained on features whose formula has changed since (now "
                f"{features.id}, then {manifest['features_id']}). Run its study again, or load it "
                f"with barstack {manifest['versions'].get('barstack')}."
            )
        target = Target.from_json(manifest)
        members = {
            name: FittedModel.load(folder / "members" / name) for name in manifest["members"]
        }
        fits = [(member.target, member.columns) for member in members.values()]
        if set(fits) != {(target, features.columns)}:
            raise ArtifactError(f"{folder} holds members of another target or other features.")
        ensemble = ENSEMBLES.parse(manifest["ensemble"])
        learned = load(ensemble, folder / "ensemble.json")
        through = as_time(manifest["ensemble_trained_through"])
        fitted = FittedEnsemble(ensemble, learned, tuple(members), through)
        found = cls(features, target, members, fitted, manifest["bars"], manifest["about"])
        for name, member in members.items():
            _check_scales(folder / "members" / name, member)
        weights = np.asarray(ensemble.weights(fitted.learned))
        shape = (len(target.horizons), len(members))
        _require(folder / "ensemble.json", weights.shape == shape, f"weights are {weights.shape}")
        _require(folder / "ensemble.json", np.isfinite(weights).all(), "a weight is not finite")
        _require(folder, not np.isnat(found.trained_through), "it says not when training ended")
        return found


def _check_scales(folder: Path, member: FittedModel) -> None:
    """Numbers that scale inputs and outputs, which no model's own files hold."""
    parse_duration(member.max_gap)
    learned = member.scaler.learned
    for name, array in (*learned.items(), ("y_scale", member.y_scale)):
        _require(folder, np.isfinite(array).all(), f"{name} is not finite")
    shape = (len(member.target.horizons),)
    _require(folder, member.y_scale.shape == shape, f"y_scale is {member.y_scale.shape}")
    for name, array in (("scale", learned.get("scale", np.ones(1))), ("y_scale", member.y_scale)):
        _require(folder, (array > _LEAST_SCALE).all(), f"{name} is not above 0")


def _require(where: Path, fine: bool | np.bool_, why: str) -> None:
    if not fine:
        raise ArtifactError(f"{where} does not hold what was saved: {why}. {_WAY_OUT}")


def verified_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, once it and every file it lists have the sizes and hashes written in it."""
    manifest_file, seal = folder / _MANIFEST, folder / _SEAL
    for file in (manifest_file, seal):
        if not file.is_file():
            raise ArtifactError(f"{folder} is not an artifact: it has no {file.name}.")
    if manifest_file.stat().st_size > _LARGEST_MANIFEST:
        raise ArtifactError(f"{manifest_file} is too large to be a manifest.")
    if seal.read_bytes() != _seal_of(manifest_file):
        raise ArtifactError(
            f"{manifest_file} and {seal.name} do not fit together: one of them is not what was "
            f"saved. {_WAY_OUT}"
        )
    found = _plain_files(folder) - {_MANIFEST, _SEAL}
    manifest = json.loads(manifest_file.read_text())
    for name in sorted(found ^ set(manifest["files"])):
        what = "has a file that its manifest does not list" if name in found else "lacks a file"
        raise ArtifactError(f"{folder} {what}: {name}. Restore it from a copy.")
    for name, facts in manifest["files"].items():
        file = folder / name
        if file.stat().st_size != facts["bytes"] or sha256_of(file) != facts["sha256"]:
            raise ArtifactError(_altered(file))
    return manifest  # type: ignore[no-any-return]  # sealed by its hash


def _plain_files(folder: Path) -> set[str]:
    """Names of all files within; `ArtifactError` for anything that is no plain file or folder.

    Links lead out of what is sealed, and to open a pipe is to wait for somebody to write to it.
    """
    found = set()
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(
                f"{path} is neither a file nor a folder, as all of an artifact is. Copy what it "
                "stands for to its place, or restore the artifact from a copy."
            )
        if path.is_file():
            if path.stat().st_size > _LARGEST_FILE:
                raise ArtifactError(f"{path} is larger than any file of a model. {_WAY_OUT}")
            found.add(str(path.relative_to(folder)))
    return found


def _altered(file: Path) -> str:
    return f"{file} is not what was saved: its SHA-256 differs. {_WAY_OUT}"


def _seal_of(manifest_file: Path) -> bytes:
    return f"{sha256_of(manifest_file)}\n".encode()


def _versions() -> dict[str, str]:
    found = {}
    for package in _RECORDED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
