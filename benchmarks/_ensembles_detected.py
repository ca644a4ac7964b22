"""Regimes of each decision, by a detector that is trained before each fold; kept in files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from _ensembles_members import CODE, place, saved

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.core.errors import DataError
from barstack.core.forecast import REGIMES
from barstack.datasets import Dataset
from barstack.ensembles import Stacked
from barstack.labels import regime_labels
from barstack.models import MODELS, train
from barstack.models.regimes import RegimeDetector

DETECTOR = "regime_hmm"
_CODE = (*CODE, "models/regimes")


def dataset_of(detector: RegimeDetector, panel: Mapping[str, Bars]) -> Dataset:
    """A detector's own features, and labels that say nothing."""
    table = detector.feature_set.compute(dict(panel))
    return Dataset(table, regime_labels(table.decisions))


def detector_of(name: str = DETECTOR, **settings: Any) -> RegimeDetector:
    """A detector by name."""
    model = MODELS.parse({"model": name, **settings})
    assert isinstance(model, RegimeDetector)
    return model


def detected(panel: Mapping[str, Bars], stacked: Stacked) -> Floats:
    """(n_rows, 6) probabilities of REGIMES, uniform where the detector has no forecast.

    For each fold it is trained on the rows decided before the fold's first decision.
    """
    detector = detector_of()
    dataset = dataset_of(detector, panel)
    at, fold = dataset.decisions.find(stacked.decisions), stacked.fold
    assert fold is not None
    found = np.full((len(stacked), len(REGIMES)), 1.0 / len(REGIMES))
    for each in np.unique(fold):
        test = np.flatnonzero(fold == each)
        begins = stacked.decisions.decided_at[test].min()
        rows = np.flatnonzero(dataset.usable & (dataset.decisions.decided_at < begins))
        try:
            fitted = train(detector, dataset, rows, 0, threads=1)
            able = np.isin(at[test], fitted.forecastable(dataset, at[test]))
        except DataError:  # too few rows with a full window
            continue
        found[test[able]] = fitted.predict(dataset.features, at[test[able]])[:, 0]
    return found


def with_regimes(stacked: Stacked, about: Any, panel: Callable[[], Mapping[str, Bars]]) -> Stacked:
    """The same rows with their regimes in the context; made once.

    about  says which bars, folds and rows these are
    """
    content = json.dumps([detector_of().content(), about], sort_keys=True)
    file = place(f"{hashlib.sha256(content.encode()).hexdigest()[:20]}-regimes", _CODE)
    if not file.is_file():
        saved(file, {"regimes": detected(panel(), stacked)})
    with np.load(file, allow_pickle=False) as arrays:
        return replace(stacked, context={**stacked.context, "regimes": arrays["regimes"]})
