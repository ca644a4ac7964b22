"""Poison for what a fit may not see: wild numbers that nothing could overlook."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from barstack.core.arrays import Bools, Floats
from barstack.core.times import NEVER, KnownAt
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._cuts import Kind, altered
from ._folds import misplaced, overlapping
from ._pipeline import Data, Fit

Dose = Literal["driven", "drowned", "answers", "cut"]
_FEW = 24  # values of a column that is read as classes
_WILD = 20.0  # deviations


@dataclass(frozen=True, eq=False)
class Poisoned:
    """What a fit is given instead.

    compared  (n_test_rows,) forecasts that must stay as they are; their own features are untouched
    """

    data: Data
    features: FeatureTable
    labels: LabelTable
    compared: Bools


def unseen(labels: LabelTable, fold: Fold, base: Fit) -> Bools:
    """(n_rows,) rows whose labels the fold may not learn from.

    Forward: all that are not known by the first decision of the test. Crossed: all but those
    that its stages name, where they keep clear of the test. Training rows are the fold's affair:
    where they reach into the test, that is reported of the fold.
    """
    if fold.kind == "forward":
        hidden = misplaced(labels, fold, np.arange(len(labels.decisions)))
        hidden[fold.train] = False
        return hidden
    hidden = np.ones(len(labels.decisions), bool)
    for stage in base.stages:
        for rows in (*([] if stage.rows is None else [stage.rows]), *stage.disjoint_from.values()):
            hidden[rows[~overlapping(labels, rows, fold.test)]] = False
    hidden[fold.train] = False
    return hidden


def poison(
    data: Data,
    features: FeatureTable,
    labels: LabelTable,
    fold: Fold,
    hidden: Bools,
    dose: Dose,
    at: np.datetime64 | None = None,
) -> Poisoned:
    """All that must not matter, in one dose.

    driven   hidden labels follow a feature, so that selection, tuning and early stopping would
             change their minds; features of the later half of the test are wild
    drowned  hidden labels are noise; all features from the test on are wild
    answers  hidden labels are noise and known at other times; features stay as they are, and so
             must all forecasts
    cut      features of the test after `at` are wild
    """
    rng = np.random.default_rng(len(fold.test) + (dose == "drowned"))
    decided_at = features.decisions.decided_at
    begins = decided_at[fold.test].min()
    if dose == "answers":
        answers = _wild_labels(labels, features.values, hidden, dose, rng)
        every = np.ones(len(fold.test), bool)
        return Poisoned(data, features, _other_times(answers, begins, hidden, rng), every)
    if dose == "cut" and at is not None:
        other = replace(features, values=wild_after(features, fold, at, rng))
        return Poisoned(data, other, labels, decided_at[fold.test] <= at)
    times = np.unique(decided_at[fold.test])
    last = times[len(times) // 2] if dose == "driven" else begins - np.timedelta64(1, "us")
    other = replace(features, values=wild_after(features, fold, last, rng))
    kind: Kind = "altered" if dose == "driven" else "drowned in noise"
    return Poisoned(
        altered(data, begins, kind, rng) if fold.kind == "forward" else data,
        other,
        _wild_labels(labels, features.values, hidden, dose, rng),
        decided_at[fold.test] <= last,
    )


def wild_after(
    features: FeatureTable, fold: Fold, last: np.datetime64, rng: np.random.Generator
) -> Floats:
    """Features, wild in what is decided after a moment and not trained on."""
    wild = features.decisions.decided_at > last
    wild[fold.train] = False
    if fold.kind != "forward":  # what is trained on after the test is not to be touched
        only = np.zeros(len(wild), bool)
        only[fold.test] = True
        wild &= only
    return _wild_features(features.values, wild, rng)


def retrained(
    data: Data, features: FeatureTable, labels: LabelTable, fold: Fold
) -> tuple[Data, FeatureTable, LabelTable]:
    """Everything as it never was: bars, features and labels, those of the training among them."""
    rng = np.random.default_rng(len(fold.train))
    every = np.ones(len(features.decisions), bool)
    values = _wild_features(features.values, every, rng)
    begins = features.decisions.decided_at.min()
    return (
        altered(data, begins, "drowned in noise", rng),
        replace(features, values=values),
        _wild_labels(labels, features.values, every, "driven", rng),
    )


def _other_times(
    labels: LabelTable, begins: np.datetime64, rows: Bools, rng: np.random.Generator
) -> LabelTable:
    """Hidden answers come up to twice as late: what is not known by the test's begin stays so."""
    known_at = labels.known_at.copy()
    took = known_at - labels.decisions.decided_at[:, None]
    known_at[rows] += (took[rows] * rng.random((int(rows.sum()), 1))).astype("timedelta64[us]")
    return replace(labels, known_at=KnownAt(known_at))


def _wild_features(values: Floats, rows: Bools, rng: np.random.Generator) -> Floats:
    found = values.copy()
    for place in range(values.shape[1]):
        column = values[:, place]
        here = rows & np.isfinite(column)
        seen = column[np.isfinite(column)]
        if not here.any():
            continue
        few = np.unique(seen)
        if len(few) <= _FEW:  # mostly the rarest class, and no class that never was
            counts = np.array([(seen == each).sum() for each in few])
            found[here, place] = rng.choice(few, here.sum(), p=(1 / counts) / (1 / counts).sum())
        else:
            size = max(float(seen.std()), 1e-12)
            found[here, place] += size * (2.0 + rng.normal(0.0, _WILD / 4, here.sum()))
    return found


def _wild_labels(
    labels: LabelTable, features: Floats, rows: Bools, dose: Dose, rng: np.random.Generator
) -> LabelTable:
    column = features[:, int(rng.integers(features.shape[1]))]
    seen = np.where(np.isfinite(column), column, np.nanmedian(column))
    order = np.argsort(np.argsort(seen[rows])) / max(rows.sum(), 1)
    driver = order - 0.5 if dose == "driven" else rng.normal(size=int(rows.sum()))
    values, returns = labels.values.copy(), labels.returns.copy()
    for place in range(values.shape[1]):
        values[rows, place] = _wild(values[:, place], rows, driver, dose)
        returns[rows, place] = _wild(returns[:, place], rows, driver, dose)
    known_at = labels.known_at.copy()
    if dose == "drowned":  # not yet known, for a fit that asks
        known_at[rows] = NEVER
    return replace(labels, values=values, returns=returns, known_at=KnownAt(known_at))


def _wild(column: Floats, rows: Bools, driver: Floats, dose: Dose) -> Floats:
    own = column[rows]
    seen = column[np.isfinite(column)]
    classes = np.unique(seen)
    if len(classes) <= _FEW and len(classes):
        if dose == "driven":
            place = ((driver + 0.5) * len(classes)).astype(int).clip(0, len(classes) - 1)
        else:
            place = (np.searchsorted(classes, np.nan_to_num(own)) + 1) % len(classes)
        other = classes[place]
    else:
        size = float(seen.std()) if len(seen) else 1.0
        other = _WILD * max(size, 1e-12) * driver
    return np.where(np.isfinite(own), other, own)  # an open label stays open
