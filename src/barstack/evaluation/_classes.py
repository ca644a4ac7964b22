"""Forecasts of classes against the classes that came."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.core.forecast import Target

NAMES = {2: ("DOWN", "UP"), 3: ("SELL", "HOLD", "BUY")}


def class_of(signal: Floats, target: Target) -> Ints:
    """(n,) the class that a signal stands for, as its side does: of three classes 0 is HOLD.

    >>> class_of(np.array([-0.1, 0.0, 0.3]), Target("three_class", ("4h",)))
    array([0, 1, 2])
    """
    if target.n_classes == 3:
        return 1 + np.sign(signal).astype(np.int64)
    return (signal > 0.0).astype(np.int64)


def counts(came: Ints, forecast: Ints, n_classes: int) -> Ints:
    """(n_classes, n_classes) rows by the class that came, columns by the one forecast."""
    flat = np.bincount(came * n_classes + forecast, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes)


def accuracy(matrix: Ints) -> float:
    """Share of rows whose class was forecast."""
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan")


def balanced_accuracy(matrix: Ints) -> float:
    """Mean over the classes that came of the share of each that was forecast."""
    came = matrix.sum(axis=1)
    present = came > 0
    if not present.any():
        return float("nan")
    return float((np.diag(matrix)[present] / came[present]).mean())


def macro_f1(matrix: Ints) -> float:
    """Mean over the classes that came or were forecast of F1, 2 hits / (came + forecast)."""
    total = matrix.sum(axis=0) + matrix.sum(axis=1)
    present = total > 0
    if not present.any():
        return float("nan")
    return float((2.0 * np.diag(matrix)[present] / total[present]).mean())
