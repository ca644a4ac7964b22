"""Tasks on regimes: what a detector says of each decision, for ensembles that need it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.datasets import StandardScaler
from barstack.features import FeatureTable
from barstack.forecasting import NO_REGIME, regimes_at
from barstack.labels import SampleWeights, regime_labels
from barstack.models import FittedModel, Model
from barstack.splits import Fold

from ._arrays import load_arrays, save_arrays
from ._data import FEATURES
from ._fits import (
    FinalFit,
    TrainingData,
    fit_facts,
    fit_fold,
    load_final,
    save_final,
    versions,
)
from ._labels import FoldLabels, StudyLabels
from ._study import Study
from ._task import Operation, Place, Task, Workspace, stage


@dataclass(frozen=True, eq=False)
class RegimeTable:
    """(n_rows, 6) probabilities of regimes; alike in rows of no test, or before a detector can."""

    decisions: Decisions
    values: Floats


def regime_data(table: FeatureTable, folds: Sequence[Fold], max_gap: str) -> TrainingData:
    """What a detector is fitted on: its own features, and labels that say nothing."""
    labels = StudyLabels(FoldLabels({}, regime_labels(table.decisions), None))
    return TrainingData(table, labels, list(folds), StandardScaler(), SampleWeights(), max_gap)


def detect_fold(data: TrainingData, detector: Model, fold: int, seed: int) -> FittedModel:
    """A detector fitted for one fold, as any other model is."""
    return fit_fold(data, detector, fold, seed, threads=1)


def detect(
    workspace: Workspace,
    table: FeatureTable,
    folds: list[Fold],
    *,
    detector: Model,
    max_gap: str,
    seed: int,
) -> RegimeTable:
    """What a detector fitted for each fold says of its test rows."""
    data = regime_data(table, folds, max_gap)
    found = np.tile(NO_REGIME, (len(table.values), 1))
    for number, fold in enumerate(folds):
        fitted = detect_fold(data, detector, number, seed)
        found[fold.test] = regimes_at(fitted, table, fold.test)
    return RegimeTable(table.decisions, found)


def save_regimes(found: RegimeTable, place: Place) -> None:
    save_arrays(place.folder, found.decisions, values=found.values)


def load_regimes(place: Place) -> RegimeTable:
    decisions, arrays = load_arrays(place.folder)
    return RegimeTable(decisions, arrays["values"])


def fit_detector(
    workspace: Workspace, table: FeatureTable, *, detector: Model, max_gap: str, seed: int
) -> FinalFit:
    """A detector fitted on every row, for the artifact."""
    fitted = fit_fold(regime_data(table, [], max_gap), detector, None, seed, threads=1)
    return FinalFit(fitted, fit_facts(fitted, None))


REGIMES = Operation("regimes", detect, ("forecasting",), save_regimes, load_regimes)
DETECTOR = Operation("detector", fit_detector, ("models",), save_final, load_final)


@stage("regimes")
def regime_tasks(study: Study, n_folds: int) -> Iterable[Task]:
    """The detector's features, what it says out of fold, and its final fit."""
    if (detector := study.detector) is None:
        return
    yield Task(
        "detector features",
        FEATURES,
        ("bars", "series"),
        {"features": detector.features, "series": {}},
        after=("checks",),
        part_of="regimes",
    )
    settings = {"detector": detector, "max_gap": study.max_gap, "seed": study.seed}
    libraries = versions(detector.packages)
    inputs = ("detector features", "split")
    yield Task("regimes", REGIMES, inputs, settings, environment=libraries)
    yield Task(
        "detector",
        DETECTOR,
        ("detector features",),
        settings,
        environment=libraries,
        part_of="regimes",
    )
