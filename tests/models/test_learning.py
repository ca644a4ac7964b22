"""Learning is real: models beat naive forecasts where something can be learned, and only there."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.models.cases import settings as settings_of

from barstack.core.arrays import Rows
from barstack.core.forecast import Task
from barstack.datasets import Dataset
from barstack.evaluation._metrics import pinball_losses
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS
from barstack.models import MODELS, train
from barstack.worlds import WORLDS

SEEDS = (1, 2)
BARS, TRAINED = 5_000, 3_500
CASES = [
    (name, task)
    for name in MODELS.names()
    if MODELS.get(name).family in ("classical", "boosting") and not name.startswith("naive_")
    for task in MODELS.get(name).tasks
]
BENDING = [
    *("catboost", "hist_gradient_boosting", "lightgbm", "xgboost"),
    *("extra_trees", "knn", "random_forest", "svm"),
]


@cache
def dataset_of(world: str, task: Task, seed: int) -> Dataset:
    """Two features: the balance of the wicks, which drives the linear world, and volume."""
    settings = {"world": world, "bars": BARS, "seed": seed} | (
        {} if world == "martingale" else {"r2": 0.08, "horizons": [1]}
    )
    panel = WORLDS.parse(settings).make().panel
    names = ("wick_balance", "log_volume")
    features = FeatureSet(features=tuple(Feature(feature=name) for name in names))
    labels = LABELS.parse({"label": task, "horizons": [1]})
    return Dataset(features.compute(panel), labels.compute(panel))


@cache
def loss_of(name: str, task: Task, world: str) -> float:
    """Of returns and quantiles over that of zero, or log loss, out of sample: mean over seeds."""
    settings = settings_of(name, task)
    if "feature_share" in MODELS.get(name).model_fields:
        settings["feature_share"] = 1.0  # or a tree would see one of the two and no interaction
    return float(np.mean([_loss(settings, dataset_of(world, task, seed)) for seed in SEEDS]))


def _loss(settings: dict[str, Any], dataset: Dataset) -> float:
    known = ~np.isnat(dataset.labels.all_known_at) & dataset.usable
    rows: Rows = np.flatnonzero(known)
    fitted = train(MODELS.parse(settings), dataset, rows[rows < TRAINED], seed=0)
    tested = rows[rows > TRAINED]
    forecast = fitted.forecast(dataset.features, tested).values[:, 0]
    came = dataset.labels.values[tested, 0]
    if dataset.target.task == "return":
        return float(((forecast[:, 0] - came) ** 2).sum() / (came**2).sum())
    if levels := dataset.target.levels:
        zero = pinball_losses(np.zeros(forecast.shape), came, levels)
        return float(pinball_losses(forecast, came, levels).sum() / zero.sum())
    shares = forecast if forecast.shape[1] == 3 else np.hstack([1.0 - forecast, forecast])
    return float(-np.log(shares[np.arange(len(came)), came.astype(int)]).mean())


def naive_loss(task: Task, world: str) -> float:
    naive = [each for each in ("zero", "mean") if task in MODELS.get(f"naive_{each}").tasks]
    return min(loss_of(f"naive_{each}", task, world) for each in naive)


@pytest.mark.parametrize(("name", "task"), CASES, ids=[f"{n}-{t}" for n, t in CASES])
def test_on_a_linear_world_every_model_beats_the_naive(name: str, task: Task) -> None:
    assert loss_of(name, task, "linear") < naive_loss(task, "linear") - 0.01


@pytest.mark.parametrize("task", ["return", "direction"])
@pytest.mark.parametrize("name", BENDING)
def test_on_an_interaction_world_what_bends_beats_what_is_straight(name: str, task: Task) -> None:
    straight = loss_of("ridge" if task == "return" else "logistic", task, "interaction")
    assert loss_of(name, task, "interaction") < straight - 0.005


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_on_a_martingale_no_model_beats_the_naive(name: str) -> None:
    task: Task = "return" if "return" in MODELS.get(name).tasks else "direction"
    assert loss_of(name, task, "martingale") > naive_loss(task, "martingale") - 0.003
