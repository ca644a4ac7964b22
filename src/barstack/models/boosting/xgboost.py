"""XGBoost."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.forecast import Target, Task

from .._model import EVERY_TASK, register
from .._trees import Trees
from ._boosted import NativeBoosting
from ._convert import from_xgboost
from ._horizons import Part, imported, threads_for

_OBJECTIVES: dict[Task, dict[str, Any]] = {
    "return": {"objective": "reg:squarederror"},
    "direction": {"objective": "binary:logistic"},
    "three_class": {"objective": "multi:softprob", "num_class": 3},
    "quantiles": {"objective": "reg:quantileerror"},
}


def _xgboost() -> Any:
    return imported("xgboost-cpu", lambda: import_module("xgboost"))


@register("xgboost", family="boosting", tasks=EVERY_TASK)
class XGBoost(NativeBoosting):
    """Depth-wise histogram trees. Chen, Guestrin (2016)."""

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
        self, train: Part, stop: Part, target: Target, seed: int, begin: list[Any] | None
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
            "nthread": threads_for(len(train.X)),
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
