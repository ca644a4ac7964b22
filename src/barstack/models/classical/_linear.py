"""What linear models share: weights, an intercept, and the task's link."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from .._arrays import check_width, read_arrays, require, write_arrays
from .._model import FoldFits, Model
from .._outputs import LINKS
from ._fold_moments import MomentFits
from ._moments import Moments, SeenMoments

_SEEN = "moments.npz"
_MOMENTS = {
    "gram": "{features},{features}",
    "cross": "{features},{outputs}",
    "centre": "{features}",
    "mean": "{outputs}",
}


class LinearWeights(NamedTuple):
    """weights (n_features, n_columns), intercept (n_columns,), as in `Target.columns`.

    seen  what models keep that learn on from later rows
    """

    weights: Floats
    intercept: Floats
    seen: SeenMoments | None = None


class LinearModel(Model):
    """A model whose scores are a weighted sum of the newest bar's features."""

    def predict(self, learned: LinearWeights, inputs: Inputs, target: Target) -> Floats:
        X = inputs.last()
        check_width(len(learned.weights), X)
        scores = X @ learned.weights + learned.intercept
        shaped = scores.reshape(len(X), len(target.horizons), len(target.outputs))
        return LINKS[target.task](shaped)

    def save(self, learned: LinearWeights, folder: Path) -> None:
        write_arrays(folder / "linear.npz", weights=learned.weights, intercept=learned.intercept)

    def load(self, folder: Path, target: Target) -> LinearWeights:
        columns = len(target.columns)
        kinds = {"weights": f"float64 features,{columns}", "intercept": f"float64 {columns}"}
        read = read_arrays(folder / "linear.npz", **kinds)
        return LinearWeights(read["weights"], read["intercept"])


class MomentModel(LinearModel):
    """A linear model that learns from second moments alone, which folds can share."""

    concurrent: ClassVar[bool] = True

    @property
    @abstractmethod
    def l2(self) -> float:
        """The squared penalty, per row: the larger, the less rounding tells in what is solved."""

    @abstractmethod
    def solve(self, moments: Moments) -> LinearWeights:
        """What is learned from these moments, whatever rows they were summed from."""

    @property
    def fold_fits(self) -> type[FoldFits] | None:
        # A subclass that fits in its own way learns something else from the same moments.
        return MomentFits if type(self).fit is MomentModel.fit else None

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> LinearWeights:
        return self.solve_and_keep(SeenMoments(Moments.of(train), float(train.weight.sum())))

    def update(
        self,
        learned: LinearWeights,
        train: Samples,
        stop: Samples | None,
        target: Target,
        seed: int,
    ) -> LinearWeights:
        """What all rows together teach: no row of the first training is needed again."""
        if learned.seen is None:
            raise ConfigError(
                "This linear model was made without the moments of its rows and cannot learn on. "
                "Train it by itself, with barstack.models.train."
            )
        weight = learned.seen.weight + float(train.weight.sum())
        share = 1.0 - learned.seen.weight / weight
        return self.solve_and_keep(
            SeenMoments(learned.seen.moments.joined(Moments.of(train), share), weight)
        )

    def save(self, learned: LinearWeights, folder: Path) -> None:
        super().save(learned, folder)
        if learned.seen is not None:
            moments, weight = learned.seen
            arrays = {name: getattr(moments, name) for name in _MOMENTS}
            write_arrays(folder / _SEEN, weight=np.array([weight]), **arrays)

    def load(self, folder: Path, target: Target) -> LinearWeights:
        linear, file = super().load(folder, target), folder / _SEEN
        if not file.is_file():
            return linear
        shape = {"features": len(linear.weights), "outputs": len(linear.intercept)}
        kinds = {name: f"float64 {kind.format(**shape)}" for name, kind in _MOMENTS.items()}
        read = read_arrays(file, weight="float64 1", **kinds)
        weight = float(read.pop("weight")[0])
        require(file, weight > 0.0, "its rows weigh nothing")
        return linear._replace(seen=SeenMoments(Moments(**read), weight))

    def solve_and_keep(self, seen: SeenMoments) -> LinearWeights:
        """As `solve`, with what it takes to learn on from later rows."""
        return self.solve(seen.moments)._replace(seen=seen)
