"""The calls of ensembles. What one of another package raises or returns is checked right here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import Target
from barstack.core.parts import Calling, broken, built_in, forecasts, numbers

if TYPE_CHECKING:
    from ._ensemble import Ensemble


def fit(ensemble: Ensemble, members: Floats, y: Floats, target: Target) -> Any:
    """What the ensemble learned, which is never None."""
    with Calling(ensemble, "fit"):
        learned = ensemble.fit(members, y, target)
    return _something(ensemble, "fit", learned)


def predict(ensemble: Ensemble, learned: Any, members: Floats, target: Target) -> Floats:
    """(n_rows, n_horizons, n_outputs) float64, finite."""
    with Calling(ensemble, "predict"):
        found = ensemble.predict(learned, members, target)
    if built_in(ensemble):  # held to it by barstack's tests, and asked for single rows
        return found
    return forecasts(ensemble, "predict", found, len(members), target)


def weights(ensemble: Ensemble, learned: Any, n_members: int, target: Target) -> Floats:
    """(n_horizons, n_members) finite."""
    with Calling(ensemble, "weights"):
        found = ensemble.weights(learned)
    shape = (len(target.horizons), n_members)
    matrix = numbers(ensemble, "weights", found, shape)
    if not np.isfinite(matrix).all():
        raise broken(ensemble, f"weights returns {matrix.tolist()}. Return finite numbers.")
    return matrix


def save(ensemble: Ensemble, learned: Any, file: Path) -> None:
    """Let the ensemble write what it learned."""
    with Calling(ensemble, "save"):
        ensemble.save(learned, file)


def load(ensemble: Ensemble, file: Path) -> Any:
    """What the ensemble reads back, which is never None."""
    with Calling(ensemble, "load"):
        learned = ensemble.load(file)
    return _something(ensemble, "load", learned)


def _something(ensemble: Ensemble, what: str, learned: Any) -> Any:
    if learned is None and not built_in(ensemble):
        raise broken(ensemble, f"{what} returns None. Return what was learned.")
    return learned
