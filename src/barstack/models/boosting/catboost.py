"""CatBoost."""

from __future__ import annotations

import io
import json
import tempfile
from functools import partial
from pathlib import Path
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

_LOSSES: dict[Task, str] = {
    "return": "RMSE",
    "direction": "Logloss",
    "three_class": "MultiClass",
}


def _by_column(rows: HorizonRows) -> Array:
    """The features as CatBoost holds them: others it would copy number by number."""
    found: Array = rows.once("catboost", lambda: np.asfortranarray(rows.X, np.float32))
    return found


def _loss(target: Target) -> str:
    if not target.levels:
        return _LOSSES[target.task]
    # CatBoost takes several levels by one name and a single one by another.
    name = "Quantile" if len(target.levels) == 1 else "MultiQuantile"
    return f"{name}:alpha={','.join(map(str, target.levels))}"


def _catboost() -> Any:
    return imported("catboost", "catboost", "boosting")


@register("catboost", family="boosting", tasks=EVERY_TASK)
class CatBoost(NativeBoosting):
    """Symmetric trees with ordered boosting. Prokhorenkova et al. (2018).

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(CatBoost(trees=20), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    native_suffix: ClassVar[str] = ".cbm"
    single: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("catboost",)

    l2_penalty: float = Field(10.0, ge=0, description="L2, on leaf values")
    feature_share: float = Field(
        0.7, gt=0, le=1, description="share of features looked at for each split"
    )

    def grow(
        self,
        train: HorizonRows,
        stop: HorizonRows,
        target: Target,
        seed: int,
        begin: list[Any] | None,
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
                "thread_count": train.threads,
                "allow_writing_files": False,
                "logging_level": "Silent",
            }
            | classes
        )
        fit = partial(
            booster.fit,
            catboost.Pool(_by_column(train), train.y, weight=train.weight),
            eval_set=catboost.Pool(_by_column(stop), stop.y, weight=stop.weight),
            early_stopping_rounds=self.patience,
            init_model=None if begin is None else begin[0],
        )
        try:
            fit(log_cerr=io.StringIO())  # it warns past its own silence when a class is absent
        except catboost.CatBoostError as error:
            if "in another thread" not in str(error):
                raise
            fit()  # one thread at a time may redirect the log
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


def from_catboost(booster: Any) -> Trees:
    """Of CatBoost's JSON; rows must be rounded to float32 before they are compared."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "booster.json"
        booster.save_model(str(file), format="json")
        model = json.loads(file.read_text())
    scale, bias = model["scale_and_bias"]
    start = np.array(bias, float)
    trees = [_symmetric(each, scale, len(start)) for each in model["oblivious_trees"]]
    return Trees.of(trees, start, len(model["features_info"]["float_features"]))


def _symmetric(tree: dict[str, Any], scale: float, width: int) -> Tree:
    """Oblivious tree: one split per level, least significant bit of the leaf number first."""
    splits = (tree["splits"] or [])[::-1]  # none where no split helped
    n_inner = 2 ** len(splits) - 1
    level = np.repeat(np.arange(len(splits)), 2 ** np.arange(len(splits)))
    feature, threshold = np.zeros((2, 2 * n_inner + 1))
    feature[:n_inner] = np.array([each["float_feature_index"] for each in splits])[level]
    threshold[:n_inner] = np.array([each["border"] for each in splits], float)[level]
    node = np.arange(2 * n_inner + 1)
    left = np.where(node < n_inner, 2 * node + 1, -1)
    right = np.where(node < n_inner, 2 * node + 2, -1)
    value = np.zeros((len(node), width))
    value[n_inner:] = scale * np.array(tree["leaf_values"], float).reshape(-1, width)
    return left, right, feature, threshold, value
