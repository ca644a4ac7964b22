"""What weights mean: rows counted more than once, rows that say when to stop."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from barstack.core.arrays import Rows
from barstack.core.errors import DataError
from barstack.datasets import Dataset
from barstack.labels import LabelTable, SampleWeights
from barstack.models import MODELS, FittedModel, train
from barstack.models.classical._linear import LinearWeights
from barstack.models.classical.ridge import Ridge
from barstack.splits import early_stop_split
from barstack.testing import small_dataset, training_rows

DATASET = small_dataset("return")
ROWS = training_rows(DATASET)
# Of networks `test_neural.py` asks the same.
STOPPING = [
    name
    for name in MODELS.names()
    if MODELS.get(name).stops_early and MODELS.get(name).family != "neural"
]


def ridge_of(rows: Rows, weight: np.ndarray, penalty: float) -> LinearWeights:
    samples = DATASET.samples(rows, DATASET.fit_scaler(ROWS), np.ones(2))
    return Ridge(penalty=penalty).fit(replace(samples, weight=weight), None, DATASET.target, 0)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("at_once", [2**22, 5 * 100], ids=["together", "in parts"])
def test_a_row_of_weight_two_is_the_row_twice(
    penalty: float, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("barstack.datasets._history._VALUES_AT_ONCE", at_once)
    twice = np.random.default_rng(0).random(len(ROWS)) < 0.3
    doubled = np.concatenate([ROWS, ROWS[twice]])
    one = ridge_of(ROWS, 1.0 + twice, penalty)
    two = ridge_of(doubled, np.ones(len(doubled)), penalty)
    np.testing.assert_allclose(one.weights, two.weights, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(one.intercept, two.intercept, rtol=1e-9)


def test_ridge_is_that_of_sklearn_with_weights() -> None:
    from sklearn.linear_model import Ridge as Oracle  # noqa: PLC0415

    weight = np.random.default_rng(1).random(len(ROWS))
    samples = DATASET.samples(ROWS, DATASET.fit_scaler(ROWS), np.ones(2))
    oracle = Oracle(alpha=weight.sum()).fit(samples.last(), samples.y, sample_weight=weight)
    ours = ridge_of(ROWS, weight, 1.0)
    np.testing.assert_allclose(ours.weights, oracle.coef_.T, rtol=1e-7)
    np.testing.assert_allclose(ours.intercept, oracle.intercept_, rtol=1e-7)


class _Given:
    """Weights by row."""

    def __init__(self, by_row: np.ndarray) -> None:
        self.by_row = by_row

    def compute(self, labels: LabelTable, rows: Rows) -> np.ndarray:
        return self.by_row[rows]


@cache
def _turned_at_the_end() -> tuple[Dataset, Rows, Rows]:
    """Every second row to stop by says the opposite of all others; with both kinds of them."""
    _, stop = early_stop_split(DATASET.decisions, DATASET.labels.all_known_at, ROWS)
    turned = stop[::2]
    body = np.nan_to_num(DATASET.features.values[:, 2])
    values = np.where(np.isnan(DATASET.labels.values), np.nan, np.sign(body)[:, None] * [1.0, 1.0])
    values[turned] *= -1.0
    return replace(DATASET, labels=replace(DATASET.labels, values=values)), stop[1::2], turned


@pytest.mark.parametrize("name", STOPPING)
def test_rows_to_stop_by_count_by_their_weight(name: str) -> None:
    """Those that agree with training let it go on; those that contradict it stop it at once."""
    dataset, agree, turned = _turned_at_the_end()

    def fitted(ignored: Rows) -> FittedModel:
        by_row = np.ones(len(dataset.decisions))
        by_row[ignored] = 0.0
        return train(MODELS.get(name)(), replace(dataset, weights=_Given(by_row)), ROWS, seed=0)

    rows = dataset.with_history(ROWS, 24)
    went_on, stopped = (fitted(each).predict(dataset.features, rows) for each in (turned, agree))
    assert went_on.std() > 2.0 * stopped.std()


@pytest.mark.parametrize(
    "weight", [np.full(len(DATASET.decisions), -1.0), np.full(len(DATASET.decisions), np.nan)]
)
def test_weights_below_nothing_are_refused(weight: np.ndarray) -> None:
    with pytest.raises(DataError, match="negative or missing"):
        train(Ridge(), replace(DATASET, weights=_Given(weight)), ROWS, seed=0)


@pytest.mark.parametrize("by", ["uniqueness", "return"])
def test_weights_come_from_the_rows_trained_on_alone(by: Any) -> None:
    """Labels of later rows change nothing, even where they overlap those trained on."""
    later = np.setdiff1d(np.arange(len(DATASET.decisions)), ROWS)
    returns = DATASET.labels.returns.copy()
    returns[later] *= 50.0
    spoilt = replace(DATASET, labels=replace(DATASET.labels, returns=returns))
    one, two = (
        train(Ridge(), replace(each, weights=SampleWeights(by=by)), ROWS, seed=0)
        for each in (DATASET, spoilt)
    )
    np.testing.assert_array_equal(one.learned.weights, two.learned.weights)
    plain = train(Ridge(), DATASET, ROWS, seed=0)
    assert (one.learned.weights != plain.learned.weights).any()
