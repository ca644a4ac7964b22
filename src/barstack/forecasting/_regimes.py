"""Regimes for ensembles that need them: what a detector says at each row, and nothing before."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import ArtifactError
from barstack.core.forecast import REGIMES
from barstack.datasets import rows_with_history
from barstack.features import FeatureSet, FeatureTable
from barstack.models import FittedModel, RegimeDetector

NO_REGIME = np.full(len(REGIMES), 1.0 / len(REGIMES))  # where a detector has nothing to go by


def detector_of(fitted: FittedModel) -> RegimeDetector:
    """The recipe of a detector; `ArtifactError` for any other model."""
    if not isinstance(fitted.model, RegimeDetector):
        raise ArtifactError(f"A {type(fitted.model).__name__} detects no regimes.")
    return fitted.model


def with_features_of(features: FeatureSet, detector: RegimeDetector | None) -> FeatureSet:
    """The same features, then those of a detector that are not among them."""
    if detector is None:
        return features
    more = [each for each in detector.features if each not in features.features]
    return FeatureSet(features=(*features.features, *more), series=features.series)


def regimes_at(detector: FittedModel, table: FeatureTable, rows: Rows) -> Floats:
    """(n_rows, 6) probabilities of `REGIMES`, all alike where too few rows lead up to one.

    table  of the detector's features
    """
    found = np.tile(NO_REGIME, (len(rows), 1))
    lookback = detector.model.lookback_bars
    able = np.isin(rows, rows_with_history(table, rows, lookback, detector.max_gap))
    if able.any():
        found[able] = detector.predict(table, rows[able])[:, 0]
    return found
