"""What forests of scikit-learn share. They are kept, and walked down, as plain arrays."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.forecast import Task

from .._horizons import Part, PerHorizon
from .._links import n_scores
from .._model import Values
from .._scikit import bounded_threads, scikit, threads_for
from .._trees import Tree, Trees


class Forest(PerHorizon):
    """Trees grown apart from each other, and their mean: one forest a horizon.

    The defaults are for market returns: shallow trees and large leaves.
    """

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    trees: int = Field(200, ge=1, le=10_000)
    depth: int = Field(8, ge=1, le=24)
    leaf_rows: int = Field(20, ge=1)  # fewest rows in a leaf
    feature_share: float = Field(0.3, gt=0, le=1)  # of features looked at for each split

    @abstractmethod
    def grower(self, ensemble: Any, task: Task, settings: dict[str, Any]) -> Any:
        """The library's estimator, made with these settings and the model's own."""

    def fit_one(self, train: Part, stop: Part | None, task: Task, seed: int) -> Trees:
        own = train.counted().with_every_class(task)
        settings = {
            "n_estimators": self.trees,
            "max_depth": self.depth,
            "min_samples_leaf": self.leaf_rows,
            "max_features": self.feature_share,
            "random_state": seed,
            "n_jobs": threads_for(len(own.X)),
        }
        forest = self.grower(scikit("ensemble"), task, settings)
        with bounded_threads(len(own.X)):
            forest.fit(own.X, own.y, own.weight)
        trees = [_tree(each.tree_, task) for each in forest.estimators_]
        return Trees.of(trees, np.zeros(n_scores(task)), train.X.shape[1])

    def predict_one(self, learned: Trees, X: Values, task: Task) -> Values:
        # The trees were grown on float32, and their thresholds lie between such numbers.
        return learned.sums(X.astype(np.float32).astype(float)) / (len(learned.first) - 1)

    def save_one(self, learned: Trees, file: Path) -> None:
        learned.save(file)

    def load_one(self, file: Path, task: Task) -> Trees:
        return Trees.load(file, n_scores(task))


def _tree(tree: Any, task: Task) -> Tree:
    """Leaves hold a mean, or a share for each class: both of direction's, of which one is kept."""
    value = tree.value[:, 0, :]
    own = value[:, 1:] if task == "direction" else value
    return tree.children_left, tree.children_right, tree.feature, tree.threshold, own
