"""What forests of scikit-learn share. They are kept, and walked down, as plain arrays."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.forecast import Target

from .._arrays import require, require_answers
from .._horizons import Part, PerHorizon
from .._scikit import bounded_threads, scikit, threads_for
from .._trees import Tree, Trees
from ._distribution import Spread, grid_of


class Forest(PerHorizon):
    """Trees grown apart from each other, and their mean: one forest a horizon.

    The defaults are for market returns: shallow trees and large leaves. For quantiles trees are
    grown to tell apart how labels are spread: Meinshausen (2006), with splits that look for a
    change in the share of labels below each of a grid, after Athey, Tibshirani, Wager (2019).
    """

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    trees: int = Field(200, ge=1, le=10_000, description="number of trees")
    depth: int = Field(8, ge=1, le=24, description="levels of a tree")
    leaf_rows: int = Field(20, ge=1, le=100_000_000, description="fewest rows in a leaf")
    feature_share: float = Field(
        0.3, gt=0, le=1, description="share of features looked at for each split"
    )

    @abstractmethod
    def grower(self, ensemble: Any, target: Target, settings: dict[str, Any]) -> Any:
        """The library's estimator, made with these settings and the model's own."""

    def fit_one(self, train: Part, stop: Part | None, target: Target, seed: int) -> Any:
        """Trees, of quantiles a `Spread`."""
        own = train.counted().with_every_class(target)
        y = own.y
        if target.levels:
            grid = grid_of(own.y, own.weight)
            y = np.where(own.y[:, None] <= grid, 1.0, 0.0)
        settings = {
            "n_estimators": self.trees,
            "max_depth": self.depth,
            "min_samples_leaf": self.leaf_rows,
            "max_features": self.feature_share,
            "random_state": seed,
            "n_jobs": threads_for(len(own.X)),
        }
        forest = self.grower(scikit("ensemble"), target, settings)
        with bounded_threads(len(own.X)):
            forest.fit(own.X, y, own.weight)
        trees = [_tree(each.tree_, target) for each in forest.estimators_]
        grown = Trees.of(trees, np.zeros(trees[0][-1].shape[1]), train.X.shape[1])
        return Spread(grown, grid) if target.levels else grown

    def predict_one(self, learned: Any, X: Floats, target: Target) -> Floats:
        # The trees were grown on float32, and their thresholds lie between such numbers.
        X = X.astype(np.float32).astype(float)
        if target.levels:
            return cast(Floats, learned.quantiles(X, target.levels))
        return cast(Floats, learned.sums(X) / (len(learned.first) - 1))

    def save_one(self, learned: Any, file: Path) -> None:
        learned.save(file)

    def load_one(self, file: Path, target: Target) -> Any:
        learned = Spread.load(file) if target.levels else Trees.load(file, len(target.outputs))
        trees = learned.trees if isinstance(learned, Spread) else learned
        require(file, len(trees.first) > 1, "it has no trees")
        require(file, not trees.start.any(), "its trees begin with a sum that is not 0")
        if target.n_classes:
            require_answers(file, trees.value[trees.left < 0], target)
        return learned


def _tree(tree: Any, target: Target) -> Tree:
    """Leaves hold means, or a share for each class: both of direction's, of which one is kept."""
    value = tree.value[:, :, 0] if target.levels else tree.value[:, 0, :]
    own = value[:, 1:] if target.task == "direction" else value
    return tree.children_left, tree.children_right, tree.feature, tree.threshold, own
