"""LightGBM."""

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
    "return": {"objective": "regression"},
    "direction": {"objective": "binary"},
    "three_class": {"objective": "multiclass", "num_class": 3},
}


def _lightgbm() -> Any:
    return imported("lightgbm", lambda: import_module("lightgbm"))


@register("lightgbm", family="boosting", tasks=EVERY_TASK)
class LightGBM(Boosting):
    """Leaf-wise histogram trees. Ke et al. (2017)."""

    suffix: ClassVar[str] = "txt"
    packages: ClassVar[tuple[str, ...]] = ("lightgbm",)

    leaf_rows: int = Field(40, ge=1)  # fewest rows in a leaf
    feature_share: float = Field(0.7, gt=0, le=1)  # of features looked at for each tree

    def fit_one(
        self, train: Part, stop: Part | None, target: Target, seed: int, begin: Any = None
    ) -> Any:
        """A booster, or a list with one for each level of quantiles."""
        assert stop is not None  # stops_early
        if target.levels:
            begins = begin or [None] * len(target.levels)
            return [
                self._booster(train, stop, {"objective": "quantile", "alpha": level}, seed, each)
                for level, each in zip(target.levels, begins, strict=True)
            ]
        return self._booster(train, stop, _OBJECTIVES[target.task], seed, begin)

    def _booster(
        self, train: Part, stop: Part, objective: dict[str, Any], seed: int, begin: Any
    ) -> Any:
        lightgbm = _lightgbm()
        settings = objective | {
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

    def update_one(
        self, learned: Any, train: Part, stop: Part | None, target: Target, seed: int
    ) -> Any:
        return self.fit_one(train, stop, target, seed, begin=learned)

    def predict_one(self, learned: Any, X: Values, target: Target) -> Values:
        if target.levels:
            return np.column_stack([each.predict(X, num_threads=1) for each in learned])
        return np.asarray(learned.predict(X, num_threads=1))

    def save_one(self, learned: Any, file: Path) -> None:
        boosters = learned if isinstance(learned, list) else [learned]
        for each, own in zip(boosters, _files(file, len(boosters)), strict=True):
            own.write_text(each.model_to_string())

    def load_one(self, file: Path, target: Target) -> Any:
        files = _files(file, max(len(target.levels), 1))
        found = [_lightgbm().Booster(model_str=own.read_text()) for own in files]
        return found if target.levels else found[0]


def _files(file: Path, count: int) -> list[Path]:
    """A file for each booster of one horizon."""
    return [file, *(file.with_stem(f"{file.stem}_{place}") for place in range(1, count))]
