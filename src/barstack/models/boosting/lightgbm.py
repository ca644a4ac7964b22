"""LightGBM."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.forecast import Task

from .._model import Values, register
from .._trees import Trees
from ._boosted import Boosted, NativeBoosting
from ._convert import from_lightgbm
from ._horizons import Part, imported, threads_for

_OBJECTIVES: dict[Task, dict[str, Any]] = {
    "return": {"objective": "regression"},
    "direction": {"objective": "binary"},
    "three_class": {"objective": "multiclass", "num_class": 3},
}


def _lightgbm() -> Any:
    return imported("lightgbm", lambda: import_module("lightgbm"))


@register("lightgbm", family="boosting", tasks=("return", "direction", "three_class"))
class LightGBM(NativeBoosting):
    """Leaf-wise histogram trees. Ke et al. (2017)."""

    native_suffix: ClassVar[str] = ".txt"
    packages: ClassVar[tuple[str, ...]] = ("lightgbm",)

    leaf_rows: int = Field(40, ge=1)  # fewest rows in a leaf
    feature_share: float = Field(0.7, gt=0, le=1)  # of features looked at for each tree

    def fit_one(self, train: Part, stop: Part | None, task: Task, seed: int) -> Any:
        assert stop is not None  # stops_early
        lightgbm = _lightgbm()
        settings = _OBJECTIVES[task] | {
            "learning_rate": self.learning_rate,
            "max_depth": self.depth,
            "num_leaves": 2**self.depth - 1,
            "min_data_in_leaf": self.leaf_rows,
            "feature_fraction": self.feature_share,
            "seed": seed,
            "num_threads": threads_for(len(train.X)),
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        rows = lightgbm.Dataset(train.X, train.y, weight=train.weight)
        stop_by = lightgbm.Dataset(stop.X, stop.y, weight=stop.weight, reference=rows)
        quietly = lightgbm.early_stopping(self.patience, verbose=False)
        booster = lightgbm.train(
            settings, rows, self.trees, valid_sets=[stop_by], callbacks=[quietly]
        )
        # As text and back, so that forecasts in research and from the artifact share every bit.
        return lightgbm.Booster(
            model_str=booster.model_to_string(num_iteration=booster.best_iteration)
        )

    def predict_native(self, booster: Any, X: Values, task: Task) -> Values:
        return np.asarray(booster.predict(X, num_threads=1))

    def to_native(self, booster: Any) -> bytes:
        return str(booster.model_to_string()).encode()

    def to_trees(self, booster: Any) -> Trees:
        return from_lightgbm(booster)

    def revive(self, learned: Boosted) -> Any:
        return _lightgbm().Booster(model_str=learned.native.decode())
