"""Calls of models. What a model of another package raises or returns is checked here."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import Target
from barstack.core.parts import Calling, broken, built_in, forecasts
from barstack.datasets import Inputs, Samples

from .._libraries import one_blas_thread
from .._model import Model


def fit(
    model: Model, train: Samples, stop: Samples | None, target: Target, seed: int, **options: Any
) -> Any:
    """What the model learned, which is never None."""
    with _blas_of(model), Calling(model, "fit"):
        learned = model.fit(train, stop, target, seed, **options)
    return _not_none(model, "fit", learned)


def update(
    model: Model, learned: Any, train: Samples, stop: Samples | None, target: Target, seed: int
) -> Any:
    """What the model learned in all, which is never None."""
    with _blas_of(model), Calling(model, "update"):
        further = model.update(learned, train, stop, target, seed)
    return _not_none(model, "update", further)


def predict(model: Model, learned: Any, inputs: Inputs, target: Target) -> Floats:
    """(n_rows, n_horizons, n_outputs) float64, finite."""
    if built_in(model):  # checked by barstack's tests, and called for single rows
        return np.asarray(model.predict(learned, inputs, target), np.float64)
    return checked(model, lambda each: model.predict(learned, each, target), target)(inputs)


def checked(
    model: Model, run: Callable[[Inputs], Any], target: Target, what: str = "predict"
) -> Callable[[Inputs], Floats]:
    """The same forecasts, checked; those of built-in models are returned as they are."""
    if built_in(model):
        return run

    def forecast(inputs: Inputs) -> Floats:
        with Calling(model, what):
            found = run(inputs)
        return forecasts(model, what, found, len(inputs), target)

    return forecast


def save(model: Model, learned: Any, folder: Path) -> None:
    """Let the model write what it learned."""
    with Calling(model, "save"):
        model.save(learned, folder)


def load(model: Model, folder: Path, target: Target) -> Any:
    """What the model reads back, which is never None."""
    with Calling(model, "load"):
        learned = model.load(folder, target)
    return _not_none(model, "load", learned)


def curves(model: Model, learned: Any) -> list[dict[str, float]]:
    """Learning curves, as plain data."""
    if built_in(model):
        return model.curves(learned)
    with Calling(model, "curves"):
        found = model.curves(learned)
        json.dumps(found, allow_nan=False)
    return found


def check_settings(model: Model) -> None:
    """`PluginError` where a model's own properties cannot be used."""
    if built_in(model):
        return
    with Calling(model, "what it says of itself"):
        lookback, through = model.lookback_bars, model.pretrained_through
        files_id, _ = model.files_id(), model.updates
    if type(lookback) is not int or lookback < 1:
        raise broken(model, f"lookback_bars is {lookback!r}. Give a whole number of 1 or more.")
    if through is not None and not isinstance(through, np.datetime64):
        raise broken(model, f"pretrained_through is {through!r}. Give a numpy datetime64.")
    if not isinstance(files_id, str):
        raise broken(model, f"files_id gives {files_id!r}. Give a text.")


def _blas_of(model: Model) -> AbstractContextManager[None]:
    """What a built-in model learns does not depend on how many threads BLAS would have used."""
    return one_blas_thread if built_in(model) else nullcontext()


def _not_none(model: Model, what: str, learned: Any) -> Any:
    if learned is None and not built_in(model):
        raise broken(model, f"{what} returns None. Return what was learned.")
    return learned
