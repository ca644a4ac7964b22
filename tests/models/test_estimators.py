"""Models as estimators: scikit-learn's own checks, and that nothing is lost on the way."""

import copy
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from barstack.core.errors import ConfigError, DataError
from barstack.models import MODELS, BarstackClassifier, BarstackRegressor

pytestmark = pytest.mark.slow

# scikit-learn checks on some dozens of rows, for which defaults meant for thousands are too slow.
TREES = {"trees": 8, "learning_rate": 0.5}
NET = {"epochs": 3, "batch": 16, "learning_rate": 0.04, "hidden": (16,), "dropout": 0.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "autoencoder_mlp": {**NET, "code": 2, "noise": 0.0},
    "catboost": {**TREES, "feature_share": 1.0, "depth": 3},
    "extra_trees": {"trees": 8, "leaf_rows": 1, "feature_share": 1.0},
    "hist_gradient_boosting": {**TREES, "leaf_rows": 2},
    "knn": {"neighbours": 5},
    "lightgbm": {**TREES, "leaf_rows": 2, "feature_share": 1.0},
    "logistic": {"penalty": 0.01},
    "mlp": {**NET, "lookback": 1},
    "random_forest": {"trees": 8, "leaf_rows": 1, "feature_share": 1.0, "row_share": 0.9},
    "ridge": {"penalty": 0.01},
    "svm": {"cost": 1.0},
    "xgboost": {**TREES, "leaf_weight": 0.5, "feature_share": 1.0},
}
BY_CLASS = {"sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"}}
UNEQUAL = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a weight says how much a row counts, not how often it is there: scales, the rows to stop "
        "by and draws of rows go by rows, whatever they weigh"
    )
}
IN_FLOAT32 = {
    "check_methods_subset_invariance": "a network's last bits depend on how many rows it reads",
    "check_methods_sample_order_invariance": "and on the place of a row among them",
}


def of_one_row(task: str) -> list[str]:
    able = [name for name in MODELS.names() if task in MODELS.get(name).tasks]
    able = [name for name in able if MODELS.get(name).family != "wrappers"]  # rows have none
    return [n for n in able if MODELS.parse({"model": n, **SETTINGS.get(n, {})}).lookback_bars == 1]


CASES = [("return", name) for name in of_one_row("return")]
CASES += [("direction", name) for name in of_one_row("direction")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("task", "name"), CASES, ids=["-".join(case) for case in CASES])
def test_scikit_learn_accepts(task: str, name: str) -> None:
    if task == "return":
        estimator = BarstackRegressor(name, **SETTINGS.get(name, {}))
    else:
        estimator = BarstackClassifier(name, **(SETTINGS | BY_CLASS).get(name, {}))
    expected = UNEQUAL | (IN_FLOAT32 if MODELS.get(name).family == "neural" else {})
    ran = check_estimator(estimator, expected_failed_checks=expected, on_fail=None, on_skip=None)
    assert len(ran) > 50
    failed = {each["check_name"]: each["exception"] for each in ran if each["status"] == "failed"}
    assert not failed


def world(n_rows: int = 400) -> tuple[Any, Any]:
    random = np.random.default_rng(3)
    X = random.normal(2.0, 3.0, (n_rows, 3))
    return X, 0.02 * (X @ [1.0, -2.0, 0.5]) + random.normal(0.0, 0.05, n_rows)


def test_a_regressor_is_its_model() -> None:
    """Against the closed form on columns and labels scaled by hand."""
    X, y = world()
    Z, v = (X - X.mean(axis=0)) / X.std(axis=0), y / y.std()
    weights = np.linalg.solve(Z.T @ Z / len(Z) + 0.5 * np.eye(3), Z.T @ (v - v.mean()) / len(Z))
    expected = (Z @ weights + v.mean()) * y.std()
    found = BarstackRegressor("ridge", penalty=0.5).fit(X, y).predict(X)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["lightgbm", "mlp"])
def test_the_last_rows_are_those_to_stop_by(name: str) -> None:
    """Nothing but the number of rounds depends on them; rows purged before them count nothing."""
    X, y = world()
    spoilt = y.copy()
    spoilt[300:340] = 1e3
    settings: dict[str, Any] = {"stop_share": 0.15, "purge_rows": 40, **SETTINGS[name]}
    fits = [BarstackRegressor(name, **settings).fit(X, each) for each in (y, spoilt)]
    np.testing.assert_array_equal(fits[0].predict(X), fits[1].predict(X))
    spoilt[299] = 1e3
    other = BarstackRegressor(name, **settings).fit(X, spoilt)
    assert not np.array_equal(other.predict(X), fits[0].predict(X))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_classes_are_told_apart(count: int) -> None:
    X, _ = world(900)
    y = np.digitize(X[:, 0], np.quantile(X[:, 0], np.arange(1, count) / count))
    names = np.array(["a", "b", "c", "d", "e"])[:count]
    fitted = BarstackClassifier("lightgbm", trees=60, leaf_rows=5).fit(X, names[y])
    share = fitted.predict_proba(X)
    assert fitted.classes_.tolist() == names.tolist()
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    assert (fitted.predict(X) == names[y]).mean() > 0.9


def test_searches_and_pipelines_work_with_frames() -> None:
    X, y = world()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), BarstackRegressor())
    grid = {"barstackregressor__penalty": [0.01, 100.0]}
    search = GridSearchCV(pipeline, grid, cv=TimeSeriesSplit(3)).fit(frame, y)
    assert search.best_params_ == {"barstackregressor__penalty": 0.01}
    assert search.best_estimator_[-1].feature_names_in_.tolist() == ["a", "b", "c"]


def test_a_spec_can_stand_for_the_name() -> None:
    X, y = world()
    spec = MODELS.parse({"model": "ridge", "penalty": 7.0})
    by_spec, by_name = BarstackRegressor(spec), BarstackRegressor("ridge", penalty=7.0)
    np.testing.assert_array_equal(by_spec.fit(X, y).predict(X), by_name.fit(X, y).predict(X))


@pytest.mark.parametrize("name", ["autoencoder_mlp", "catboost", "xgboost"])
def test_copies_forecast_to_the_bit(name: str) -> None:
    """They go through the model's files, which hold boosters and networks as data."""
    X, y = world()
    fitted = BarstackRegressor(name, **SETTINGS[name]).fit(X, y)
    assert all(isinstance(each, dict) for each in fitted.__getstate__()["learned_"])
    np.testing.assert_array_equal(copy.deepcopy(fitted).predict(X), fitted.predict(X))


def test_what_it_cannot_do_is_said() -> None:
    X, y = world()
    with pytest.raises(ConfigError, match=r"lstm looks back 24 bars.*barstack\.models\.train"):
        BarstackRegressor("lstm").fit(X, y)
    with pytest.raises(ConfigError, match="Did you mean 'penalty'"):
        BarstackRegressor("ridge", penalti=1.0).fit(X, y)
    with pytest.raises(ConfigError, match="logistic does direction, three_class, not return"):
        BarstackRegressor("logistic").fit(X, y)
    with pytest.raises(ConfigError, match="ridge does return, not direction"):
        BarstackClassifier("ridge").fit(X, y > 0)
    with pytest.raises(DataError, match="n_samples = 5 leaves 1 to fit on"):
        BarstackRegressor("lightgbm", purge_rows=3).fit(X[:5], y[:5])


def test_scikit_learn_is_imported_only_for_them() -> None:
    code = "import sys, barstack.models as m; m.MODELS.names(); print('sklearn' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
