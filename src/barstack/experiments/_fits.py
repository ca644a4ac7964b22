"""Fits of members, fold by fold and finally. A run and the audit fit through `fit_fold` alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Rows
from barstack.core.forecast import Forecast, Target, concatenate
from barstack.core.seeds import derive_seed
from barstack.core.times import TrainedThrough, iso
from barstack.datasets import Dataset, Scaler
from barstack.features import FeatureTable
from barstack.labels import LabelTable, SampleWeights
from barstack.models import FittedModel, FoldTrainer, Model
from barstack.splits import Fold
from barstack.tracking import OutOfFold

from ._arrays import load_arrays, save_arrays
from ._labels import StudyLabels
from ._study import Study
from ._task import Operation, Place, Task, Workspace, stage


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What all members of a study are fitted on; folds with the same labels share work."""

    features: FeatureTable
    labels: StudyLabels
    folds: list[Fold]
    scaler: Scaler
    weights: SampleWeights
    max_gap: str
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def dataset(self, fold: int | None = None) -> Dataset:
        """As members of a fold see it, by default for the final fit."""
        if fold is None or not self.labels.folds:
            return self._final
        return self.of(self.features, self.labels.of(fold).table)

    def of(self, features: FeatureTable, labels: LabelTable) -> Dataset:
        """Other features and labels, seen alike."""
        return Dataset(features, labels, self.scaler, self.weights, self.max_gap)

    def rows(self, fold: int | None) -> Rows:
        """Training rows of a fold whose labels are known; of the final fit all such rows."""
        dataset = self.dataset(fold)
        if fold is not None:
            rows = self.folds[fold].train
        else:
            every = np.flatnonzero(dataset.usable)
            rows = every[np.argsort(dataset.decisions.decided_at[every], kind="stable")]
        return rows[~np.isnat(dataset.labels.all_known_at[rows])]

    def trainer(self, fold: int | None) -> tuple[FoldTrainer, int]:
        """What trains models on a fold, and the fold's place in it."""
        if self.labels.folds:  # labels differ by fold, and so nothing is shared
            return FoldTrainer(self.dataset(fold), [self.rows(fold)]), 0
        with self._lock:
            return self._shared, len(self.folds) if fold is None else fold

    @cached_property
    def _final(self) -> Dataset:
        return self.of(self.features, self.labels.final.table)

    @cached_property
    def _shared(self) -> FoldTrainer:
        folds: list[int | None] = [*range(len(self.folds)), None]
        return FoldTrainer(self._final, [self.rows(fold) for fold in folds])


def fit_fold(
    data: TrainingData,
    model: Model,
    fold: int | None,
    seed: int,
    *,
    threads: int | None = None,
    folder: Path | None = None,
) -> FittedModel:
    """A model fitted for one fold, or on everything for the artifact.

    Parameters
    ----------
    fold     its number; None for the final fit
    seed     of the study
    threads  by default all cores
    folder   where a model that can resume keeps its checkpoint
    """
    options: dict[str, Any] = {"folder": folder} if model.resumes and folder is not None else {}
    trainer, place = data.trainer(fold)
    own_seed = derive_seed(seed, model.id, "final" if fold is None else fold)
    fitted = trainer.train(model, place, own_seed, threads=threads, **options)
    through = data.labels.of(fold).through
    if through is None:
        return fitted
    return replace(fitted, trained_through=max(fitted.trained_through, through))


@dataclass(frozen=True, eq=False)
class FoldFit:
    """What is kept of a member's fit on one fold.

    Attributes
    ----------
    forecast    of the fold's test rows
    validation  of the rows that the fit stopped early by; None where it stops by none
    facts       how the fit went
    """

    forecast: Forecast
    validation: Forecast | None
    facts: dict[str, Any]


@dataclass(frozen=True, eq=False)
class FinalFit:
    """A member's fit on everything known."""

    fitted: FittedModel
    facts: dict[str, Any]


@dataclass(frozen=True, eq=False)
class MemberForecasts:
    """A member's forecasts out of fold, with the fold of each, and facts on its fits."""

    out_of_fold: OutOfFold
    validation: OutOfFold | None
    facts: list[dict[str, Any]]


def training_data(
    workspace: Workspace,
    features: FeatureTable,
    labels: StudyLabels,
    folds: list[Fold],
    *,
    scaler: Scaler,
    weights: SampleWeights,
    max_gap: str,
) -> TrainingData:
    """What members are fitted on, which every process makes anew."""
    return TrainingData(features, labels, folds, scaler, weights, max_gap)


def fit_one(
    workspace: Workspace, data: TrainingData, *, model: Model, fold: int, seed: int
) -> FoldFit:
    """A member's fit on one fold, by its forecasts."""
    fitted = fit_fold(data, model, fold, seed, threads=workspace.threads, folder=workspace.scratch)
    dataset, tested = data.dataset(fold), data.folds[fold]
    requested = tested.test[dataset.labels.eligible[tested.test]]
    rows = fitted.forecastable(dataset, requested)
    waiting = _untrained(fitted, dataset, requested)
    if waiting:
        workspace.progress.note(_waiting_note(model, fold, waiting))
    validation = None
    if fitted.stop_rows is not None and len(fitted.stop_rows):
        validation = fitted.forecast(data.features, fitted.stop_rows, "in_sample")
    forecast = fitted.forecast(data.features, rows, tested.kind)
    return FoldFit(forecast, validation, fit_facts(fitted, fold) | {"untrained": waiting})


def fit_finally(workspace: Workspace, data: TrainingData, *, model: Model, seed: int) -> FinalFit:
    """A member's fit on everything known, for the artifact."""
    fitted = fit_fold(data, model, None, seed, threads=workspace.threads, folder=workspace.scratch)
    return FinalFit(fitted, fit_facts(fitted, None))


def join_folds(workspace: Workspace, *fits: FoldFit) -> MemberForecasts:
    """A member's forecasts of all folds, in the order of the folds."""
    validation = {n: fit.validation for n, fit in enumerate(fits) if fit.validation is not None}
    return MemberForecasts(
        joined({number: fit.forecast for number, fit in enumerate(fits)}),
        joined(validation) if validation else None,
        [fit.facts for fit in fits],
    )


def joined(forecasts: Mapping[int, Forecast]) -> OutOfFold:
    """Forecasts by fold, one after the other."""
    lengths = [len(each) for each in forecasts.values()]
    return OutOfFold(
        concatenate(list(forecasts.values())), np.repeat(np.array(list(forecasts)), lengths)
    )


def fit_facts(fitted: FittedModel, fold: int | None) -> dict[str, Any]:
    """How a fit went: what it has seen and, of a network, its learning curves."""
    assert fitted.fit_rows is not None  # it was not loaded
    assert fitted.stop_rows is not None
    return {
        "fold": "final" if fold is None else fold,
        "rows": len(fitted.fit_rows),
        "stop_rows": len(fitted.stop_rows),
        "trained_through": iso(fitted.trained_through),
        "curves": fitted.curves(),
    }


def _untrained(fitted: FittedModel, dataset: Dataset, rows: Rows) -> dict[str, int]:
    """Number of `rows` not forecast, by symbol: of symbols that no training row was of."""
    known = fitted.model.symbols(fitted.learned)
    if known is None:
        return {}
    symbols, counts = np.unique(dataset.decisions.symbol[rows], return_counts=True)
    pairs = zip(symbols.tolist(), counts.tolist(), strict=True)
    return {symbol: count for symbol, count in pairs if symbol not in known}


def _waiting_note(model: Model, fold: int, waiting: Mapping[str, int]) -> str:
    listed = ", ".join(f"{count:,} of {symbol}" for symbol, count in waiting.items())
    name = model.registered_as[1] if model.registered_as else type(model).__name__
    return (
        f"{name}, fold {fold}: {listed} not forecast, as too few training rows with a full "
        "window come before"
    )


def save_fit(fit: FoldFit, place: Place) -> None:
    _save_forecast(fit.forecast, place.folder / "test")
    if fit.validation is not None:
        _save_forecast(fit.validation, place.folder / "validation")
    write_json(place.folder / "facts.json", fit.facts)


def load_fit(place: Place) -> FoldFit:
    validation = place.folder / "validation"
    return FoldFit(
        _load_forecast(place.folder / "test"),
        _load_forecast(validation) if validation.is_dir() else None,
        json.loads((place.folder / "facts.json").read_text()),
    )


def _save_forecast(forecast: Forecast, folder: Path) -> None:
    folder.mkdir()
    through = forecast.trained_through
    save_arrays(folder, forecast.decisions, values=forecast.values, trained_through=through)
    write_json(folder / "target.json", {**forecast.target.to_json(), "kind": forecast.kind})


def _load_forecast(folder: Path) -> Forecast:
    decisions, arrays = load_arrays(folder)
    about = json.loads((folder / "target.json").read_text())
    through = TrainedThrough(arrays["trained_through"])
    target = Target.from_json(about)
    return Forecast(decisions, target, arrays["values"], through, about["kind"])


def save_final(fit: FinalFit, place: Place) -> None:
    fit.fitted.save(place.folder / "final")
    write_json(place.folder / "facts.json", fit.facts)


def load_final(place: Place) -> FinalFit:
    facts = json.loads((place.folder / "facts.json").read_text())
    return FinalFit(FittedModel.load(place.folder / "final"), facts)


def save_member(member: MemberForecasts, place: Place) -> None:
    place.forecasts.write(place.key, member.out_of_fold)
    if member.validation is not None:
        place.forecasts.write(_validation_key(place.key), member.validation)
    write_json(place.folder / "facts.json", member.facts)


def load_member(place: Place) -> MemberForecasts:
    facts = json.loads((place.folder / "facts.json").read_text())
    stops = any(each["stop_rows"] for each in facts)
    validation = place.forecasts.read(_validation_key(place.key)) if stops else None
    return MemberForecasts(place.forecasts.read(place.key), validation, facts)


def _validation_key(key: str) -> str:
    return f"{key}-validation"


def write_json(file: Path, content: Any) -> None:
    """Plain data as a file."""
    file.write_text(json.dumps(content, indent=1))


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of packages by name."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


TRAINING = Operation("training", training_data, ("datasets",))
FIT = Operation("fit", fit_one, ("models",), save_fit, load_fit)
FINAL_FIT = Operation("final_fit", fit_finally, ("models",), save_final, load_final)
MEMBER = Operation("member", join_folds, ("core",), save_member, load_member)


@stage("members")
def member_tasks(study: Study, n_folds: int) -> Iterable[Task]:
    """Fits of each member on each fold, its forecasts out of fold, and a final fit."""
    shared = {"scaler": study.scaler, "weights": study.weights, "max_gap": study.max_gap}
    yield Task("training", TRAINING, ("features", "labels", "split"), shared)
    for fold in (*range(n_folds), None):  # by fold: its members share the samples
        for name, model in study.members.items():
            settings: dict[str, Any] = {"model": model, "seed": study.seed}
            operation = FINAL_FIT if fold is None else FIT
            yield Task(
                fit_name(name, fold),
                operation,
                ("training",),
                settings if fold is None else settings | {"fold": fold},
                environment=[model.files_id(), versions(model.packages)],
                alone=not model.concurrent,
                part_of=f"member {name}",
            )
    for name in study.members:
        fits = tuple(fit_name(name, fold) for fold in range(n_folds))
        # Fits begin beside the audit, and count for nothing where it finds a leak.
        yield Task(f"member {name}", MEMBER, fits, after=("audit",))


def fit_name(member: str, fold: int | None) -> str:
    """Name of the task of one fit."""
    return f"fit {member} {'final' if fold is None else fold}"
