"""Every neural model holds to the contract, at sizes that take a second."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from barstack.core.forecast import Task
from barstack.datasets import Dataset
from barstack.models import MODELS, Model
from barstack.models.neural._neural import Neural
from barstack.testing import BoundCheck, ForTask, parametrize_with_checks, small_dataset
from barstack.testing._models import check_forecasts_fit_the_task

dataset_for: Callable[[Task], Dataset] = cache(small_dataset)

SHARED: dict[str, Any] = {"lookback": 6, "batch": 32, "learning_rate": 5e-3, "epochs": 8}
SMALL: dict[str, dict[str, Any]] = {
    "attention_lstm": {"hidden": 12, "layers": 1},
    "autoencoder_mlp": {"lookback": 1, "hidden": (16,), "code": 4},
    "cnn_lstm": {"hidden": 12, "layers": 1, "channels": 8},
    "dlinear": {"trend_bars": 3},
    "gru": {"hidden": 12, "layers": 2},
    "hierarchical": {"channels": 12, "timeframes": (1, 2)},
    "lstm": {"hidden": 12, "layers": 1},
    "mixture_of_experts": {"hidden": 8, "layers": 1, "experts": 2},
    "mlp": {"hidden": (16,)},
    "multitask_lstm": {"hidden": 12, "layers": 1, "tower": 6},
    "nhits": {"pools": (3, 1), "hidden": 16},
    "patchtst": {"patch": 3, "stride": 1, "width": 8, "heads": 2, "layers": 1},
    "tcn": {"channels": 12},
    "tft": {"width": 12},
    "transformer": {"width": 12, "inner": 16, "layers": 1},
}
CLASSES: tuple[Task, ...] = ("direction", "three_class")


def small(name: str) -> Model:
    return MODELS.parse({"model": name} | SHARED | SMALL[name])


def test_all_neural_models_are_held_to_it() -> None:
    assert set(SMALL) == {n for n in MODELS.names() if issubclass(MODELS.get(n), Neural)}


@parametrize_with_checks([ForTask(small(name), "return") for name in SMALL])
def test_return(part: Model, check: BoundCheck) -> None:
    check(part)


@parametrize_with_checks(
    [ForTask(small(name), task) for name in SMALL for task in CLASSES],
    only=("check_forecasts_fit_the_task", "check_saves_and_loads"),
)
def test_classes(part: Model, check: BoundCheck) -> None:
    check(part)


@pytest.mark.parametrize("name", SMALL)
def test_quantiles(name: str) -> None:
    """After an epoch: the numbers that a network gives for them are like those for anything."""
    check_forecasts_fit_the_task(
        small(name).model_copy(update={"epochs": 1}), dataset_for("quantiles")
    )
