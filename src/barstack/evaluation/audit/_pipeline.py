"""A pipeline as the audit sees it, and the tables that its functions return, checked and sorted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barstack.bars import Panel, SeriesTable
from barstack.core.arrays import Array, Floats, Ints, Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import DataError
from barstack.core.forecast import Target
from barstack.core.times import DecidedAt, KnownAt, Times, iso
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
    disjoint_from       by name, rows whose label intervals may overlap none of those of `rows`:
                     early stopping, calibration, what the members behind a meta-learner saw
    trained_through  what it claims: the latest `known_at` of its rows, if it claims anything
    labels           what it learned from, where the fold labels rows in a way of its own, such as
                     by barriers fitted on its training rows
    reads            data files that it opened, where the fit watches that by `files_read`
    shares_sums      whether sums are made once for several folds, so that altered rows of other
                     folds may change its rounding, and nothing else
    """

    name: str
    learned: Mapping[str, Array]
    rows: Rows | None = None
    disjoint_from: Mapping[str, Rows] = field(default_factory=dict)
    trained_through: np.datetime64 | None = None
    labels: LabelTable | None = None
    reads: Sequence[str] = ()
    shares_sums: bool = False


@dataclass(frozen=True, eq=False)
class Fit:
    """All that was fitted for one fold, in the order of the flow.

    forecast  (n_test_rows, ...) forecasts of the fold's test rows, in their order
    predict   what it forecasts for some rows of a feature table, (n_rows, ...) each by itself:
              given, it is called on single rows and with later rows altered, which takes no fit
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


_KEYS = ("symbol", "decided_at")


def feature_table(given: Any, symbols: Sequence[str]) -> FeatureTable:
    """A function's answer as a `FeatureTable`; `DataError` when it cannot be one.

    symbols  of the bars; a single one need not be named in the table

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"decided_at": pd.to_datetime(["2026-01-05", "2026-01-04"]),
    ...                       "rsi": [40.0, 60.0]})
    >>> feature_table(frame, ["SPY"]).values.tolist()
    [[60.0], [40.0]]
    """
    if isinstance(given, FeatureTable):
        return given
    decisions, order, columns = _decisions(given, symbols, "The table of features")
    values = [_numbers(columns[name], name)[order] for name in columns]
    return FeatureTable(decisions, tuple(columns), np.column_stack(values))


def label_table(given: Any, symbols: Sequence[str]) -> LabelTable:
    """A function's answer as a `LabelTable`; its values are taken for returns."""
    if isinstance(given, LabelTable):
        return given
    decisions, order, columns = _decisions(given, symbols, "The table of labels")
    if "known_at" not in columns or len(columns) < 2:
        raise DataError(
            f"The table of labels has the columns {', '.join(columns) or 'none'}. Give it "
            "known_at, the close of the last bar that each label reads, and a column of labels."
        )
    known_at = _times(columns.pop("known_at"), "known_at")[order]
    values = np.column_stack([_numbers(columns[name], name)[order] for name in columns])
    known = np.repeat(known_at[:, None], len(columns), axis=1)
    eligible = np.ones(len(order), bool)
    target = Target("return", tuple(columns))
    return LabelTable(decisions, target, values, KnownAt(known), values, eligible)


def read(pipeline: Pipeline, data: Data) -> tuple[FeatureTable, LabelTable]:
    """Features and labels of one and the same rows."""
    features = read_features(pipeline, data)
    labels = read_labels(pipeline, data)
    same = (
        features.decisions.symbols == labels.decisions.symbols
        and np.array_equal(features.decisions.decided_at, labels.decisions.decided_at)
        and np.array_equal(features.decisions.symbol_code, labels.decisions.symbol_code)
    )
    if not same:
        raise DataError(
            f"Features have {len(features.decisions):,} rows and labels "
            f"{len(labels.decisions):,}, or rows of other decisions. Give both for the same ones."
        )
    return features, labels


def read_features(pipeline: Pipeline, data: Data) -> FeatureTable:
    return feature_table(pipeline.features(data), sorted(data.panel))


def read_labels(pipeline: Pipeline, data: Data) -> LabelTable:
    return label_table(pipeline.labels(data), sorted(data.panel))


def read_folds(pipeline: Pipeline, features: FeatureTable, labels: LabelTable) -> list[Fold]:
    """Folds; of a pair of rows, forward where all training is decided before the test."""
    folds = []
    for each in pipeline.folds(features, labels) if pipeline.folds else ():
        if isinstance(each, Fold):
            folds.append(each)
            continue
        train, test = (np.asarray(rows, np.int64) for rows in each)
        if not len(train) or not len(test):
            raise DataError(
                f"Fold {len(folds)} has {len(train)} rows to train on and {len(test)} to test. "
                "Give it both."
            )
        decided_at = features.decisions.decided_at
        before = decided_at[train].max() < decided_at[test].min()
        folds.append(Fold(train, test, "forward" if before else "crossed"))
    return folds


def _decisions(
    given: Any, symbols: Sequence[str], where: str
) -> tuple[Decisions, Ints, dict[str, Any]]:
    """The rows, the order in which they come, and the other columns."""
    if hasattr(given, "reset_index"):
        named = [name for name in given.index.names if name is not None]
        given = given.reset_index(level=named) if named else given
    if not hasattr(given, "columns"):
        raise DataError(
            f"{where} is a {type(given).__name__}. Give a FeatureTable or LabelTable, or a "
            "DataFrame with symbol and decided_at."
        )
    columns = {str(name): given[name] for name in given.columns}
    if "decided_at" not in columns or ("symbol" not in columns and len(symbols) > 1):
        raise DataError(
            f"{where} has the columns {', '.join(columns) or 'none'}. Name the moment of each "
            "decision decided_at and, where there are several symbols, whom it is about symbol, "
            "as columns or as index."
        )
    decided_at = _times(columns["decided_at"], "decided_at")
    whom = columns.get("symbol", [symbols[0]] * len(decided_at))
    decisions, order = Decisions.of(DecidedAt(decided_at), np.asarray(whom, str))
    code, decided_at = decisions.symbol_code, decisions.decided_at
    twice = (np.diff(code) == 0) & (decided_at[1:] == decided_at[:-1])
    if twice.any():
        row = int(np.argmax(twice))
        raise DataError(
            f"{where} has two rows of {decisions.symbol[row]} decided at {iso(decided_at[row])}; "
            f"{int(twice.sum()):,} such pair(s) in all. Keep one of each."
        )
    rest = {name: columns[name] for name in columns if name not in _KEYS}
    return decisions, order, rest


def _times(column: Any, name: str) -> Times:
    """Moments in UTC; those without a zone are taken to be."""
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    values = np.asarray(column)
    if values.dtype.kind != "M":
        raise DataError(f"Column {name!r} holds {values.dtype}, not times. Store datetimes in UTC.")
    return np.asarray(values.astype("datetime64[us]"))


def _numbers(column: Any, name: str) -> Floats:
    values = np.asarray(column)
    if values.dtype.kind not in "fiub":
        raise DataError(f"Column {name!r} holds {values.dtype}, not numbers. Convert it.")
    return values.astype(np.float64)
