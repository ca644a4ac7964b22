"""Models as tests of every task make them."""

from functools import cache
from typing import Any

from barstack.core.forecast import Task
from barstack.datasets import Dataset
from barstack.models import MODELS, Model, RegimeDetector
from barstack.testing import regime_dataset, small_dataset

# Of full size it takes a minute for each check.
_SMALL: dict[str, dict[str, Any]] = {
    "reptile": {"of": {"model": "mlp", "lookback": 4, "hidden": [16]}, "rounds": 100},
}
# Each level is learned by itself, so that quantiles take several times what other tasks do.
_QUANTILES: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"trees": 12, "depth": 2, "learning_rate": 0.3},
    "sklearn": {
        "estimator": "sklearn.ensemble.GradientBoostingRegressor",
        "params": {"loss": "quantile", "n_estimators": 12, "max_depth": 2, "learning_rate": 0.3},
    },
}


def settings(name: str, task: Task, small: dict[str, Any] | None = None) -> dict[str, Any]:
    """A model with its own settings; for quantiles such as are learned in no time."""
    found = {"model": name} | _SMALL.get(name, {}) | (small or {})
    if task != "quantiles":
        return found
    few = {"trees": 30} if "trees" in MODELS.get(name).model_fields else {}
    return few | found | _QUANTILES.get(name, {})


def model_of(name: str, task: Task) -> Model:
    """The model for one task."""
    return MODELS.parse(settings(name, task))


@cache
def dataset_of(model: Model, task: Task) -> Dataset:
    """A small dataset that the model can be trained on."""
    return regime_dataset(model) if isinstance(model, RegimeDetector) else _small(task)


_small = cache(small_dataset)
