"""The door for what people's own functions return: tables of any library, checked and sorted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.core.decisions import Decisions
from barstack.core.errors import DataError
from barstack.core.forecast import Target
from barstack.core.times import DecidedAt, KnownAt, Times, iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._pipeline import Data, Pipeline

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
    names, code = np.unique(np.asarray(whom, str), return_inverse=True)
    order = np.lexsort((decided_at, code))
    code, decided_at = code[order], decided_at[order]
    twice = (np.diff(code) == 0) & (decided_at[1:] == decided_at[:-1])
    if twice.any():
        row = int(np.argmax(twice))
        raise DataError(
            f"{where} has two rows of {names[code[row]]} decided at {iso(decided_at[row])}; "
            f"{int(twice.sum()):,} such pair(s) in all. Keep one of each."
        )
    decisions = Decisions(tuple(map(str, names)), np.asarray(code, np.int32), DecidedAt(decided_at))
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
