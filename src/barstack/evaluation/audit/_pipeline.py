"""A pipeline as the audit sees it: functions from bars to features, labels, folds and fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barstack.bars import Panel, SeriesTable
from barstack.core.arrays import Array, Floats, Rows
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold


@dataclass(frozen=True)
class Data:
    """Everything a pipeline reads."""

    panel: Panel
    series: Mapping[str, SeriesTable] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Stage:
    """Something fitted for one fold, such as a scaler, a member or a meta-learner.

    name             as leaks call it
    learned          its numbers by name, which are compared bit by bit; one whose last axis is as
                     long as the table of features is read as a number for each column
    rows             whose features or labels it learned from; None for the fold's training rows
    apart_from       by name, rows whose label intervals may overlap none of those of `rows`:
                     early stopping, calibration, what the members behind a meta-learner saw
    trained_through  what it claims: the latest `known_at` of its rows, if it claims anything
    labels           what it learned from, where the fold labels rows in a way of its own, such as
                     by barriers fitted on its training rows
    reads            data files that it opened, where the fit watches that by `files_read`
    """

    name: str
    learned: Mapping[str, Array]
    rows: Rows | None = None
    apart_from: Mapping[str, Rows] = field(default_factory=dict)
    trained_through: np.datetime64 | None = None
    labels: LabelTable | None = None
    reads: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Fit:
    """All that was fitted for one fold, in the order of the flow.

    forecast  (n_test_rows, ...) forecasts of the fold's test rows, in their order
    predict   what it forecasts for some rows of a feature table, (n_rows, ...) each by itself:
              given, it is asked for single rows and with later rows altered, which takes no fit
    afresh    the same fit once more, each part right after others that have seen everything;
              where it is not given, fits of other data stand for those
    weights   files of weights that it declares and that may be opened
    """

    stages: Sequence[Stage]
    forecast: Floats | None = None
    predict: Callable[[FeatureTable, Rows], Floats] | None = None
    afresh: Callable[[], Fit] | None = None
    weights: Sequence[str] = ()

    def declared(self, path: str) -> bool:
        """Whether it is one of the files of weights."""
        return path in self.weights


@dataclass(frozen=True)
class Pipeline:
    """Four functions, each of which is called again on altered data.

    features  of `Data`: a `FeatureTable`, or a pandas or polars table with `symbol` and
              `decided_at` as columns or index, and one column for each feature
    labels    of `Data`: a `LabelTable`, or such a table with `known_at` and a column for each
              label; its rows are those of the features
    folds     of the two tables: `Fold`s, or pairs of row numbers to train on and to test, as
              splitters of scikit-learn give them
    fit       of the data, the two tables, the folds and the number of one: a `Fit`. It must give
              the same bits when called twice. What a fit reads of the bars themselves, such as
              paths for barriers, it takes from the data it is given

    traded    whether profits are computed from the labels' returns, which must then be those of a
              holding; else only labels whose returns are not simply their values say that they are

    Rows are those of the tables sorted by symbol, then by time.
    """

    features: Callable[[Data], Any]
    labels: Callable[[Data], Any]
    folds: Callable[[FeatureTable, LabelTable], Sequence[Any]] | None = None
    fit: Callable[[Data, FeatureTable, LabelTable, Sequence[Fold], int], Fit] | None = None
    traded: bool = False
