"""Detectors in small sizes, trained on simulated bars."""

from __future__ import annotations

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Rows
from barstack.datasets import Dataset
from barstack.features import FeatureTable
from barstack.labels import regime_labels
from barstack.models import MODELS, DetectedRegimes, RegimeDetector, train

NAMES = [name for name in MODELS.names() if MODELS.get(name).family == "regime"]


def detector_of(name: str) -> RegimeDetector:
    found = MODELS.parse(name)
    assert isinstance(found, RegimeDetector)
    return found


def rows_of(detector: RegimeDetector, bars: Bars) -> tuple[Dataset, Rows]:
    """A dataset of a detector's features, and the rows that it can forecast."""
    table = detector.feature_set.compute(bars)
    dataset = Dataset(table, regime_labels(table.decisions))
    return dataset, dataset.with_history(np.flatnonzero(dataset.usable), detector.lookback_bars)


def detected(
    detector: RegimeDetector, bars: Bars, share: float = 0.5, seed: int = 0
) -> tuple[DetectedRegimes, FeatureTable, Rows]:
    """The detector trained on the first rows, the table, and the later rows."""
    dataset, rows = rows_of(detector, bars)
    cut = int(share * len(rows))
    fitted = train(detector, dataset, rows[:cut], seed)
    return DetectedRegimes(fitted), dataset.features, rows[cut:]
