"""Our own arrays against scikit-learn's own predict, for every task."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble, kernel_approximation, linear_model, neighbors, svm

from barstack.core.forecast import Target, Task
from barstack.core.seeds import derive_seed
from barstack.datasets import Dataset, Samples
from barstack.models import MODELS
from barstack.models._libraries import openmp_threads
from barstack.models._per_horizon import HorizonRows
from barstack.models.boosting.hist_gradient_boosting import HistGradientBoosting
from barstack.splits import early_stop_split
from barstack.testing import small_dataset, training_rows

TASKS: tuple[Task, ...] = ("return", "direction", "three_class")
dataset_for: Callable[[Task], Dataset] = cache(small_dataset)


@cache
def samples_for(task: Task) -> tuple[Samples, Samples, Samples]:
    """Rows to fit on and to stop by, weighed at random, and later ones to forecast."""
    dataset = dataset_for(task)
    rows = training_rows(dataset, 1.0)
    known, asked = rows[: len(rows) * 7 // 10], rows[len(rows) * 7 // 10 :]
    fit, stop = early_stop_split(dataset.decisions, dataset.labels.all_known_at, known)
    scaler = dataset.fit_scaler(fit)
    scale = dataset.labels.values[fit].std(axis=0) if task == "return" else np.ones(2)
    each = [dataset.samples(part, scaler, scale) for part in (fit, stop, asked)]
    rng = np.random.default_rng(4)
    weighed = [replace(part, weight=rng.uniform(0.2, 1.8, len(part))) for part in each]
    return weighed[0], weighed[1], weighed[2]


def ours(task: Task, value: dict[str, Any]) -> np.ndarray:
    fit, stop, asked = samples_for(task)
    model, target = MODELS.parse(value), dataset_for(task).target
    learned = model.fit(fit, stop if model.stops_early else None, target, 3)
    return model.predict(learned, asked, target)


def theirs(estimator: Any, asked: np.ndarray, task: Task) -> np.ndarray:
    if task == "return":
        return np.asarray(estimator.predict(asked))[:, None]
    share: np.ndarray = estimator.predict_proba(asked)
    return share[:, 1:] if task == "direction" else share


def each_horizon(task: Task, fitted: Callable[[np.ndarray, int], Any]) -> np.ndarray:
    _, _, asked = samples_for(task)
    target = dataset_for(task).target
    seeds = [derive_seed(3, horizon) for horizon in target.horizons]
    found = [
        theirs(fitted(column, seed), asked.last(), task)
        for column, seed in zip(samples_for(task)[0].y.T, seeds, strict=True)
    ]
    return np.stack(found, axis=1)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
def test_forests_are_those_of_sklearn_to_the_bit(name: str, task: Task) -> None:
    kind = "RandomForest" if name == "random_forest" else "ExtraTrees"
    make = getattr(ensemble, f"{kind}{'Regressor' if task == 'return' else 'Classifier'}")
    fit, _, _ = samples_for(task)
    settings: dict[str, Any] = {"n_estimators": 30, "max_depth": 6, "min_samples_leaf": 9}
    drawn = {"max_samples": 0.5} if name == "random_forest" else {}

    def fitted(y: np.ndarray, seed: int) -> Any:
        forest = make(max_features=0.3, random_state=seed, **drawn, **settings)
        return forest.fit(fit.last(), y, fit.weight)

    found = ours(task, {"model": name, "trees": 30, "depth": 6, "leaf_rows": 9})
    np.testing.assert_array_equal(found, each_horizon(task, fitted))


def test_hist_gradient_boosting_ranks_rows_where_no_tree_improves_on_the_mean() -> None:
    """The rows to stop by say the opposite of those to learn from, so that every tree harms."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    weight, model = np.ones(600), MODELS.parse("hist_gradient_boosting")
    assert isinstance(model, HistGradientBoosting)
    y = X[:, 0] + 0.1 * rng.normal(size=600)
    target = Target("return", ("1h",))
    learned = model.fit_one(HorizonRows(X, y, weight), HorizonRows(X, -y, weight), target, seed=0)
    assert np.ptp(model.predict_one(learned, X, target)) > 0.0


@pytest.mark.parametrize("task", TASKS)
def test_hist_gradient_boosting_is_that_of_sklearn_stopped_by_our_rows(task: Task) -> None:
    make: Any = getattr(
        ensemble, f"HistGradientBoosting{'Regressor' if task == 'return' else 'Classifier'}"
    )
    fit, stop, _ = samples_for(task)
    stops = iter(stop.y.T)
    rounds = []

    def fitted(y: np.ndarray, seed: int) -> Any:
        settings = {"max_depth": 4, "max_leaf_nodes": 15, "min_samples_leaf": 40, "tol": 0.0}
        common = settings | {"max_features": 0.7, "learning_rate": 0.05, "random_state": seed}
        early = make(max_iter=200, early_stopping=True, n_iter_no_change=20, **common)
        early.fit(
            fit.last(),
            y,
            fit.weight,
            X_val=stop.last(),
            y_val=next(stops),
            sample_weight_val=stop.weight,
        )
        rounds.append(int(np.argmax(early.validation_score_)))
        again = make(max_iter=rounds[-1], early_stopping=False, **common)
        return again.fit(fit.last(), y, fit.weight)

    with openmp_threads(1):
        expected = each_horizon(task, fitted)
    assert all(0 < each < 180 for each in rounds)
    found = ours(task, {"model": "hist_gradient_boosting"})
    np.testing.assert_allclose(found, expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize("task", ["direction", "three_class"])
def test_logistic_is_that_of_sklearn(task: Task) -> None:
    fit, _, _ = samples_for(task)

    def fitted(y: np.ndarray, seed: int) -> Any:
        strength = 1.0 / (0.2 * fit.weight.sum())
        regression = linear_model.LogisticRegression(C=strength, max_iter=1000)
        return regression.fit(fit.last(), y, fit.weight)

    found = ours(task, {"model": "logistic", "penalty": 0.2})
    np.testing.assert_allclose(found, each_horizon(task, fitted), rtol=1e-12)


def test_elastic_net_is_that_of_sklearn() -> None:
    fit, _, _ = samples_for("return")

    def fitted(y: np.ndarray, seed: int) -> Any:
        net = linear_model.ElasticNet(alpha=0.05, l1_ratio=0.3, max_iter=100_000, tol=1e-14)
        return net.fit(fit.last(), y, fit.weight)

    found = ours("return", {"model": "elastic_net", "penalty": 0.05, "l1_share": 0.3})
    np.testing.assert_allclose(found, each_horizon("return", fitted), rtol=1e-9, atol=1e-12)


def test_exact_svm_is_that_of_sklearn() -> None:
    fit, _, _ = samples_for("return")

    def fitted(y: np.ndarray, seed: int) -> Any:
        machine = svm.SVR(C=0.7, epsilon=0.05, gamma=0.1)
        return machine.fit(fit.last(), y, fit.weight)

    found = ours("return", {"model": "svm", "cost": 0.7, "width": 0.05, "gamma": 0.1})
    np.testing.assert_allclose(found, each_horizon("return", fitted), rtol=0, atol=1e-12)


def test_decisions_on_classes_are_those_of_sklearn() -> None:
    """Before Platt's sigmoid, which is monotone: the same order of rows."""
    fit, _, asked = samples_for("direction")
    found = ours("direction", {"model": "svm", "cost": 0.7})[:, 0, 0]
    up = fit.y[:, 0] == 1.0
    share = np.where(up, fit.weight[up].sum(), fit.weight[~up].sum()) / fit.weight.sum()
    machine = svm.SVC(C=0.7, gamma=1 / fit.n_features)
    machine.fit(fit.last(), up, fit.weight / (2.0 * share))
    order = np.argsort(machine.decision_function(asked.last()))
    assert (np.diff(found[order]) >= -1e-12).all()
    assert np.ptp(found) > 0.05


def test_approximate_svm_is_that_of_sklearn() -> None:
    fit, _, asked = samples_for("return")

    def fitted(y: np.ndarray, seed: int) -> Any:
        kernel = kernel_approximation.Nystroem(gamma=0.2, n_components=50, random_state=seed)
        machine = svm.LinearSVR(
            epsilon=0.1,
            C=0.1,
            loss="squared_epsilon_insensitive",
            dual=False,
            random_state=seed,
        )
        machine.fit(kernel.fit_transform(fit.last()), y, fit.weight)
        machine.predict_rows = lambda X: machine.predict(kernel.transform(X))
        return machine

    seeds = [derive_seed(3, horizon) for horizon in dataset_for("return").target.horizons]
    expected = np.column_stack(
        [fitted(y, seed).predict_rows(asked.last()) for y, seed in zip(fit.y.T, seeds, strict=True)]
    )
    found = ours("return", {"model": "svm", "gamma": 0.2, "landmarks": 50, "exact_rows": 10})
    np.testing.assert_allclose(found[:, :, 0], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("task", TASKS)
def test_neighbours_are_those_of_sklearn(task: Task) -> None:
    """scikit-learn has no weights by row: they go in through its weights by neighbour."""
    fit, _, asked = samples_for(task)
    oracle = neighbors.NearestNeighbors(n_neighbors=25, algorithm="brute").fit(fit.last())
    nearest = oracle.kneighbors(asked.last(), return_distance=False)
    labels = fit.y[nearest]
    weight = fit.weight[nearest][:, :, None, None]
    votes = labels[..., None] == np.arange(3) if task == "three_class" else labels[..., None]
    expected = (votes * weight).sum(axis=1) / weight.sum(axis=1)
    found = ours(task, {"model": "knn", "neighbours": 25})
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_equally_far_neighbours_are_taken_in_order_however_many_rows_are_asked() -> None:
    """Features of few values: most distances are equal, to rounding."""
    from barstack.models.classical.knn import _nearest  # noqa: PLC0415

    rng = np.random.default_rng(0)
    X = np.asarray(rng.integers(0, 3, (500, 4)) * 0.1 + 0.7, np.float64)
    asked = np.asarray(rng.integers(0, 3, (60, 4)) * 0.1 + 0.7, np.float64)
    together = _nearest(asked, X, (X**2).sum(axis=1), 20)
    apart = ((asked[:, None, :] - X) ** 2).sum(axis=2)
    slow = np.argsort(apart.round(9), axis=1, kind="stable")[:, :20]
    exact = np.take_along_axis(apart, slow, axis=1)
    np.testing.assert_allclose(np.take_along_axis(apart, together, axis=1), exact, atol=1e-12)
    alone = [_nearest(row[None], X, (X**2).sum(axis=1), 20)[0] for row in asked]
    np.testing.assert_array_equal(together, alone)


def test_only_the_latest_rows_are_kept_as_neighbours() -> None:
    fit, _, _ = samples_for("return")
    model, target = MODELS.parse({"model": "knn", "most_rows": 50}), dataset_for("return").target
    learned = model.fit(fit, None, target, 0)
    np.testing.assert_array_equal(learned.X, fit.last()[-50:])
    np.testing.assert_array_equal(learned.y, fit.y[-50:])


def test_a_class_that_never_occurs_is_not_impossible() -> None:
    """Nor does it spoil what is said of the others."""
    fit, stop, asked = samples_for("three_class")
    seen = np.where(fit.y == 1.0, 2.0, fit.y)
    two = replace(fit, y=seen)
    for name in ("logistic", "random_forest", "extra_trees", "svm", "hist_gradient_boosting"):
        model, target = MODELS.get(name)(), dataset_for("three_class").target
        learned = model.fit(two, stop if model.stops_early else None, target, 0)
        share = model.predict(learned, asked, target)
        np.testing.assert_allclose(share.sum(axis=2), 1.0, atol=1e-12)
        assert (share[:, :, 1] < 0.1).all(), name
        assert share[:, :, 1].mean() > 0.0, name
