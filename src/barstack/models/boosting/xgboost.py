"""XGBoost."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.forecast import Target, Task

from .._libraries import imported
from .._model import EVERY_TASK, register
from .._per_horizon import HorizonRows
from .._trees import Trees
from ._boosting import NativeBoosting

_OBJECTIVES: dict[Task, dict[str, Any]] = {
    "return": {"objective": "reg:squarederror"},
    "direction": {"objective": "binary:logistic"},
    "three_class": {"objective": "multi:softprob", "num_class": 3},
    "quantiles": {"objective": "reg:quantileerror"},
}


def _xgboost() -> Any:
    return imported("xgboost", "xgboost-cpu", "boosting")


@register("xgboost", family="boosting", tasks=EVERY_TASK)
class XGBoost(NativeBoosting):
    """Depth-wise histogram trees. Chen, Guestrin (2016).

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(XGBoost(trees=20), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    native_suffix: ClassVar[str] = ".ubj"
    single: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("xgboost-cpu",)

    leaf_weight: float = Field(
        40.0, ge=0, description="least sum of hessians in a leaf; a quarter of it for classes"
    )
    feature_share: float = Field(
        0.7, gt=0, le=1, description="share of features looked at for each tree"
    )
    row_share: float = Field(0.8, gt=0, le=1, description="share of rows drawn for each tree")

    def grow(
        self,
        train: HorizonRows,
        stop: HorizonRows,
        target: Target,
        seed: int,
        begin: list[Any] | None,
    ) -> list[Any]:
        xgboost = _xgboost()
        levels = {"quantile_alpha": list(target.levels)} if target.levels else {}
        settings = _OBJECTIVES[target.task] | levels
        settings |= {
            "learning_rate": self.learning_rate,
            "max_depth": self.depth,
            "min_child_weight": self.leaf_weight / (4 if target.n_classes else 1),
            "colsample_bytree": self.feature_share,
            "subsample": self.row_share,
            "seed": seed,
            "nthread": train.threads,
            "verbosity": 0,
        }
        rows, stop_by = (
            each.once("xgboost", partial(xgboost.DMatrix, each.X, weight=each.weight))
            for each in (train, stop)
        )
        rows.set_label(train.y)
        stop_by.set_label(stop.y)
        booster = xgboost.train(
            settings,
            rows,
            self.trees,
            evals=[(stop_by, "stop")],
            early_stopping_rounds=self.patience,
            verbose_eval=False,
            # As bytes: a booster in memory brings the state of its random numbers along.
            xgb_model=None if begin is None else begin[0].save_raw(),
        )
        return [booster[: booster.best_iteration + 1]]

    def predict_native(self, boosters: list[Any], X: Floats, target: Target) -> Floats:
        (booster,) = boosters
        return np.asarray(booster.inplace_predict(X), np.float64)

    def to_native(self, booster: Any) -> bytes:
        return bytes(booster.save_raw("ubj"))

    def to_trees(self, booster: Any) -> Trees:
        return from_xgboost(booster)

    def from_native(self, native: bytes) -> Any:
        booster = _xgboost().Booster()
        booster.load_model(bytearray(native))
        return booster


def from_xgboost(booster: Any) -> Trees:
    """Of XGBoost's JSON; rows must be rounded to float32 before they are compared."""
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    facts, model = learner["learner_model_param"], learner["gradient_booster"]["model"]
    start = np.atleast_1d(np.array(json.loads(facts["base_score"]), float))
    if learner["objective"]["name"] == "binary:logistic":
        start = np.log(start / (1.0 - start))
    trees = []
    for tree, place in zip(model["trees"], model["tree_info"], strict=True):
        left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
        numbers = np.array(tree["split_conditions"], np.float32)
        value = np.zeros((len(left), len(start)))
        value[left < 0, place] = numbers[left < 0]
        # It goes left below the threshold, ours go left up to it: to the next smaller number.
        threshold = np.nextafter(numbers, np.float32(-np.inf)).astype(float)
        trees.append((left, right, np.array(tree["split_indices"]), threshold, value))
    return Trees.of(trees, start, int(facts["num_feature"]))
