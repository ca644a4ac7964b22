"""scikit-learn's histogram gradient boosting."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.errors import DataError
from barstack.core.forecast import Target

from .._libraries import openmp_threads, scikit
from .._model import EVERY_TASK, register
from .._outputs import LINKS
from .._per_horizon import HorizonRows
from .._trees import Tree, Trees
from ._boosting import Boosting


@register("hist_gradient_boosting", family="boosting", tasks=EVERY_TASK)
class HistGradientBoosting(Boosting):
    """Depth-wise histogram trees of scikit-learn. After Ke et al. (2017).

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(HistGradientBoosting(trees=20), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    leaf_rows: int = Field(40, ge=1, le=100_000_000, description="fewest rows in a leaf")
    feature_share: float = Field(
        0.7, gt=0, le=1, description="share of features looked at for each split"
    )
    l2_penalty: float = Field(0.0, ge=0, description="L2, on leaf values")

    def fit_one(
        self, train: HorizonRows, stop: HorizonRows | None, target: Target, seed: int
    ) -> Trees:
        assert stop is not None  # stops_early
        own, stop_by = train.counted().with_every_class(target), stop.counted()
        if not len(stop_by.y):
            raise DataError(
                "No row to stop by weighs more than nothing. Weigh rows so that the latest count."
            )
        if not target.levels:
            kind = "Classifier" if target.n_classes else "Regressor"
            booster = self._fitted(kind, own, stop_by, seed)
            return _arrays([booster], train.X.shape[1], len(target.outputs))
        boosters = [
            self._fitted("Regressor", own, stop_by, seed, loss="quantile", quantile=level)
            for level in target.levels
        ]
        return _arrays(boosters, train.X.shape[1], len(target.levels))

    def _fitted(
        self, kind: str, own: HorizonRows, stop_by: HorizonRows, seed: int, **loss: Any
    ) -> Any:
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
            **loss,
        )
        with openmp_threads(own.threads):
            booster.fit(
                own.X,
                own.y,
                _unless_alike(own.weight),
                X_val=stop_by.X,
                y_val=stop_by.y,
                sample_weight_val=_unless_alike(stop_by.weight),
            )
        return booster

    def predict_one(self, learned: Trees, X: Floats, target: Target) -> Floats:
        return LINKS[target.task](learned.sums(X))

    def save_one(self, learned: Trees, file: Path) -> None:
        learned.save(file)

    def load_one(self, file: Path, target: Target) -> Trees:
        return Trees.load(file, len(target.outputs))


def _unless_alike(weight: Floats) -> Floats | None:
    """Weights that differ: by them the library looks for each border of a bin by itself, which
    takes several times as long as all the trees."""
    return None if np.ptp(weight) == 0.0 else weight


def _arrays(boosters: list[Any], n_features: int, n_outputs: int) -> Trees:
    """The trees of the best rounds; those of a class or a level add to its own score alone."""
    trees: list[Tree] = []
    for first, booster in enumerate(boosters):
        # The first score is that of no tree; the library keeps the trees beyond the best as well.
        # Where none improves on the mean the first is kept, as LightGBM does: a forecast that
        # never changes ranks nothing.
        best = max(1, int(np.argmax(booster.validation_score_)))
        for together in booster._predictors[:best]:
            trees += [
                _tree(tree.nodes, first + place, n_outputs) for place, tree in enumerate(together)
            ]
    start = [np.asarray(each._baseline_prediction, float).reshape(-1) for each in boosters]
    return Trees.of(trees, np.concatenate(start), n_features)


def _tree(nodes: Any, output: int, n_outputs: int) -> Tree:
    inner = nodes["is_leaf"] == 0
    value = np.zeros((len(nodes), n_outputs))
    value[:, output] = nodes["value"]
    left, right = (np.where(inner, nodes[side].astype(np.int64), -1) for side in _SIDES)
    return left, right, nodes["feature_idx"], nodes["num_threshold"], value


_SIDES = ("left", "right")
