"""A trained ensemble as a folder of data files, checked before any of it is used."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from barstack.bars import BarFormat
from barstack.bars.checks import levels_of
from barstack.core.arrays import Rows
from barstack.core.errors import ArtifactError, ConfigError, MissingPackageError, PluginError
from barstack.core.files import new_folder, sha256_of
from barstack.core.forecast import Forecast, Kind, Target
from barstack.core.times import TrainedThrough, as_time, parse_duration
from barstack.datasets import rows_with_history
from barstack.ensembles import ENSEMBLES, FittedEnsemble, Stacked
from barstack.features import FeatureSet, FeatureTable
from barstack.models import FittedModel

from ._manifest import FORMAT, MANIFEST, SEAL, WAY_OUT, Manifest, seal_of, verified_manifest

_MOST_KEPT = 2**24  # numbers of the rows that one forecast looks at, or of all features' state
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

    format: ClassVar[int] = FORMAT
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
        decisions = table.decisions.take(rows)
        stacked = Stacked(
            tuple(values),
            decisions,
            self.target,
            np.stack(list(values.values()), axis=1),
            context={"features": table.values[rows]},
        )
        combined = self.ensemble.predict(stacked)
        through = TrainedThrough(np.full(len(rows), self.trained_through, "datetime64[us]"))
        return {
            each: Forecast(decisions, self.target, numbers, through, kind)
            for each, numbers in ({self.name: combined} | values).items()
        }

    def save(self, folder: Path) -> None:
        """Write the artifact, whole or not at all."""
        with new_folder(folder) as scratch:
            for name, member in self.members.items():
                member.save(scratch / "members" / name)
            self.ensemble.save(scratch / "ensemble")
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
            data = json.dumps(manifest, indent=1).encode()
            (scratch / MANIFEST).write_bytes(data)
            (scratch / SEAL).write_bytes(seal_of(data))

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
    def _read(cls, folder: Path, manifest: Manifest) -> TrainedEnsemble:
        features = FeatureSet(**manifest.features)
        if features.id != manifest.features_id:
            raise ArtifactError(
                f"{folder} was trained on features whose formula has changed since (now "
                f"{features.id}, then {manifest.features_id}). Run its study again, or load it "
                f"with barstack {manifest.versions.get('barstack')}."
            )
        state = sum(each.kernel.memory_for(each.values) for each in features.features)
        _require(folder, state <= _MOST_KEPT, f"its features keep {state:,} numbers of state")
        target = manifest.target
        members = {name: FittedModel.load(folder / "members" / name) for name in manifest.members}
        fits = {(member.target, member.columns) for member in members.values()}
        if fits != {(target, features.columns)} or tuple(manifest.columns) != features.columns:
            raise ArtifactError(f"{folder} holds members of another target or other features.")
        ensemble = ENSEMBLES.parse(manifest.ensemble)
        through = as_time(manifest.ensemble_trained_through)
        learned = folder / "ensemble"
        if not learned.is_dir():
            learned = folder / "ensemble.json"  # of version 0.1
        fitted = FittedEnsemble.load(ensemble, learned, tuple(members), through)
        bars = manifest.bars.model_dump(exclude_unset=True)
        BarFormat.from_json(bars).check()
        about = manifest.about.model_dump(exclude_unset=True)
        if checks := ((about.get("study") or {}).get("bars") or {}).get("checks"):
            levels_of(checks)
        found = cls(features, target, members, fitted, bars, about)
        recorded = as_time(manifest.trained_through)
        _require(
            folder, recorded == found.trained_through, f"{recorded} is not when training ended"
        )
        kept = found.lookback_bars * len(features.columns)
        _require(folder, kept <= _MOST_KEPT, f"it looks back {found.lookback_bars:,} bars")
        weights = ensemble.weights(fitted.learned)
        if weights is not None:
            shape, size = (len(target.horizons), len(members)), np.shape(weights)
            _require(folder, size == shape, f"the ensemble's weights are {size}")
            _require(folder, np.isfinite(weights).all(), "a weight of the ensemble is not finite")
        return found


def _require(where: Path, fine: bool | np.bool_, why: str) -> None:
    if not fine:
        raise ArtifactError(f"{where} does not hold what was saved: {why}. {WAY_OUT}")


def _versions() -> dict[str, str]:
    found = {}
    for package in _RECORDED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
