"""Rows that a model can be trained on, and the scale of their labels."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import DataError
from barstack.datasets import Dataset, rows_with_history

_ANY_GAP = "999999w"


def rows_with_enough(dataset: Dataset, rows: Rows, lookback: int, apart_from: Rows | None) -> Rows:
    """Those of `rows` with that much history; `DataError` where too few are left to train on."""
    kept = dataset.with_history(rows, lookback, apart_from)
    if len(kept) < 2:
        raise DataError(_too_few(dataset, lookback, rows, kept))
    return kept


def _too_few(dataset: Dataset, lookback: int, given: Rows, kept: Rows) -> str:
    few = f"{len(kept)} rows are too few to train on; the model looks back {lookback} bars"
    across = rows_with_history(dataset.features, given, lookback, max_gap=_ANY_GAP)
    if len(across) > len(kept):
        return (
            f"{few}, and gaps longer than {dataset.max_gap} lie within those of "
            f"{len(across) - len(kept):,} more rows. Give a larger max_gap, or bars without gaps."
        )
    return f"{few}. Give more bars, or let it look back less."


def label_scale(dataset: Dataset, rows: Rows) -> Floats:
    """(n_horizons,) by which labels are divided for training: 1 for classes."""
    if dataset.target.n_classes:
        return np.ones(len(dataset.target.horizons))
    deviation = dataset.labels.values[rows].std(axis=0)
    return np.where(deviation > 0.0, deviation, 1.0)
