"""Probabilities and classes: Brier score, calibration error, precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.core.errors import DataError

from .. import _metrics as metrics
from .._standard_errors import TimeBlocks
from ._measure import Measure, of_sums

_FEWEST_IN_A_BIN = 2


@dataclass(frozen=True)
class ClassMeasures:
    """How well one class is recognised.

    Attributes
    ----------
    name
        Such as BUY.
    precision
        Share of forecasts of the class that were right.
    recall
        Share of the class's rows that were forecast.
    f1
        Harmonic mean of both.
    """

    name: str
    precision: Measure
    recall: Measure
    f1: Measure


def class_measures(
    realised: Ints, predicted: Ints, n_classes: int, blocks: TimeBlocks
) -> list[ClassMeasures]:
    """Precision, recall and F1 of each class; without value where nothing is counted.

    Parameters
    ----------
    realised, predicted
        (n_rows,) classes from 0 on.
    n_classes
        2 (DOWN, UP) or 3 (SELL, HOLD, BUY).
    blocks
        Of the rows.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(6) * np.timedelta64(1, "h")
    >>> from barstack.evaluation.measures import blocks_of
    >>> realised, predicted = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 0])
    >>> up = class_measures(realised, predicted, 2, blocks_of(times, 1))[1]
    >>> up.name, round(up.precision.value, 2), round(up.f1.value, 2)
    ('UP', 0.67, 0.67)
    """
    found = []
    for number, name in enumerate(metrics.CLASS_NAMES[n_classes]):
        real, forecast = realised == number, predicted == number
        terms = np.stack([real & forecast, forecast, real, forecast * 1.0 + real], axis=1).astype(
            np.float64
        )
        found.append(
            ClassMeasures(
                name,
                of_sums(lambda sums: _share(sums[:, 0], sums[:, 1]), terms, blocks),
                of_sums(lambda sums: _share(sums[:, 0], sums[:, 2]), terms, blocks),
                of_sums(lambda sums: _share(2.0 * sums[:, 0], sums[:, 3]), terms, blocks),
            )
        )
    return found


def brier(probabilities: Floats, label: Floats, blocks: TimeBlocks) -> Measure:
    """Mean squared error of probabilities. Brier (1950).

    Parameters
    ----------
    probabilities
        (n_rows, 1) of class 1, whose error is that of one class; or (n_rows, n_classes), whose
        errors are summed over the classes.
    label
        (n_rows,) realised class.
    blocks
        Of the rows.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(2) * np.timedelta64(1, "h")
    >>> from barstack.evaluation.measures import blocks_of
    >>> brier(np.array([[0.5], [1.0]]), np.array([1.0, 1.0]), blocks_of(times, 1)).value
    0.125
    """
    n_classes = probabilities.shape[1]
    if n_classes == 1:
        losses = (probabilities[:, 0] - label) ** 2
    else:
        losses = ((probabilities - np.eye(n_classes)[label.astype(np.int64)]) ** 2).sum(axis=1)
    return of_sums(metrics.mean_of_sums, metrics.mean_terms(losses), blocks)


def calibration_error(
    probability: Floats, realised: Floats, blocks: TimeBlocks, bins: int = 10
) -> Measure:
    """How far probabilities lie from the shares that came true: root mean square over bins.

    Bins hold equally many rows. From each squared difference of mean probability and realised
    share its own variance is taken off, as chance adds that much even where all is calibrated:
    the debiased error of Kumar, Liang and Ma (2019), 0 where chance explains everything.

    Parameters
    ----------
    probability
        (n_rows,) of one class.
    realised
        (n_rows,) 1 where it was realised, else 0.
    blocks
        Of the rows.

    Raises
    ------
    DataError
        Where probabilities lie outside 0 to 1.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(4000) * np.timedelta64(1, "h")
    >>> from barstack.evaluation.measures import blocks_of
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(4000)
    >>> found = calibration_error(p, (rng.random(4000) < p) * 1.0, blocks_of(times, 1))
    >>> found.value < 0.02
    True
    """
    if not ((probability >= 0.0) & (probability <= 1.0)).all():
        raise DataError("Probabilities must lie from 0 to 1, all of them known.")
    edges = np.unique(np.quantile(probability, np.linspace(0.0, 1.0, bins + 1)))
    place = np.clip(
        np.searchsorted(edges, probability, side="right") - 1, 0, max(len(edges) - 2, 0)
    )
    count = int(place.max()) + 1
    inside = np.eye(count)[place]
    difference = probability - realised
    terms = np.hstack([inside, inside * difference[:, None], inside * (difference**2)[:, None]])

    def statistic(sums: Floats) -> Floats:
        rows, total, squares = np.split(sums, 3, axis=1)
        full = rows >= _FEWEST_IN_A_BIN
        rows = np.where(full, rows, 1.0)
        mean = np.where(full, total / rows, 0.0)
        variance = np.where(full, (squares / rows - mean**2) / np.maximum(rows - 1.0, 1.0), 0.0)
        square = (rows * full * (mean**2 - variance)).sum(axis=1) / (rows * full).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(square, 0.0)))

    return of_sums(statistic, terms, blocks)


def _share(over: Floats, under: Floats) -> Floats:
    found = np.full(len(over), np.nan)
    return np.asarray(np.divide(over, under, out=found, where=under > 0.0))
