"""One forecast at a time equals many at once, and arrays forecast as the libraries they are of."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barstack.core.arrays import Floats
from barstack.core.errors import FaultError
from barstack.core.forecast import Target, Task
from barstack.datasets import Dataset, Inputs, NewestRow, StandardScaler
from barstack.models import MODELS, Carried, FittedModel, OneRow, Ridge, train
from barstack.models._per_horizon import ConstantForecast
from barstack.models._trees import Tree, Trees
from barstack.models.boosting._boosting import NativeBoosting
from barstack.testing import small_dataset, training_rows

dataset_for: Callable[[Task], Dataset] = cache(small_dataset)
TASKS: tuple[Task, ...] = ("return", "direction", "three_class", "quantiles")
LIBRARIES = ("lightgbm", "xgboost", "catboost")


@cache
def fitted_to(name: str, task: Task, **settings: Any) -> FittedModel:
    dataset = dataset_for(task)
    model = MODELS.parse({"model": name} | settings)
    return train(model, dataset, training_rows(dataset), seed=0)


def slowly(trees: Trees, X: Floats) -> Floats:
    """The definition, one node at a time."""
    out = []
    for row in X:
        total = trees.start.copy()
        for root in trees.first[:-1]:
            node = root
            while trees.left[node] >= 0:
                low = row[trees.feature[node]] <= trees.threshold[node]
                node = trees.left[node] if low else trees.right[node]
            total += trees.value[node]
        out.append(total)
    return np.array(out).reshape(len(X), len(trees.start))


def grown(rng: np.random.Generator, splits: int, n_outputs: int) -> Tree:
    """A tree that splits a leaf drawn by lot, again and again."""
    left, right = [-1], [-1]
    for _ in range(splits):
        leaf = int(rng.choice([node for node, child in enumerate(left) if child < 0]))
        left[leaf], right[leaf] = len(left), len(left) + 1
        left, right = [*left, -1, -1], [*right, -1, -1]
    size = len(left)
    feature, threshold = rng.integers(3, size=size), rng.choice([-1.0, 0.0, 0.5], size)
    return np.array(left), np.array(right), feature, threshold, rng.normal(size=(size, n_outputs))


@pytest.mark.parametrize("n_trees", range(10))
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_trees_walked_side_by_side_are_those_walked_one_by_one(
    n_trees: int, n_outputs: int
) -> None:
    """To the bit, for any number of trees, of any shapes, at thresholds too."""
    rng = np.random.default_rng(n_trees)
    each = [grown(rng, int(rng.integers(0, 12)), n_outputs) for _ in range(n_trees)]
    trees = Trees.of(each, rng.normal(size=n_outputs), 3)
    X = rng.choice([-1.0, 0.0, 0.5, 0.7, -3.0], (40, 3))
    np.testing.assert_array_equal(trees.sums(X), slowly(trees, X))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LIBRARIES)
def test_arrays_forecast_as_their_library_does(name: str, task: Task) -> None:
    """On rows far and near, and on the very thresholds, where a wrong comparison shows."""
    fitted = fitted_to(name, task, trees=60, patience=60, learning_rate=0.2)
    model = fitted.model
    assert isinstance(model, NativeBoosting)
    rng = np.random.default_rng(0)
    for one in fitted.learned:
        inner = one.trees.left >= 0
        X = rng.standard_t(3, (300, len(fitted.columns)))
        for column in range(X.shape[1]):
            own = one.trees.threshold[inner & (one.trees.feature == column)]
            if len(own):
                X[:200, column] = rng.choice(own, 200)
                X[:100, column] = np.nextafter(
                    X[:100, column].astype(np.float32), np.float32(np.inf)
                )
        theirs = model.predict_native(model.revive(one), X, fitted.target).reshape(len(X), -1)
        ours = model.predict_one(one, X, fitted.target)
        # XGBoost adds up in float32.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 if name == "xgboost" else 1e-12)


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_that_says_otherwise_is_found_out(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = MODELS.get(name)
    assert issubclass(kind, NativeBoosting)
    right = kind.to_trees

    def wrong(self: Any, booster: Any) -> Trees:
        trees = right(self, booster)
        trees.value[:] *= 1.01
        return trees

    monkeypatch.setattr(kind, "to_trees", wrong)
    dataset = dataset_for("return")
    with pytest.raises(FaultError, match="where the library says"):
        train(kind(trees=20), dataset, training_rows(dataset), seed=0)


QUICK = ("ridge", "random_forest", "knn", "svm", "naive_sign", *LIBRARIES)


@pytest.mark.parametrize("name", QUICK)
def test_one_row_is_that_of_a_batch_to_the_bit(name: str) -> None:
    fitted, table = fitted_to(name, "return"), dataset_for("return").features
    one = OneRow.fast(fitted)
    assert one.how == ("compiled" if name in LIBRARIES else "predict")
    rows = np.arange(400, 420)
    batch = fitted.predict(table, rows)
    for row, expected in zip(rows, batch, strict=True):
        found = one.predict(table.values[row : row + 1])
        if name in ("ridge", "svm", "knn"):  # products of matrices differ in their last bits
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-18)
        else:
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("name", "task"), [("lstm", "return"), ("tcn", "three_class")])
def test_a_compiled_network_says_what_it_said(name: str, task: Task) -> None:
    fitted = fitted_to(name, task, lookback=8, epochs=2)
    table, rows = dataset_for(task).features, np.arange(300, 400)
    one = OneRow.fast(fitted)
    assert one.how == "compiled"
    batch = fitted.predict(table, rows)
    found = np.array([one.predict(table.values[row - 7 : row + 1]) for row in rows])
    allowed = 1e-6 if task != "return" else 1e-5 * batch.std(axis=0)
    assert (np.abs(found - batch) <= allowed).all()
    longer = one.predict(table.values[rows[-1] - 30 : rows[-1] + 1])
    np.testing.assert_array_equal(longer, found[-1])  # of a longer table the latest rows


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LIBRARIES)
def test_horizons_walked_together_are_those_walked_apart(name: str, task: Task) -> None:
    """To the bit; where a horizon taught nothing, the model's own predict has to do."""
    fitted = fitted_to(name, task, trees=60, patience=60, learning_rate=0.2)
    together = fitted.model.compiled(fitted.learned, fitted.target)
    assert together is not None
    table = dataset_for(task).features.values[300:320]
    batch = Inputs(table, np.arange(20), fitted.scaler, np.ones(20, int))
    expected = fitted.model.predict(fitted.learned, batch, fitted.target)
    found = [together(NewestRow.of(table[: row + 1], fitted.scaler)) for row in range(20)]
    np.testing.assert_array_equal(np.concatenate(found), expected)
    unchanging = ConstantForecast((0.1,) * len(fitted.target.outputs))
    assert fitted.model.compiled([*fitted.learned[1:], unchanging], fitted.target) is None


class Crooked(Ridge):
    """A ridge whose fast form is a little off."""

    def compiled(self, learned: Any, target: Target) -> Callable[[Inputs], Floats]:
        return lambda inputs: self.predict(learned, inputs, target) * (1.0 + 1e-4)


def test_a_quick_form_that_is_off_is_an_error() -> None:
    dataset = dataset_for("return")
    fitted = train(Crooked(), dataset, training_rows(dataset), seed=0)
    with pytest.raises(FaultError, match="The fast form of Crooked forecasts"):
        OneRow.fast(fitted)


class Forgetful(Ridge):
    """A ridge that, row by row, speaks of the one before."""

    def compiled(self, learned: Any, target: Target) -> Callable[[Inputs], Floats]:
        return lambda inputs: self.predict(learned, inputs, target)

    def carried(self, learned: Any, target: Target) -> Callable[[], Carried]:
        def begin() -> Carried:
            rows: list[Floats] = []

            def late(row: Floats) -> Floats:
                rows.append(row)
                as_it_is = StandardScaler().fit(np.array([[-1.0], [1.0]]).repeat(row.shape[1], 1))
                return self.predict(learned, NewestRow.of(rows[-2:][0], as_it_is), target)

            return late

        return begin


def test_a_carried_state_that_is_off_is_an_error() -> None:
    dataset = dataset_for("return")
    fitted = train(Forgetful(), dataset, training_rows(dataset), seed=0)
    with pytest.raises(FaultError, match="The fast form of Forgetful forecasts"):
        OneRow.fast(fitted)


def test_a_booster_goes_on_from_its_own_file(tmp_path: Path) -> None:
    """What lies beside the arrays is the library's own, and whole."""
    dataset = dataset_for("return")
    X = np.random.default_rng(0).normal(size=(50, len(dataset.features.columns)))
    for name in LIBRARIES:
        fitted_to(name, "return", trees=60, patience=60, learning_rate=0.2).save(tmp_path / name)
        loaded = FittedModel.load(tmp_path / name)
        assert isinstance(loaded.model, NativeBoosting)
        one = loaded.learned[0]
        theirs = loaded.model.predict_native(loaded.model.revive(one), X, loaded.target)
        ours = loaded.model.predict_one(one, X, loaded.target)
        np.testing.assert_allclose(ours[:, 0], theirs.reshape(-1), atol=2e-6)
