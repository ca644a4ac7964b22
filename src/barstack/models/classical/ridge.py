"""Ridge regression in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from .._model import Model, Values, register


class Linear(NamedTuple):
    """weights (n_features, n_horizons), intercept (n_horizons,)."""

    weights: Values
    intercept: Values


@register("ridge", family="classical", tasks=("return",))
class Ridge(Model):
    """Linear forecast with an L2 penalty, all horizons from one factorisation.

    The penalty is per row: 1.0 weighs a standardised feature as much as all training rows do,
    which suits returns, where most of what is fitted is noise.
    """

    penalty: float = Field(1.0, ge=0)

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Linear:
        X, y = train.last(), train.y
        centre, mean = X.mean(axis=0), y.mean(axis=0)
        X = X - centre
        gram = X.T @ X / len(X) + self.penalty * np.eye(X.shape[1])
        # lstsq, not solve: without a penalty repeated features make the matrix singular.
        weights = np.linalg.lstsq(gram, X.T @ (y - mean) / len(X), rcond=None)[0]
        return Linear(weights, mean - centre @ weights)

    def predict(self, learned: Linear, inputs: Inputs, target: Target) -> Values:
        return (inputs.last() @ learned.weights + learned.intercept)[:, :, None]

    def save(self, learned: Linear, folder: Path) -> None:
        np.savez(folder / "linear.npz", **learned._asdict())

    def load(self, folder: Path, target: Target) -> Linear:
        with np.load(folder / "linear.npz", allow_pickle=False) as arrays:
            return Linear(arrays["weights"], arrays["intercept"])
