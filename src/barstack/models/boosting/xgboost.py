"""XGBoost."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.forecast import Target, Task

from .._model import EVERY_TASK, Values, register
from ._horizons import Boosting, Part, imported, threads_for

_OBJECTIVES: dict[Task, dict[str, Any]] = {
    "return": {"objective": "reg:squarederror"},
    "direction": {"objective": "binary:logistic"},
    "three_class": {"objective": "multi:softprob", "num_class": 3},
    "quantiles": {"objective": "reg:quantileerror"},
}


def _xgboost() -> Any:
    return imported("xgboost-cpu", lambda: import_module("xgboost"))


@register("xgboost", family="boosting", tasks=EVERY_TASK)
class XGBoost(Boosting):
    """Depth-wise histogram trees. Chen, Guestrin (2016)."""

    suffix: ClassVar[str] = "ubj"
    packages: ClassVar[tuple[str, ...]] = ("xgboost-cpu",)

    leaf_weight: float = Field(40.0, ge=0)  # least sum of hessians in a leaf
    feature_share: float = Field(0.7, gt=0, le=1)  # of features looked at for each tree
    row_share: float = Field(0.8, gt=0, le=1)  # of rows drawn for each tree

    def fit_one(
        self, train: Part, stop: Part | None, target: Target, seed: int, begin: Any = None
    ) -> Any:
        assert stop is not None  # stops_early
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
        booster = xgboost.train(
            settings,
            xgboost.DMatrix(train.X, train.y, weight=train.weight),
            self.trees,
            evals=[(xgboost.DMatrix(stop.X, stop.y, weight=stop.weight), "stop")],
            early_stopping_rounds=self.patience,
            verbose_eval=False,
            # As bytes: a booster in memory brings the state of its random numbers along.
            xgb_model=None if begin is None else begin.save_raw(),
        )
        return _on_one_thread(booster[: booster.best_iteration + 1])

    def update_one(
        self, learned: Any, train: Part, stop: Part | None, target: Target, seed: int
    ) -> Any:
        return self.fit_one(train, stop, target, seed, begin=learned)

    def predict_one(self, booster: Any, X: Values, target: Target) -> Values:
        return np.asarray(booster.inplace_predict(X), np.float64)

    def save_one(self, booster: Any, file: Path) -> None:
        booster.save_model(file)

    def load_one(self, file: Path, target: Target) -> Any:
        booster = _xgboost().Booster()
        booster.load_model(file)
        return _on_one_thread(booster)


def _on_one_thread(booster: Any) -> Any:
    """For a single live row, waking threads costs four times what the forecast does."""
    booster.set_param("nthread", 1)
    return booster
