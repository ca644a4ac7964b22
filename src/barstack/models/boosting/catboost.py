"""CatBoost."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.forecast import Target, Task

from .._model import EVERY_TASK, Values, register
from ._horizons import Boosting, Part, imported, threads_for

_LOSSES: dict[Task, str] = {
    "return": "RMSE",
    "direction": "Logloss",
    "three_class": "MultiClass",
    "quantiles": "MultiQuantile:alpha=",
}


def _catboost() -> Any:
    return imported("catboost", lambda: import_module("catboost"))


@register("catboost", family="boosting", tasks=EVERY_TASK)
class CatBoost(Boosting):
    """Symmetric trees with ordered boosting. Prokhorenkova et al. (2018)."""

    suffix: ClassVar[str] = "cbm"
    packages: ClassVar[tuple[str, ...]] = ("catboost",)

    l2_penalty: float = Field(10.0, ge=0)
    feature_share: float = Field(0.7, gt=0, le=1)  # of features looked at for each split

    def fit_one(
        self, train: Part, stop: Part | None, target: Target, seed: int, begin: Any = None
    ) -> Any:
        assert stop is not None  # stops_early
        catboost = _catboost()
        classes = {"classes_count": 3} if target.task == "three_class" else {}
        levels = ",".join(map(str, target.levels))
        booster = catboost.CatBoost(
            {
                "loss_function": _LOSSES[target.task] + levels,
                "iterations": self.trees,
                "learning_rate": self.learning_rate,
                "depth": self.depth,
                "l2_leaf_reg": self.l2_penalty,
                "rsm": self.feature_share,
                "random_seed": seed,
                "thread_count": threads_for(len(train.X)),
                "allow_writing_files": False,
                "logging_level": "Silent",
            }
            | classes
        )
        booster.fit(
            catboost.Pool(train.X, train.y, weight=train.weight),
            eval_set=catboost.Pool(stop.X, stop.y, weight=stop.weight),
            early_stopping_rounds=self.patience,
            init_model=begin,
            log_cerr=io.StringIO(),  # it warns past its own silence when a class is absent
        )
        return booster

    def update_one(
        self, learned: Any, train: Part, stop: Part | None, target: Target, seed: int
    ) -> Any:
        return self.fit_one(train, stop, target, seed, begin=learned)

    def predict_one(self, booster: Any, X: Values, target: Target) -> Values:
        if not target.n_classes:
            return np.asarray(booster.predict(X, thread_count=1))
        probability = np.asarray(booster.predict(X, prediction_type="Probability", thread_count=1))
        return probability[:, 1] if target.task == "direction" else probability

    def save_one(self, booster: Any, file: Path) -> None:
        booster.save_model(str(file), format="cbm")

    def load_one(self, file: Path, target: Target) -> Any:
        booster = _catboost().CatBoost()
        booster.load_model(str(file), format="cbm")
        return booster
