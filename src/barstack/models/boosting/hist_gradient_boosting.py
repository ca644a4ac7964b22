"""scikit-learn's histogram gradient boosting."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.errors import DataError
from barstack.core.forecast import Task

from .._horizons import Part
from .._links import LINKS, n_scores
from .._model import Values, register
from .._scikit import bounded_threads, scikit
from .._trees import Tree, Trees
from ._horizons import Boosting


@register("hist_gradient_boosting", family="boosting", tasks=("return", "direction", "three_class"))
class HistGradientBoosting(Boosting):
    """Depth-wise histogram trees of scikit-learn. After Ke et al. (2017)."""

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    leaf_rows: int = Field(40, ge=1)  # fewest rows in a leaf
    feature_share: float = Field(0.7, gt=0, le=1)  # of features looked at for each split
    l2_penalty: float = Field(0.0, ge=0)  # on leaf values

    def fit_one(self, train: Part, stop: Part | None, task: Task, seed: int) -> Trees:
        assert stop is not None  # stops_early
        own, stop_by = train.counted().with_every_class(task), stop.counted()
        if not len(stop_by.y):
            raise DataError(
                "No row to stop by weighs more than nothing. Weigh rows so that the latest count."
            )
        kind = "Regressor" if task == "return" else "Classifier"
        booster = getattr(scikit("ensemble"), f"HistGradientBoosting{kind}")(
            learning_rate=self.learning_rate,
            max_iter=self.trees,
            max_depth=self.depth,
            max_leaf_nodes=max(2, 2**self.depth - 1),
            min_samples_leaf=self.leaf_rows,
            max_features=self.feature_share,
            l2_regularization=self.l2_penalty,
            early_stopping=True,
            n_iter_no_change=self.patience,
            tol=0.0,
            random_state=seed,
        )
        with bounded_threads(len(own.X)):
            booster.fit(
                own.X,
                own.y,
                own.weight,
                X_val=stop_by.X,
                y_val=stop_by.y,
                sample_weight_val=stop_by.weight,
            )
        # The first score is that of no tree; the library keeps the trees beyond the best as well.
        best = int(np.argmax(booster.validation_score_))
        return _arrays(booster, best, train.X.shape[1], n_scores(task))

    def predict_one(self, learned: Trees, X: Values, task: Task) -> Values:
        return LINKS[task](learned.sums(X))

    def save_one(self, learned: Trees, file: Path) -> None:
        learned.save(file)

    def load_one(self, file: Path, task: Task) -> Trees:
        return Trees.load(file, n_scores(task))


def _arrays(booster: Any, rounds: int, n_features: int, n_outputs: int) -> Trees:
    """The trees of so many rounds; those of a class add to its own score alone."""
    trees: list[Tree] = []
    for together in booster._predictors[:rounds]:
        for place, tree in enumerate(together):
            nodes = tree.nodes
            inner = nodes["is_leaf"] == 0
            value = np.zeros((len(nodes), n_outputs))
            value[:, place] = nodes["value"]
            left, right = (np.where(inner, nodes[side].astype(np.int64), -1) for side in _SIDES)
            trees.append((left, right, nodes["feature_idx"], nodes["num_threshold"], value))
    start = np.asarray(booster._baseline_prediction, float).reshape(-1)
    return Trees.of(trees, start, n_features)


_SIDES = ("left", "right")
