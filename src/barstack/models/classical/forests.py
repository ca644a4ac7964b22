"""Random forests and extremely randomised trees of scikit-learn, kept as plain arrays."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.forecast import Target

from .._arrays import read_arrays, require, require_forecasts, write_arrays
from .._libraries import scikit
from .._model import EVERY_TASK, register
from .._outputs import weighted_quantiles
from .._per_horizon import HorizonRows, PerHorizon
from .._trees import Tree, Trees

# Levels of the training labels' quantiles that make the grid, denser in the tails: in volatile
# markets quantiles lie where labels are rare elsewhere.
_LOWER = (0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
_ROUNDING = 1e-9
_SHARES = (*_LOWER, *(1.0 - share for share in _LOWER[-2::-1]))


class ForestDistribution(NamedTuple):
    """Trees whose leaves hold the share of labels at or below each value of a grid.

    trees  their sums, over their number, are the shares
    grid   (n_grid,) rising, from the least label to the greatest
    """

    trees: Trees
    grid: Floats

    def quantiles(self, X: Floats, levels: tuple[float, ...]) -> Floats:
        """(n_rows, n_levels), a straight line between neighbours of the grid."""
        shares = self.trees.sums(X) / (len(self.trees.first) - 1)
        rows = np.arange(len(X))
        found = np.empty((len(X), len(levels)))
        for place, level in enumerate(levels):
            # The first of the grid that reaches the level; the last does, whatever rounding says.
            above = np.minimum((shares < level).sum(axis=1), len(self.grid) - 1)
            below = np.maximum(above - 1, 0)
            low, high = shares[rows, below], shares[rows, above]
            step = np.divide(level - low, high - low, out=np.zeros(len(X)), where=high > low)
            found[:, place] = self.grid[below] + np.clip(step, 0.0, 1.0) * (
                self.grid[above] - self.grid[below]
            )
        return found

    def save(self, file: Path) -> None:
        """Write as arrays, the grid in a file of its own."""
        self.trees.save(file)
        write_arrays(_grid_file(file), grid=self.grid)

    @classmethod
    def load(cls, file: Path) -> ForestDistribution:
        """Read what `save` wrote."""
        grid = read_arrays(_grid_file(file), grid="float64 grid")["grid"]
        require(file, len(grid) > 1 and bool((np.diff(grid) > 0.0).all()), "its grid does not rise")
        trees = Trees.load(file, len(grid))
        shares = trees.value[trees.left < 0]
        rise = (np.diff(shares, axis=1) >= -_ROUNDING).all()
        inside = ((shares >= 0.0) & (shares <= 1.0 + _ROUNDING)).all()
        require(file, rise and inside, "the shares of a leaf fall, or are not within 0 and 1")
        return cls(trees, grid)


def grid_of(y: Floats, weight: Floats) -> Floats:
    """(n_grid,) distinct labels between which all lie."""
    return np.unique(weighted_quantiles(y, weight, _SHARES))


def _grid_file(file: Path) -> Path:
    return file.with_stem(f"{file.stem}_grid")


class Forest(PerHorizon):
    """Trees grown independently, and their mean: one forest a horizon.

    The defaults are for market returns: shallow trees and large leaves. For quantiles trees are
    grown on distributions: Meinshausen (2006), with splits that look for a change in the share of
    labels below each value of a grid, after Athey, Tibshirani, Wager (2019).
    """

    concurrent: ClassVar[bool] = True
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

    def fit_one(
        self, train: HorizonRows, stop: HorizonRows | None, target: Target, seed: int
    ) -> Any:
        """Trees, of quantiles a `ForestDistribution`."""
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
            "n_jobs": own.threads,
        }
        forest = self.grower(scikit("ensemble"), target, settings)
        forest.fit(own.X, y, own.weight)
        trees = [_tree(each.tree_, target) for each in forest.estimators_]
        grown = Trees.of(trees, np.zeros(trees[0][-1].shape[1]), train.X.shape[1])
        return ForestDistribution(grown, grid) if target.levels else grown

    def predict_one(self, learned: Any, X: Floats, target: Target) -> Floats:
        # The trees were grown on float32, and their thresholds lie between such numbers.
        X = X.astype(np.float32).astype(float)
        if target.levels:
            return cast(Floats, learned.quantiles(X, target.levels))
        return cast(Floats, learned.sums(X) / (len(learned.first) - 1))

    def save_one(self, learned: Any, file: Path) -> None:
        learned.save(file)

    def load_one(self, file: Path, target: Target) -> Any:
        learned = (
            ForestDistribution.load(file)
            if target.levels
            else Trees.load(file, len(target.outputs))
        )
        trees = learned.trees if isinstance(learned, ForestDistribution) else learned
        require(file, len(trees.first) > 1, "it has no trees")
        require(file, not trees.start.any(), "its trees begin with a sum that is not 0")
        if target.n_classes:
            require_forecasts(file, trees.value[trees.left < 0], target)
        return learned


@register("random_forest", family="classical", tasks=EVERY_TASK)
class RandomForest(Forest):
    """Trees grown on rows drawn anew, with the best split among a few features. Breiman (2001).

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(RandomForest(trees=20), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    row_share: float = Field(0.5, gt=0, le=1, description="share of rows drawn for each tree")

    def grower(self, ensemble: Any, target: Target, settings: dict[str, Any]) -> Any:
        kind = "Classifier" if target.n_classes else "Regressor"
        make = getattr(ensemble, f"RandomForest{kind}")
        return make(max_samples=self.row_share, **settings)


@register("extra_trees", family="classical", tasks=EVERY_TASK)
class ExtraTrees(Forest):
    """Trees grown on all rows, split at random places. Geurts, Ernst, Wehenkel (2006).

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(ExtraTrees(trees=20), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    def grower(self, ensemble: Any, target: Target, settings: dict[str, Any]) -> Any:
        kind = "Classifier" if target.n_classes else "Regressor"
        return getattr(ensemble, f"ExtraTrees{kind}")(**settings)


def _tree(tree: Any, target: Target) -> Tree:
    """Leaves hold means, or a share for each class: both of direction's, of which one is kept."""
    value = tree.value[:, :, 0] if target.levels else tree.value[:, 0, :]
    own = value[:, 1:] if target.task == "direction" else value
    return tree.children_left, tree.children_right, tree.feature, tree.threshold, own
