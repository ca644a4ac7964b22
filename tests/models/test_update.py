"""Learning on from later rows: where it equals training on all, that it helps, what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from barstack.core.arrays import Rows
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.core.forecast import Task
from barstack.datasets import Dataset
from barstack.models import MODELS, FittedModel, train, update
from barstack.testing import small_dataset, training_rows


def earlier_and_later(dataset: Dataset, first: float = 0.4, end: float = 0.8) -> tuple[Rows, Rows]:
    """Training rows, and those whose labels became known after all of the former were."""
    rows = training_rows(dataset, first)
    known_at = dataset.labels.all_known_at
    rest = training_rows(dataset, end)
    return rows, rest[known_at[rest] > known_at[rows].max()]


@pytest.mark.parametrize("name", ["ridge", "elastic_net", "knn"])
def test_it_equals_training_on_all_rows(name: str) -> None:
    """In the scales of the first training, once and again."""
    dataset = small_dataset("return")
    model = MODELS.get(name)()
    rows, later = earlier_and_later(dataset)
    fitted = train(model, dataset, rows, seed=1)
    cut = len(later) // 3
    known_at = dataset.labels.all_known_at
    some = later[:cut]
    more = later[cut:][known_at[later[cut:]] > known_at[some].max()]
    updated = update(update(fitted, dataset, some), dataset, more)
    every = np.concatenate([rows, some, more])
    samples = dataset.samples(every, fitted.scaler, fitted.y_scale)
    whole = replace(fitted, learned=model.fit(samples, None, dataset.target, 1))
    found, expected = (each.predict(dataset.features, later) for each in (updated, whole))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_weights_of_rows_count_on() -> None:
    """A row of weight 3 in the later ones counts as that row thrice."""
    dataset = small_dataset("return")
    rows, later = earlier_and_later(dataset)
    fitted = train(MODELS.get("ridge")(), dataset, rows, seed=1)
    samples = dataset.samples(later, fitted.scaler, fitted.y_scale)
    heavy = replace(samples, weight=np.full(len(later), 3.0))
    thrice = dataset.samples(np.tile(later, 3), fitted.scaler, fitted.y_scale)
    by_weight, by_rows = (
        fitted.model.update(fitted.learned, each, None, dataset.target, 0)
        for each in (heavy, thrice)
    )
    np.testing.assert_allclose(by_weight.weights, by_rows.weights, rtol=1e-9)


MODELS_THAT_GO_ON: list[dict[str, Any]] = [
    {"model": "lightgbm", "trees": 60},
    {"model": "xgboost", "trees": 60},
    {"model": "catboost", "trees": 60},
    {"model": "mlp", "lookback": 2, "hidden": [16], "epochs": 10},
    {"model": "gru", "lookback": 4, "hidden": 8, "layers": 1, "epochs": 6},
]


@pytest.mark.parametrize("content", MODELS_THAT_GO_ON, ids=lambda content: content["model"])
def test_when_the_market_turns_it_follows(content: dict[str, Any]) -> None:
    """A signal changes its sign between the first rows and the later ones."""
    dataset = small_dataset("return", bars=1200)
    rows, later = earlier_and_later(dataset)
    begins = dataset.decisions.decided_at[later].min()
    turned = np.where(dataset.decisions.decided_at >= begins, -1.0, 1.0)[:, None]
    body = np.nan_to_num(dataset.features.values[:, 2:3])
    random = np.random.default_rng(0)
    returns = turned * 0.015 * body + 0.004 * random.normal(size=(len(body), 2))
    returns = np.where(np.isnan(dataset.labels.values), np.nan, returns)
    dataset = replace(dataset, labels=replace(dataset.labels, values=returns, returns=returns))
    fitted = train(MODELS.parse(content), dataset, rows, seed=0)
    updated = update(fitted, dataset, later, seed=0)
    known = ~np.isnat(dataset.labels.all_known_at)
    asked = np.flatnonzero(known & (dataset.decisions.decided_at > updated.trained_through))

    def foretells(each: FittedModel) -> float:
        forecast = each.forecast(dataset.features, asked).signal[:, 0]
        return float(np.corrcoef(forecast, returns[asked, 0])[0, 1])

    assert foretells(fitted) < -0.2
    assert foretells(updated) > foretells(fitted) + 0.3


@pytest.mark.parametrize(
    ("estimator", "task"),
    [
        ("sklearn.linear_model.SGDRegressor", "return"),
        ("sklearn.linear_model.SGDRegressor", "three_class"),
        ("sklearn.naive_bayes.GaussianNB", "direction"),
    ],
)
def test_estimators_with_partial_fit_learn_on(estimator: str, task: Task) -> None:
    from barstack.testing._models import check_learns_on  # noqa: PLC0415

    check_learns_on(MODELS.parse({"model": "sklearn", "estimator": estimator}), small_dataset(task))


def test_naive_bayes_learns_on_exactly() -> None:
    """Its counts and moments are sums: an oracle for the way there and back."""
    dataset = small_dataset("direction")
    model = MODELS.parse({"model": "sklearn", "estimator": "sklearn.naive_bayes.GaussianNB"})
    rows, later = earlier_and_later(dataset)
    fitted = train(model, dataset, rows, seed=1)
    updated = update(fitted, dataset, later)
    every = np.concatenate([rows, later])
    samples = dataset.samples(every, fitted.scaler, fitted.y_scale)
    whole = replace(fitted, learned=model.fit(samples, None, dataset.target, 1))
    found, expected = (each.predict(dataset.features, later) for each in (updated, whole))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_forecast_before_the_new_labels_is_a_leak() -> None:
    dataset = small_dataset("return")
    rows, later = earlier_and_later(dataset)
    fitted = train(MODELS.get("ridge")(), dataset, rows, seed=1)
    fitted.forecast(dataset.features, later[20:])
    with pytest.raises(LeakError, match="later than its decision"):
        update(fitted, dataset, later).forecast(dataset.features, later[20:])


def test_what_cannot_be_is_said() -> None:
    dataset = small_dataset("return")
    rows, later = earlier_and_later(dataset)
    fitted = train(MODELS.get("ridge")(), dataset, rows, seed=1)
    with pytest.raises(DataError, match="it would count twice"):
        update(fitted, dataset, np.concatenate([rows[-1:], later]))
    with pytest.raises(DataError, match="1 new rows are too few"):
        update(fitted, dataset, later[:1])
    with pytest.raises(DataError, match="is still open"):
        update(fitted, dataset, np.flatnonzero(dataset.usable)[-3:])
    forest = train(MODELS.parse({"model": "random_forest", "trees": 5}), dataset, rows, seed=1)
    with pytest.raises(ConfigError, match="random_forest cannot learn on"):
        update(forest, dataset, later)
    other = small_dataset("direction")
    with pytest.raises(ConfigError, match="other columns or another target"):
        update(fitted, other, later)
