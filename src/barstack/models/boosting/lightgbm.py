"""LightGBM."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.arrays import Array, Floats
from barstack.core.forecast import Target, Task

from .._libraries import imported
from .._model import EVERY_TASK, register
from .._per_horizon import HorizonRows
from .._trees import Tree, Trees
from ._boosting import NativeBoosting

_CATEGORY, _ZERO_IS_MISSING = 1, 4  # bits of LightGBM's decision_type

_OBJECTIVES: dict[Task, dict[str, Any]] = {
    "return": {"objective": "regression"},
    "direction": {"objective": "binary"},
    "three_class": {"objective": "multiclass", "num_class": 3},
}


def _lightgbm() -> Any:
    return imported("lightgbm", "lightgbm", "boosting")


def _binned(train: HorizonRows, stop: HorizonRows, settings: dict[str, Any]) -> tuple[Any, Any]:
    """The rows to learn from and to stop by, without labels; they are binned when first used."""
    Dataset = _lightgbm().Dataset
    rows = Dataset(train.X, train.y, weight=train.weight, params=settings)
    return rows, Dataset(stop.X, stop.y, weight=stop.weight, reference=rows)


@register("lightgbm", family="boosting", tasks=EVERY_TASK)
class LightGBM(NativeBoosting):
    """Leaf-wise histogram trees. Ke et al. (2017).

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(LightGBM(trees=20), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    native_suffix: ClassVar[str] = ".txt"
    packages: ClassVar[tuple[str, ...]] = ("lightgbm",)

    leaf_rows: int = Field(40, ge=1, le=100_000_000, description="fewest rows in a leaf")
    feature_share: float = Field(
        0.7, gt=0, le=1, description="share of features looked at for each tree"
    )

    def grow(
        self,
        train: HorizonRows,
        stop: HorizonRows,
        target: Target,
        seed: int,
        begin: list[Any] | None,
    ) -> list[Any]:
        objectives = [{"objective": "quantile", "alpha": level} for level in target.levels]
        objectives = objectives or [_OBJECTIVES[target.task]]
        begins = begin or [None] * len(objectives)
        return [
            self._booster(train, stop, objective, seed, each)
            for objective, each in zip(objectives, begins, strict=True)
        ]

    def _booster(
        self,
        train: HorizonRows,
        stop: HorizonRows,
        objective: dict[str, Any],
        seed: int,
        begin: Any,
    ) -> Any:
        lightgbm = _lightgbm()
        settings = objective | {
            "learning_rate": self.learning_rate,
            "max_depth": self.depth,
            "num_leaves": 2**self.depth - 1,
            "min_data_in_leaf": self.leaf_rows,
            "feature_fraction": self.feature_share,
            "seed": seed,
            "data_random_seed": 1,  # of the rows sampled for bins, where there are very many
            "num_threads": train.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        rows, stop_by = (
            train.once("lightgbm", lambda: _binned(train, stop, settings))
            if begin is None  # which leaves its forecasts in the rows it goes on from
            else _binned(train, stop, settings)
        )
        rows.set_label(train.y)
        stop_by.set_label(stop.y)
        quietly = lightgbm.early_stopping(self.patience, verbose=False)
        booster = lightgbm.train(
            settings,
            rows,
            self.trees,
            valid_sets=[stop_by],
            callbacks=[quietly],
            init_model=begin,
        )
        # As text and back, so that forecasts in research and from the artifact share every bit.
        return lightgbm.Booster(
            model_str=booster.model_to_string(num_iteration=booster.best_iteration)
        )

    def n_boosters(self, target: Target) -> int:
        return max(len(target.levels), 1)

    def predict_native(self, boosters: list[Any], X: Floats, target: Target) -> Floats:
        return np.column_stack([each.predict(X, num_threads=1) for each in boosters])

    def to_native(self, booster: Any) -> bytes:
        return str(booster.model_to_string()).encode()

    def to_trees(self, booster: Any) -> Trees:
        return from_lightgbm(booster)

    def from_native(self, native: bytes) -> Any:
        return _lightgbm().Booster(model_str=native.decode())


def from_lightgbm(booster: Any) -> Trees:
    """Of LightGBM's text, whose thresholds and leaves have all their digits."""
    head, *sections = booster.model_to_string().split("end of trees")[0].split("\nTree=")
    facts = _lines(head)
    width = int(facts["num_tree_per_iteration"])
    trees = [_of_text(_lines(each), at % width, width) for at, each in enumerate(sections)]
    return Trees.of(trees, np.zeros(width), int(facts["max_feature_idx"]) + 1)


def _lines(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in pairs}


def _of_text(facts: dict[str, str], place: int, width: int) -> Tree:
    """Inner nodes as they are numbered, then leaves, which LightGBM counts as -1, -2 ..."""

    def numbers(name: str, dtype: type = np.int64) -> Array:
        return np.array(facts.get(name, "").split(), dtype)

    leaves, n_inner = numbers("leaf_value", float), int(facts["num_leaves"]) - 1
    kinds = numbers("decision_type")
    if (kinds & (_CATEGORY | _ZERO_IS_MISSING)).any() or facts["is_linear"] != "0":
        raise ValueError("LightGBM grew trees on categories, missing zeros or linear leaves")
    ends = np.full(len(leaves), -1)
    left, right = (
        np.concatenate([np.where(child < 0, n_inner - 1 - child, child), ends])
        for child in (numbers("left_child"), numbers("right_child"))
    )
    value = np.zeros((n_inner + len(leaves), width))
    value[n_inner:, place] = leaves
    threshold = np.concatenate([numbers("threshold", float), np.zeros(len(leaves))])
    feature = np.concatenate([numbers("split_feature"), np.zeros_like(ends)])
    return left, right, feature, threshold, value
