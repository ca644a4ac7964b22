"""Updating a model with rows whose labels became known since it was trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from barstack.core.arrays import Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import iso
from barstack.datasets import Dataset, narrowed
from barstack.splits import early_stop_split

from . import _calls
from ._fitted import FittedModel


def update(fitted: FittedModel, dataset: Dataset, rows: Rows, seed: int = 0) -> FittedModel:
    """A model that has learned `rows` as well; `fitted` is left unchanged.

    Scales stay those of the first training, and so do the profiles by which `transfer` finds
    similar tickers. One clock says what was seen of all tickers, so give the rows of all together.
    The result was trained through the latest label of `rows`, so its forecasts begin there.

    Parameters
    ----------
    rows : row numbers
        In time order, labels known, and all of them known later than `fitted` was trained through,
        as a row would count twice otherwise. Those too early for the model's lookback are left
        out. A model that stops early gets the latest of them to stop by.

    Raises
    ------
    ConfigError
        For a model that can only be trained again, or a dataset of other columns or target.
    DataError
        Where too few rows are left, or a row was seen before.

    >>> from barstack.models import MODELS, train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> early, late = training_rows(dataset, 0.5), training_rows(dataset, 0.8)
    >>> model = MODELS.parse({"model": "mlp", "lookback": 2, "hidden": [4], "epochs": 1})
    >>> fitted = train(model, dataset, early, seed=0)
    >>> later = late[dataset.labels.all_known_at[late] > fitted.trained_through]
    >>> update(fitted, dataset, later).trained_through > fitted.trained_through
    np.True_
    """
    model, known_at = fitted.model, dataset.labels.all_known_at
    if dataset.features.columns != fitted.columns or dataset.target != fitted.target:
        raise ConfigError(
            f"The model was trained on {len(fitted.columns)} columns for "
            f"{', '.join(fitted.target.columns)}; the dataset has other columns or another target. "
            "Make it with the same features and label."
        )
    if dataset.max_gap != fitted.max_gap:
        raise ConfigError(
            f"The model was trained across gaps of at most {fitted.max_gap}; the dataset allows "
            f"{dataset.max_gap}. Make it with max_gap={fitted.max_gap!r}."
        )
    rows = dataset.with_history(rows, model.lookback_bars)
    if len(rows) < 2:
        raise DataError(f"{len(rows)} new rows are too few to learn from. Wait for more bars.")
    symbols = dataset.decisions.symbol[rows]
    twice = known_at[rows] <= fitted.trained_through
    known = model.symbols(fitted.learned)
    if known is not None:  # a new symbol may join with all its past
        twice &= np.isin(symbols, list(known))
    if twice.any():
        first = rows[int(np.argmax(twice))]
        raise DataError(
            f"The label of {dataset.decisions.symbol[first]} at "
            f"{iso(dataset.decisions.decided_at[first])} was known by "
            f"{iso(fitted.trained_through)}, through which the model was trained: it would count "
            "twice. Give rows whose labels became known later."
        )
    fit_rows, stop_rows = rows, rows[:0]
    if model.stops_early:
        fit_rows, stop_rows = early_stop_split(dataset.decisions, dataset.labels.purged_at, rows)
    fit, halt = (
        narrowed(dataset.samples(part, fitted.scaler, fitted.y_scale), model.lookback_bars)
        for part in (fit_rows, stop_rows)
    )
    stop = halt if model.stops_early else None
    learned = _calls.update(model, fitted.learned, fit, stop, fitted.target, seed)
    through = max(fitted.trained_through, known_at[rows].max())
    # Rows of the first training are of another table, or of this one as it was then.
    return replace(fitted, learned=learned, trained_through=through, fit_rows=None, stop_rows=None)
