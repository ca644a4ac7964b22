"""CatBoost."""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.forecast import Target, Task

from .._model import EVERY_TASK, register
from .._trees import Trees
from ._boosted import NativeBoosting
from ._convert import from_catboost
from ._horizons import Part, imported, threads_for

_LOSSES: dict[Task, str] = {
    "return": "RMSE",
    "direction": "Logloss",
    "three_class": "MultiClass",
}


def _loss(target: Target) -> str:
    if not target.levels:
        return _LOSSES[target.task]
    # CatBoost takes several levels by one name and a single one by another.
    name = "Quantile" if len(target.levels) == 1 else "MultiQuantile"
    return f"{name}:alpha={','.join(map(str, target.levels))}"


def _catboost() -> Any:
    return imported("catboost", lambda: import_module("catboost"))


@register("catboost", family="boosting", tasks=EVERY_TASK)
class CatBoost(NativeBoosting):
    """Symmetric trees with ordered boosting. Prokhorenkova et al. (2018)."""

    native_suffix: ClassVar[str] = ".cbm"
    single: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("catboost",)

    l2_penalty: float = Field(10.0, ge=0, description="L2, on leaf values")
    feature_share: float = Field(
        0.7, gt=0, le=1, description="share of features looked at for each split"
    )

    def grow(
        self, train: Part, stop: Part, target: Target, seed: int, begin: list[Any] | None
    ) -> list[Any]:
        catboost = _catboost()
        classes = {"classes_count": 3} if target.task == "three_class" else {}
        booster = catboost.CatBoost(
            {
                "loss_function": _loss(target),
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
            init_model=None if begin is None else begin[0],
            log_cerr=io.StringIO(),  # it warns past its own silence when a class is absent
        )
        return [booster]

    def predict_native(self, boosters: list[Any], X: Floats, target: Target) -> Floats:
        (booster,) = boosters
        if not target.n_classes:
            return np.asarray(booster.predict(X, thread_count=1))
        probability = np.asarray(booster.predict(X, prediction_type="Probability", thread_count=1))
        return probability[:, 1] if target.task == "direction" else probability

    def to_native(self, booster: Any) -> bytes:
        return bytes(booster._serialize_model())

    def to_trees(self, booster: Any) -> Trees:
        return from_catboost(booster)

    def from_native(self, native: bytes) -> Any:
        return _catboost().CatBoost().load_model(blob=native)
