"""Training one model on given rows, with everything it has seen written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.datasets import Dataset, Samples, narrowed, rows_with_history
from barstack.splits import early_stop_split

from .._libraries import cores
from .._model import Model
from . import _calls
from ._fitted import FittedModel

_ANY_GAP = "999999w"


@dataclass(frozen=True, eq=False)
class Prepared:
    """What `fit` of a model is given, and how it was made; `stop` only where it stops early."""

    fit: Samples
    stop: Samples | None
    fit_rows: Rows
    stop_rows: Rows
    y_scale: Floats
    trained_through: np.datetime64

    def fitted(self, model: Model, dataset: Dataset, learned: Any) -> FittedModel:
        """What the model learned, with the scales and columns it learned them in."""
        seen = model.pretrained_through
        through = self.trained_through if seen is None else max(self.trained_through, seen)
        return FittedModel(
            model,
            learned,
            dataset.target,
            dataset.features.columns,
            self.fit.scaler,
            self.y_scale,
            through,
            dataset.max_gap,
            self.fit_rows,
            self.stop_rows,
        )


def train(
    model: Model,
    dataset: Dataset,
    rows: Rows,
    seed: int,
    disjoint_from: Rows | None = None,
    *,
    threads: int | None = None,
    **options: Any,
) -> FittedModel:
    """Fit `model` on `rows` of a dataset, and on nothing else.

    Parameters
    ----------
    rows : row numbers
        Training rows in time order, labels known; rows too early for the model's lookback are left
        out. A model that stops early gets the latest of them to stop by, purged from the rest, and
        they count as seen.
    disjoint_from : row numbers, optional
        Rows that no window may reach into: the test of a fold that trains on both sides of it.
    threads : int, optional
        The most threads that the fit may use; by default the cores of this process. It changes no
        bit of what is learned.
    options
        For `fit` of models that take them: `folder=` and `on_epoch=` of networks.

    >>> from barstack.models import MODELS
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> fitted = train(MODELS.parse("ridge"), dataset, training_rows(dataset), seed=0)
    >>> fitted.trained_through
    np.datetime64('2026-02-24T15:30:00.000000')
    """
    prepared = prepare(model, dataset, rows, disjoint_from)
    return fit_prepared(model, dataset, prepared, seed, threads, **options)


def fit_prepared(
    model: Model,
    dataset: Dataset,
    prepared: Prepared,
    seed: int,
    threads: int | None = None,
    **options: Any,
) -> FittedModel:
    """Fit `model` on samples of the dataset; threads and options as in `train`."""
    if model.threaded:
        options["threads"] = cores() if threads is None else threads
    learned = _calls.fit(model, prepared.fit, prepared.stop, dataset.target, seed, **options)
    return prepared.fitted(model, dataset, learned)


def prepare(
    model: Model, dataset: Dataset, rows: Rows, disjoint_from: Rows | None = None
) -> Prepared:
    """The samples that `model` is fitted on and stopped by; arguments as in `train`.

    They are the same for all models that look back as far and stop early alike.
    """
    check_task(model, dataset)
    rows = rows_with_enough(dataset, rows, disjoint_from, model.lookback_bars)
    fit_rows, stop_rows = rows, rows[:0]
    if model.stops_early:
        fit_rows, stop_rows = early_stop_split(dataset.decisions, dataset.labels.purged_at, rows)
    scaler = dataset.fit_scaler(fit_rows)
    y_scale = label_scale(dataset, fit_rows)
    back = model.lookback_bars
    fit = narrowed(dataset.samples(fit_rows, scaler, y_scale, disjoint_from), back)
    stop = None
    if model.stops_early:
        stop = narrowed(dataset.samples(stop_rows, scaler, y_scale, disjoint_from), back)
    known_at = dataset.labels.all_known_at
    through = max(known_at[fit_rows].max(), known_at[stop_rows].max(initial=known_at[fit_rows[0]]))
    return Prepared(fit, stop, fit_rows, stop_rows, y_scale, through)


def check_task(model: Model, dataset: Dataset) -> None:
    """Refuse what is no model, or one that does not do what the dataset's label asks."""
    if not isinstance(model, Model):
        raise ConfigError(
            f"A {type(model).__name__} is no model: {model!r}. Make one with MODELS.parse, as in "
            "MODELS.parse('ridge')."
        )
    _calls.check_settings(model)
    if dataset.target.task not in model.tasks:
        raise ConfigError(
            f"Model {model.registered_as and model.registered_as[1]!r} does "
            f"{', '.join(model.tasks)}, not {dataset.target.task}. Choose another label or model."
        )


def rows_with_enough(
    dataset: Dataset, rows: Rows, disjoint_from: Rows | None, lookback: int = 1
) -> Rows:
    """Those of `rows` with that much history; `DataError` where too few are left to train on."""
    kept = dataset.with_history(rows, lookback, disjoint_from)
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
