"""A trained ensemble as a folder of data files, checked before any of it is used."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from barstack.bars import BarFormat, Panel
from barstack.bars.checks import levels_of
from barstack.core.arrays import Floats, Ints, Rows
from barstack.core.errors import ArtifactError, ConfigError, MissingPackageError, PluginError
from barstack.core.files import new_folder, sha256_of
from barstack.core.forecast import Forecast, Kind, Target
from barstack.core.times import TrainedThrough, as_time, parse_duration
from barstack.datasets import rows_with_history
from barstack.ensembles import ENSEMBLES, FittedEnsemble, Layers, Stacked
from barstack.features import FeatureSet, FeatureTable
from barstack.models import FittedModel

from ._manifest import (
    DETECTOR,
    FORMAT,
    MANIFEST,
    SEAL,
    WAY_OUT,
    EnsembleFacts,
    Manifest,
    seal_of,
    verified_manifest,
)
from ._manifest import (
    ENSEMBLES as ENSEMBLES_FOLDER,
)
from ._probe import check_ensembles
from ._regimes import detector_of, regimes_at, with_features_of
from ._verdict import NOT_GIVEN, GivenVerdict, manifest_hash, read_verdict, write_verdict

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


@dataclass(frozen=True)
class Provenance:
    """Where an artifact comes from; plain data, None where it is not written down.

    Attributes
    ----------
    study : content of the study
    study_id : its id
    label : content of the label, with the numbers that it was fitted to
    data_sha256 : fingerprint of the bars and series
    series : by name, the fingerprint of each series and its number of rows
    """

    study: Mapping[str, Any] | None = None
    study_id: str | None = None
    label: Mapping[str, Any] | None = None
    data_sha256: str | None = None
    series: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """What is written down, as plain data."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Provenance:
        """From `to_json`; other entries of `content` are ignored."""
        return cls(**{name: content[name] for name in cls.__dataclass_fields__ if name in content})

    @property
    def checks(self) -> dict[str, str]:
        """Levels that the study gave to checks of bars, by name."""
        return dict(((self.study or {}).get("bars") or {}).get("checks") or {})


@dataclass(frozen=True, eq=False)
class TrainedEnsemble:
    """Everything a forecast needs: features, members, and how to combine them.

    Attributes
    ----------
    members : fitted models by name
    ensemble : the one that answers; it combines members and `lower`
    bars : the bars it is for, and how its study read them
    provenance : where it comes from
    verdict : the one that lies beside it; no part of what is fitted
    manifest_sha256 : of the manifest that it was loaded from; "" before it is saved
    lower : by name, ensembles that others combine, each after those that it combines itself
    name : of the ensemble that answers; by default what it is registered as
    detector : of regimes, for ensembles that need them
    """

    format: ClassVar[int] = FORMAT
    features: FeatureSet
    target: Target
    members: dict[str, FittedModel]
    ensemble: FittedEnsemble
    bars: BarFormat
    provenance: Provenance = Provenance()
    verdict: GivenVerdict | None = None
    manifest_sha256: str = ""
    lower: Mapping[str, FittedEnsemble] = field(default_factory=dict)
    name: str = ""
    detector: FittedModel | None = None

    def __post_init__(self) -> None:
        if not self.name:
            registered = self.ensemble.ensemble.registered_as
            assert registered is not None  # ensembles in a study are
            object.__setattr__(self, "name", registered[1])

    @cached_property
    def layers(self) -> Layers:
        """All ensembles, in the order in which they are combined."""
        return Layers(tuple(self.members), {**self.lower, self.name: self.ensemble})

    @property
    def trained_through(self) -> np.datetime64:
        """Latest `known_at` that any member or ensemble has seen."""
        each = [member.trained_through for member in self.members.values()]
        detector = [] if self.detector is None else [self.detector.trained_through]
        return max(*each, *detector, self.layers.trained_through)

    @cached_property
    def live_features(self) -> FeatureSet:
        """The features of members, then those of the detector that they lack."""
        detector = None if self.detector is None else detector_of(self.detector)
        return with_features_of(self.features, detector)

    @cached_property
    def detector_columns(self) -> Ints:
        """Places among the columns of `live_features` of those that the detector looks at."""
        assert self.detector is not None
        columns = self.live_features.columns
        return np.array([columns.index(name) for name in self.detector.columns])

    def regimes(self, panel: Panel, table: FeatureTable, rows: Rows) -> Floats | None:
        """(n_rows, 6) probabilities of regimes at rows of a feature table; None if none needs them.

        panel  the bars that the table was made of
        """
        if self.detector is None:
            return None
        own = detector_of(self.detector).feature_set.compute(panel)
        return regimes_at(self.detector, own, own.decisions.find(table.decisions.take(rows)))

    @property
    def length_us(self) -> int:
        """Length of its bars, microseconds."""
        assert self.bars.length_us is not None  # bars were read to train it
        return self.bars.length_us

    @property
    def lookback_bars(self) -> int:
        """Rows of features that one forecast needs."""
        return max(member.model.lookback_bars for member in self.members.values())

    @property
    def history_bars(self) -> int:
        """Bars, up to the newest, from which a forecast is that of all history; 0 where unknown."""
        needed = self.bars.history_bars
        return needed + self.lookback_bars - 1 if needed else 0

    def lacks_history(self, symbol: str, opened_at: np.datetime64, n_bars: int) -> str:
        """What a forecast lacks whose bars begin at `opened_at`, in words; else nothing.

        Bars that go as far back as those it was trained on are enough.
        """
        began_at = self.bars.began_at.get(symbol)
        if n_bars >= self.history_bars or (began_at and opened_at <= as_time(began_at)):
            return ""
        return (
            f"{n_bars:,} bar(s) of {symbol} lead up to a forecast, and its features need "
            f"{self.history_bars:,} to forget where a history begins: with fewer, forecasts differ "
            "from those of all history. Give earlier bars too."
        )

    @property
    def edge(self) -> str:
        """Its verdict in a word: none, unproven or supported; "not given" without one."""
        return NOT_GIVEN if self.verdict is None else self.verdict.edge

    @property
    def _packages(self) -> list[str]:
        """Libraries whose versions change what the ensembles have learned."""
        return [name for each in self.layers.fitted.values() for name in each.ensemble.packages]

    @property
    def max_gap(self) -> str:
        """The furthest apart that neighbouring rows of one forecast may lie."""
        return min((each.max_gap for each in self.members.values()), key=parse_duration)

    def with_history(self, table: FeatureTable, rows: Rows) -> Rows:
        """Those of `rows` that every member can forecast: enough rows before, and no long gap."""
        return rows_with_history(table, rows, self.lookback_bars, self.max_gap)

    def forecast(
        self,
        table: FeatureTable,
        rows: Rows,
        kind: Kind = "forward",
        *,
        regimes: Floats | None = None,
    ) -> dict[str, Forecast]:
        """The forecast of the ensemble that answers, of those it combines, and of every member.

        regimes  (n_rows, 6) as `regimes` gives them, where ensembles need them
        """
        context = {"features": table.values[rows]}
        if regimes is not None:
            context["regimes"] = regimes
        values = {name: member.predict(table, rows) for name, member in self.members.items()}
        decisions = table.decisions.take(rows)
        stacked = Stacked(
            tuple(values),
            decisions,
            self.target,
            np.stack(list(values.values()), axis=1),
            context=context,
        )
        *lower, (name, last) = self.layers.predict(stacked).items()
        through = TrainedThrough(np.full(len(rows), self.trained_through, "datetime64[us]"))
        return {
            each: Forecast(decisions, self.target, numbers, through, kind)
            for each, numbers in ({name: last} | dict(lower) | values).items()
        }

    def save(self, folder: Path) -> None:
        """Write the artifact, whole or not at all, with its verdict beside the manifest."""
        with new_folder(folder) as scratch:
            for name, member in self.members.items():
                member.save(scratch / "members" / name)
            for name, each in self.layers.fitted.items():
                each.save(scratch / ENSEMBLES_FOLDER / name)
            if self.detector is not None:
                self.detector.save(scratch / DETECTOR)
            manifest = {
                "format": self.format,
                **self.target.to_json(),
                "features": self.features.content(),
                "features_id": self.features.id,
                "columns": list(self.features.columns),
                "members": list(self.members),
                "ensembles": [
                    {
                        "name": name,
                        "ensemble": each.ensemble.content(),
                        "of": list(each.members),
                        "trained_through": str(each.trained_through),
                    }
                    for name, each in self.layers.fitted.items()
                ],
                "detector_features_id": None
                if self.detector is None
                else detector_of(self.detector).feature_set.id,
                "trained_through": str(self.trained_through),
                "bars": self.bars.to_json(),
                "about": self.provenance.to_json(),
                "versions": {"python": sys.version.split()[0]}
                | _versions((*_RECORDED, *self._packages)),
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
            if self.verdict is not None:
                write_verdict(scratch, self.verdict)

    @classmethod
    def load(cls, folder: Path | str) -> TrainedEnsemble:
        """Read an artifact; `ArtifactError` unless every byte of it is as it was written."""
        folder = Path(folder)
        if not folder.is_dir():
            raise ConfigError(
                f"There is no artifact {folder}. Give the folder of a run or artifact."
            )
        try:
            found = cls._read(folder, verified_manifest(folder))
            return replace(found, manifest_sha256=manifest_hash(folder))
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
        layers = {each.name: _ensemble(folder, each) for each in manifest.ensembles}
        *lower, (name, ensemble) = layers.items()
        detector = None
        if manifest.detector_features_id is not None:
            detector = _detector(folder, manifest)
        elif any("regimes" in each.ensemble.needs for each in layers.values()):
            _require(folder, False, "an ensemble needs regimes, and it holds no detector")
        bars = BarFormat.from_json(manifest.bars.model_dump(exclude_unset=True))
        bars.check()
        provenance = Provenance.from_json(manifest.about.model_dump(exclude_unset=True))
        levels_of(provenance.checks)
        verdict = read_verdict(folder)
        if verdict is None and (old := manifest.about.verdict) is not None:
            verdict = GivenVerdict(old.edge, old.sentence, old.horizon, trials=old.trials)
        found = cls(
            features,
            target,
            members,
            ensemble,
            bars,
            provenance,
            verdict,
            lower=dict(lower),
            name=name,
            detector=detector,
        )
        recorded = as_time(manifest.trained_through)
        _require(
            folder, recorded == found.trained_through, f"{recorded} is not when training ended"
        )
        kept = found.lookback_bars * len(features.columns)
        _require(folder, kept <= _MOST_KEPT, f"it looks back {found.lookback_bars:,} bars")
        for facts in manifest.ensembles:
            own = layers[facts.name].ensemble.of
            _require(folder, own in ((), tuple(facts.of)), f"{facts.name} combines {list(own)}")
        check_ensembles(found.layers, target, len(features.columns), bars.symbols[0], folder)
        return found


def _detector(folder: Path, manifest: Manifest) -> FittedModel:
    found = FittedModel.load(folder / DETECTOR)
    own = detector_of(found).feature_set
    if own.id != manifest.detector_features_id:
        raise ArtifactError(
            f"{folder} detects regimes by features whose formula has changed since. Run its study "
            f"again, or load it with barstack {manifest.versions.get('barstack')}."
        )
    _require(folder, found.columns == own.columns, "its detector looks at other features")
    kept = found.model.lookback_bars * len(own.columns)
    _require(folder, kept <= _MOST_KEPT, f"its detector looks back {found.model.lookback_bars:,}")
    return found


def _ensemble(folder: Path, facts: EnsembleFacts) -> FittedEnsemble:
    ensemble, through = ENSEMBLES.parse(facts.ensemble), as_time(facts.trained_through)
    places = (folder / ENSEMBLES_FOLDER / facts.name, folder / "ensemble", folder / "ensemble.json")
    learned = next((each for each in places if each.exists()), places[0])  # two as they once were
    return FittedEnsemble.load(ensemble, learned, tuple(facts.of), through)


def _require(where: Path, fine: bool | np.bool_, why: str) -> None:
    if not fine:
        raise ArtifactError(f"{where} does not hold what was saved: {why}. {WAY_OUT}")


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
