"""What linear models share: weights, an intercept, and the task's link."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import NamedTuple

from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from .._arrays import read_arrays, write_arrays
from .._horizons import check_width
from .._links import LINKS
from .._model import Model, Values
from ._moments import Moments


class Linear(NamedTuple):
    """weights (n_features, n_columns), intercept (n_columns,), as in `Target.columns`."""

    weights: Values
    intercept: Values


class LinearModel(Model):
    """A model whose scores are a weighted sum of the newest bar's features."""

    def predict(self, learned: Linear, inputs: Inputs, target: Target) -> Values:
        X = inputs.last()
        check_width(len(learned.weights), X)
        scores = X @ learned.weights + learned.intercept
        shaped = scores.reshape(len(X), len(target.horizons), len(target.outputs))
        return LINKS[target.task](shaped)

    def save(self, learned: Linear, folder: Path) -> None:
        write_arrays(folder / "linear.npz", **learned._asdict())

    def load(self, folder: Path, target: Target) -> Linear:
        columns = len(target.columns)
        kinds = {"weights": f"float64 features,{columns}", "intercept": f"float64 {columns}"}
        return Linear(**read_arrays(folder / "linear.npz", **kinds))


class MomentModel(LinearModel):
    """A linear model that learns from second moments alone, which folds can share."""

    @property
    @abstractmethod
    def l2(self) -> float:
        """The squared penalty, per row: the larger, the less rounding tells in what is solved."""

    @abstractmethod
    def solve(self, moments: Moments) -> Linear:
        """What is learned from these moments, whatever rows they were summed from."""

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Linear:
        return self.solve(Moments.of(train))
