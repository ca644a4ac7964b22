"""Features that somebody else computed, made into the rows that one forecast needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import DataError, did_you_mean


def feature_rows(given: Any, columns: Sequence[str], lookback_bars: int) -> Floats:
    """(lookback_bars, n_columns) the latest rows in the artifact's order of columns.

    given  one row: a mapping or pandas Series of name to value, or an array in the order of
           `columns`; or a table of rows, oldest first: a pandas or polars frame, a sequence of
           mappings, or an array (n_rows, n_columns)

    Raises `DataError` for columns that are missing, unknown or there twice, for what is no finite
    number, and for fewer rows than one forecast needs.

    >>> feature_rows({"body": 0.2, "rsi": 55}, ["rsi", "body"], 1)
    array([[55. ,  0.2]])
    """
    rows = _rows(given, columns)
    if len(rows) < lookback_bars:
        raise DataError(
            f"One forecast looks at the latest {lookback_bars} rows of features, and {len(rows)} "
            "is given. Give a table of them, oldest first, or let Predictor.stream keep them."
        )
    rows = rows[-lookback_bars:]
    if not np.isfinite(rows).all():
        row, column = (int(place) for place in np.argwhere(~np.isfinite(rows))[0])
        where = "" if len(rows) == 1 else f" in row {row - len(rows)} from the end"
        raise DataError(
            f"Feature {columns[column]!r}{where} is {rows[row, column]}. Forecast rows past the "
            "warm-up, in which every feature is a finite number."
        )
    return rows


def _rows(given: Any, columns: Sequence[str]) -> Floats:
    if hasattr(given, "columns"):  # a frame of pandas or polars
        _check_names([str(name) for name in given.columns], columns)
        return np.column_stack([_numbers(given[name], name) for name in columns])
    if isinstance(given, Mapping) or (hasattr(given, "index") and hasattr(given, "to_dict")):
        if not isinstance(given, Mapping):  # a pandas Series, whose names may repeat
            _check_names([str(name) for name in given.index], columns)
            given = given.to_dict()
        _check_names([str(name) for name in given], columns)
        return np.array([[_numbers(given[name], name)[0] for name in columns]])
    if isinstance(given, (list, tuple)) and given and isinstance(given[0], Mapping):
        return np.concatenate([_rows(each, columns) for each in given])
    values = np.atleast_2d(_numbers(given, "array", flat=False))
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise DataError(
            f"An array of shape {np.shape(given)} does not hold rows of {len(columns)} features. "
            "Give them in the order of the artifact's columns, or by name."
        )
    return values


def _check_names(found: Sequence[str], columns: Sequence[str]) -> None:
    twice = [name for name, count in Counter(found).items() if count > 1]
    unknown = [name for name in found if name not in columns]
    missing = [name for name in columns if name not in found]
    if unknown:
        raise DataError(f"Unknown feature {unknown[0]!r}. {did_you_mean(unknown[0], columns)}")
    if missing:
        raise DataError(
            f"{len(missing)} of {len(columns)} features are missing, {missing[0]!r} first. Give "
            "each that the artifact was trained on."
        )
    if twice:
        raise DataError(f"Feature {twice[0]!r} is there twice. Give each once.")


def _numbers(given: Any, name: str, flat: bool = True) -> Floats:
    try:
        found = np.asarray(given, float)
    except (TypeError, ValueError):
        raise DataError(f"Feature {name!r} holds {given!r}, which is not a number.") from None
    return found.reshape(-1) if flat else found
