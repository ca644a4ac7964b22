"""Quantiles of the return: what is learned, against oracles and a world whose spread is known."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import mean_pinball_loss

from barstack.core.arrays import Rows
from barstack.core.errors import ConfigError
from barstack.core.forecast import LEVELS
from barstack.datasets import Dataset
from barstack.evaluation._metrics import pinball_losses
from barstack.models import MODELS, FittedModel, train
from barstack.models._outputs import weighted_quantiles
from barstack.models.classical.naive import NaiveMean
from barstack.testing import small_dataset, training_rows

# A setting beside the models' own where these would take long, or would hide the one feature.
MODELS_HERE: dict[str, dict[str, Any]] = {
    "catboost": {},
    "extra_trees": {"trees": 25, "feature_share": 1.0},
    "hist_gradient_boosting": {"trees": 15, "learning_rate": 0.3, "depth": 3},
    "knn": {},
    "lightgbm": {"leaf_rows": 150},
    "mlp": {"lookback": 1, "hidden": (24,), "epochs": 5},
    "random_forest": {"trees": 25, "feature_share": 1.0},
    "xgboost": {},
}


@given(
    rows=st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 4)), min_size=1, max_size=30),
    level=st.sampled_from(LEVELS),
)
def test_no_constant_has_a_smaller_pinball_loss(rows: list[tuple[int, int]], level: float) -> None:
    y, weight = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    weight[0] += 1.0
    (found,) = weighted_quantiles(y, weight, (level,))

    def loss(constant: float) -> float:
        guess = np.full(len(y), constant)
        return float(mean_pinball_loss(y, guess, sample_weight=weight, alpha=level))

    assert loss(found) <= min(loss(each) for each in y) + 1e-12


def test_weighted_quantiles_are_those_of_rows_repeated() -> None:
    rng = np.random.default_rng(0)
    y, times = rng.normal(size=200), rng.integers(1, 5, 200)
    repeated = np.quantile(np.repeat(y, times), LEVELS, method="inverted_cdf")
    weight = times.astype(np.float64)
    np.testing.assert_array_equal(weighted_quantiles(y, weight, LEVELS), repeated)


@cache
def wide_and_narrow() -> tuple[Dataset, np.ndarray, Rows, Rows]:
    """A world where the first feature sets how far returns go, and nothing which way.

    Returns the dataset, the deviation of every row, training rows and later ones.
    """
    base = small_dataset("quantiles", bars=6000)
    rng = np.random.default_rng(0)
    values = rng.normal(size=base.features.values.shape)
    deviation = 0.01 * np.exp(0.5 * values[:, 0])
    y = (deviation * rng.normal(size=(2, len(values)))).T
    y = np.where(np.isnan(base.labels.values), np.nan, y)
    labels = replace(base.labels, values=y, returns=y)
    dataset = Dataset(replace(base.features, values=values), labels)
    rows = training_rows(dataset, 1.0)
    cut = 7 * len(rows) // 10
    return dataset, deviation, rows[:cut], rows[cut:]


@cache
def fitted(name: str) -> FittedModel:
    dataset, _, rows, _ = wide_and_narrow()
    return train(MODELS.parse({"model": name, **MODELS_HERE[name]}), dataset, rows, seed=0)


def loss_of(quantiles: np.ndarray) -> float:
    """Out of sample, over both horizons."""
    dataset, _, _, asked = wide_and_narrow()
    y = dataset.labels.values[asked]
    return float(np.mean([pinball_losses(quantiles[:, h], y[:, h], LEVELS) for h in (0, 1)]))


def test_all_models_of_quantiles_are_tried() -> None:
    able = {n for n in MODELS.names() if "quantiles" in MODELS.get(n).tasks}
    networks = {n for n in able if MODELS.get(n).family == "neural"}
    wrapped = {n for n in able if MODELS.get(n).family == "wrappers"}  # theirs is what they wrap
    others = able - networks - wrapped - {"naive_mean", "naive_sign", "sklearn"}
    assert others == set(MODELS_HERE) - {"mlp"}
    assert networks == {n for n in MODELS.names() if MODELS.get(n).family == "neural"}


@pytest.mark.parametrize("name", MODELS_HERE)
def test_most_of_what_can_be_known_of_the_spread_is_found(name: str) -> None:
    """Of the loss between the unconditional quantiles and the true ones."""
    dataset, deviation, rows, asked = wide_and_narrow()
    best = loss_of(np.repeat((deviation[asked][:, None] * ndtri(LEVELS))[:, None], 2, axis=1))
    constant = np.quantile(dataset.labels.values[rows], LEVELS, axis=0).T
    usual = loss_of(np.broadcast_to(constant, (len(asked), 2, len(LEVELS))))
    found = loss_of(fitted(name).predict(dataset.features, asked))
    assert (usual - found) / (usual - best) > 0.7


@pytest.mark.parametrize("name", ["catboost", "hist_gradient_boosting", "lightgbm", "xgboost"])
def test_the_median_alone_is_a_level_that_boosters_take(name: str, tmp_path: Path) -> None:
    base = small_dataset("quantiles")
    dataset = replace(base, labels=replace(base.labels, target=replace(base.target, levels=(0.5,))))
    rows = training_rows(dataset)
    own = train(MODELS.parse({"model": name, "trees": 20}), dataset, rows, seed=0)
    found = own.predict(dataset.features, rows)
    assert found.shape == (len(rows), 2, 1)
    y = dataset.labels.values[rows]
    constant = np.broadcast_to(np.median(y, axis=0), y.shape)
    assert np.abs(found[:, :, 0] - y).mean() < np.abs(constant - y).mean()
    own.save(tmp_path / "model")
    again = FittedModel.load(tmp_path / "model").predict(dataset.features, rows)
    np.testing.assert_array_equal(again, found)


@pytest.mark.parametrize("name", ["lightgbm", "mlp"])
def test_intervals_cover_what_they_promise(name: str) -> None:
    """Within three standard errors, and in calm and in wild rows alike within five in a hundred.

    The rows that quantiles were learned from are a sample as those are that they are tried on.
    """
    dataset, deviation, rows, asked = wide_and_narrow()
    quantiles = fitted(name).predict(dataset.features, asked)
    wild = deviation[asked] > np.median(deviation[asked])
    for horizon in range(2):
        y = dataset.labels.values[asked, horizon]
        for low, high in ((0, 4), (1, 3)):
            promised = LEVELS[high] - LEVELS[low]
            inside = (quantiles[:, horizon, low] <= y) & (y <= quantiles[:, horizon, high])
            error = np.sqrt(promised * (1.0 - promised) * (1.0 / len(y) + 1.0 / len(rows)))
            assert abs(inside.mean() - promised) < 3.0 * error
            for half in (wild, ~wild):
                assert abs(inside[half].mean() - promised) < 0.05


def test_a_forest_weighs_training_rows_by_how_often_they_share_a_leaf() -> None:
    """Meinshausen's own words: a weight for each training row, and the quantile by these."""
    from sklearn.ensemble import ExtraTreesRegressor  # noqa: PLC0415

    from barstack.core.seeds import derive_seed  # noqa: PLC0415
    from barstack.models.classical.forests import grid_of  # noqa: PLC0415

    dataset = small_dataset("quantiles")
    rows = training_rows(dataset, 1.0)
    fit, asked = rows[:700], rows[700:]
    scaler = dataset.fit_scaler(fit)
    samples = dataset.samples(fit, scaler, np.ones(2))
    samples = replace(samples, weight=np.random.default_rng(1).uniform(0.2, 1.8, len(fit)))
    inputs = dataset.inputs(asked, scaler)
    model = MODELS.parse({"model": "extra_trees", "trees": 20})
    ours = model.predict(model.fit(samples, None, dataset.target, 3), inputs, dataset.target)
    X, y = samples.last(), samples.y[:, 0]
    grid = grid_of(y, samples.weight)
    seed = derive_seed(3, dataset.target.horizons[0])
    oracle = ExtraTreesRegressor(
        20, max_depth=8, min_samples_leaf=20, max_features=0.3, random_state=seed
    ).fit(X, (y[:, None] <= grid) * 1.0, samples.weight)
    same = oracle.apply(inputs.last())[:, None, :] == oracle.apply(X)
    votes = same * samples.weight[None, :, None]
    weight = (votes / votes.sum(axis=1, keepdims=True)).mean(axis=2)
    share = weight @ (y[:, None] <= grid)
    for row in range(len(asked)):
        for place, level in enumerate(LEVELS):
            # np.interp takes the last of equal shares; between two that differ it is the same.
            distinct = np.append(np.diff(share[row], prepend=-1.0) > 1e-12, True)[:-1]
            expected = np.interp(level, share[row][distinct], grid[distinct])
            assert ours[row, 0, place] == pytest.approx(expected, abs=1e-9 + 1e-6 * np.ptp(grid))


def test_neighbours_are_counted_by_weight() -> None:
    dataset = small_dataset("quantiles")
    rows = training_rows(dataset, 1.0)
    scaler = dataset.fit_scaler(rows[:500])
    samples = dataset.samples(rows[:500], scaler, np.ones(2))
    times = np.random.default_rng(2).integers(1, 4, 500)
    samples = replace(samples, weight=times.astype(np.float64))
    inputs = dataset.inputs(rows[500:520], scaler)
    model = MODELS.parse({"model": "knn", "neighbours": 31})
    found = model.predict(model.fit(samples, None, dataset.target, 0), inputs, dataset.target)
    for row, asked in enumerate(inputs.last()):
        near = np.argsort(((samples.last() - asked) ** 2).sum(axis=1), kind="stable")[:31]
        for horizon in range(2):
            repeated = np.repeat(samples.y[near, horizon], times[near])
            expected = np.quantile(repeated, LEVELS, method="inverted_cdf")
            np.testing.assert_array_equal(found[row, horizon], expected)


def test_quantiles_that_cross_are_sorted() -> None:
    """Whatever a model says; sorted quantiles miss by no more."""
    dataset, _, _, asked = wide_and_narrow()

    class Crossed(NaiveMean):
        def predict(self, learned: Any, inputs: Any, target: Any) -> Any:
            noise = np.random.default_rng(5).normal(size=(len(inputs), 2, len(LEVELS)))
            return super().predict(learned, inputs, target) + noise

    usual = fitted_naive(dataset)
    crossed = replace(usual, model=Crossed())
    raw = (
        crossed.model.predict(usual.learned, dataset.inputs(asked, usual.scaler), dataset.target)
        * usual.y_scale[:, None]
    )
    found = crossed.predict(dataset.features, asked)
    assert (np.diff(raw, axis=2) < 0).any()
    assert (np.diff(found, axis=2) >= 0).all()
    assert loss_of(found) < loss_of(raw)


def fitted_naive(dataset: Dataset) -> FittedModel:
    _, _, rows, _ = wide_and_narrow()
    return train(MODELS.parse("naive_mean"), dataset, rows, seed=0)


def test_a_naive_member_says_the_training_quantiles() -> None:
    dataset, _, rows, asked = wide_and_narrow()
    found = fitted_naive(dataset).predict(dataset.features, asked[:2])
    expected = np.quantile(dataset.labels.values[rows], LEVELS, axis=0, method="inverted_cdf").T
    np.testing.assert_allclose(found, np.stack([expected, expected]), rtol=1e-12)


def test_any_estimator_that_takes_a_level_is_fitted_once_for_each() -> None:
    dataset = small_dataset("quantiles")
    rows = training_rows(dataset)[:200]
    settings = {"alpha": 0.01, "solver": "highs"}
    name = "sklearn.linear_model.QuantileRegressor"
    model = MODELS.parse({"model": "sklearn", "estimator": name, "params": settings})
    found = train(model, dataset, rows, seed=0).predict(dataset.features, rows)
    X = dataset.inputs(rows, dataset.fit_scaler(rows)).last()
    for horizon in range(2):
        y = dataset.labels.values[rows, horizon]
        each = [QuantileRegressor(quantile=q, **settings).fit(X, y / y.std()) for q in LEVELS]
        expected = np.sort([one.predict(X) * y.std() for one in each], axis=0).T
        np.testing.assert_allclose(found[:, horizon], expected, atol=1e-9)


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        ("sklearn.linear_model.Ridge", {}),
        ("sklearn.ensemble.GradientBoostingRegressor", {}),
        ("sklearn.linear_model.SGDRegressor", {"loss": "huber"}),
    ],
)
def test_an_estimator_that_takes_no_level_is_refused(estimator: str, params: Any) -> None:
    dataset = small_dataset("quantiles")
    model = MODELS.parse({"model": "sklearn", "estimator": estimator, "params": params})
    with pytest.raises(ConfigError, match=r"cannot be told which quantile .*QuantileRegressor"):
        train(model, dataset, training_rows(dataset), seed=0)
