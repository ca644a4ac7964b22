"""Estimators by name: fitted as scikit-learn's own, kept as data, refused where that cannot be."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barstack.core.errors import ArtifactError, ConfigError
from barstack.core.files import seal
from barstack.core.forecast import Task
from barstack.datasets import Dataset
from barstack.labels import SampleWeights
from barstack.models import MODELS, FittedModel, train
from barstack.models.classical._conversion import LISTED
from barstack.testing import small_dataset, training_rows

dataset_for: Callable[[Task], Dataset] = cache(small_dataset)
LINEAR_SVC = {"estimator": "sklearn.svm.LinearSVC", "params": {"C": 0.01}}
SCALED = [
    ["scale", {"estimator": "sklearn.preprocessing.RobustScaler"}],
    ["kernel", {"estimator": "sklearn.kernel_ridge.KernelRidge", "params": {"alpha": 3.0}}],
]
BAGGED: dict[str, Any] = {"estimator": {"estimator": "sklearn.tree.DecisionTreeRegressor"}}
BOTH = [
    ["line", {"estimator": "sklearn.linear_model.Ridge"}],
    ["tree", {"estimator": "sklearn.tree.DecisionTreeRegressor", "params": {"max_depth": 2}}],
]
CLASSES = [
    ["line", {"estimator": "sklearn.linear_model.LogisticRegression"}],
    ["tree", {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 2}}],
]
CHANGED = [
    ["within", {"estimator": "sklearn.preprocessing.MinMaxScaler"}],
    ["products", {"estimator": "sklearn.preprocessing.PolynomialFeatures"}],
    ["least", {"estimator": "sklearn.decomposition.PCA", "params": {"whiten": True}}],
    ["machine", {"estimator": "sklearn.svm.SVR", "params": {"kernel": "poly", "degree": 2}}],
]
NAMED: list[tuple[Task, str, dict[str, Any]]] = [
    ("return", "sklearn.linear_model.HuberRegressor", {"epsilon": 2.0, "max_iter": 1000}),
    ("return", "sklearn.ensemble.GradientBoostingRegressor", {"n_estimators": 5}),
    ("return", "sklearn.ensemble.HistGradientBoostingRegressor", {"max_iter": 5}),
    ("return", "sklearn.ensemble.RandomForestRegressor", {"n_estimators": 5}),
    ("return", "sklearn.ensemble.BaggingRegressor", BAGGED | {"n_estimators": 3}),
    ("return", "sklearn.ensemble.VotingRegressor", {"estimators": BOTH, "weights": [1.0, 2.0]}),
    ("return", "sklearn.ensemble.StackingRegressor", {"estimators": BOTH}),
    (
        "return",
        "sklearn.gaussian_process.GaussianProcessRegressor",
        {"alpha": 9.0, "optimizer": None, "normalize_y": True},
    ),
    ("return", "sklearn.cross_decomposition.PLSRegression", {"n_components": 2}),
    ("return", "sklearn.neural_network.MLPRegressor", {"max_iter": 9, "early_stopping": True}),
    ("return", "sklearn.pipeline.Pipeline", {"steps": SCALED}),
    ("return", "sklearn.pipeline.Pipeline", {"steps": CHANGED}),
    ("three_class", "sklearn.svm.NuSVR", {"C": 0.1}),
    ("direction", "sklearn.linear_model.LogisticRegression", {"C": 0.1}),
    ("direction", "sklearn.linear_model.SGDClassifier", {"loss": "log_loss"}),
    ("direction", "sklearn.calibration.CalibratedClassifierCV", {"estimator": LINEAR_SVC}),
    ("direction", "sklearn.ensemble.StackingClassifier", {"estimators": CLASSES}),
    ("three_class", "sklearn.calibration.CalibratedClassifierCV", {"estimator": LINEAR_SVC}),
    ("three_class", "sklearn.ensemble.GradientBoostingClassifier", {"n_estimators": 5}),
    ("three_class", "sklearn.ensemble.VotingClassifier", {"estimators": CLASSES, "voting": "soft"}),
    ("three_class", "sklearn.naive_bayes.GaussianNB", {}),
    ("three_class", "sklearn.discriminant_analysis.LinearDiscriminantAnalysis", {}),
    ("three_class", "sklearn.tree.DecisionTreeClassifier", {"max_depth": 3}),
]


def trained(task: Task, estimator: str, params: dict[str, Any], **changes: Any) -> FittedModel:
    dataset = dataset_for(task)
    model = MODELS.parse({"model": "sklearn", "estimator": estimator, "params": params})
    return train(model, dataset, training_rows(dataset), seed=0)


# scikit-learn says of a network that few rounds are few.
@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("task", "name", "params"), NAMED, ids=[each[1] for each in NAMED])
def test_named_estimators_are_kept_as_data_to_the_bit(
    task: Task, name: str, params: dict[str, Any], tmp_path: Path
) -> None:
    fitted = trained(task, name, params)
    fitted.save(tmp_path / "model")
    features, rows = dataset_for(task).features, np.arange(300, 400)
    values = fitted.predict(features, rows)
    loaded = FittedModel.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(features, rows), values)
    assert np.isfinite(values).all()
    if task == "three_class":
        np.testing.assert_allclose(values.sum(axis=2), 1.0)


def test_it_is_the_estimator_that_was_named() -> None:
    from sklearn.linear_model import HuberRegressor  # noqa: PLC0415

    dataset, rows = dataset_for("return"), training_rows(dataset_for("return"))
    fitted = trained("return", "sklearn.linear_model.HuberRegressor", {"epsilon": 2.0})
    samples = dataset.samples(rows, fitted.scaler, fitted.y_scale)
    oracle = HuberRegressor(epsilon=2.0).fit(samples.last(), samples.y[:, 1], samples.weight)
    expected = oracle.predict(samples.last()) * fitted.y_scale[1]
    found = fitted.predict(dataset.features, rows)[:, 1, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("task", "estimator", "params", "said"),
    [
        ("return", "sklearn.linear_model.Rigde", {}, r"There is no sklearn\.linear_model\.Rigde"),
        ("return", "sklearn.nowhere.Ridge", {}, r"There is no sklearn\.nowhere\.Ridge"),
        ("return", "sklearn.base.clone", {}, "is not an estimator"),
        ("return", "sklearn.preprocessing.RobustScaler", {}, "neither a regressor nor"),
        ("return", "sklearn.linear_model.Ridge", {"alhpa": 1}, r"cannot be made with .*alhpa"),
        ("return", "sklearn.linear_model.Ridge", {"alpha": -1}, r"cannot be fitted .*alpha"),
        ("return", "sklearn.naive_bayes.GaussianNB", {}, "is a classifier and the label is a re"),
        ("direction", "sklearn.svm.LinearSVC", {}, r"gives no probabilities.*Calibrated"),
        ("direction", "sklearn.semi_supervised.SelfTrainingClassifier", {}, "is not whole"),
        ("return", "houseblend.Blend", {}, "is not of scikit-learn"),
        ("return", "sklearn.ensemble.AdaBoostRegressor", {}, "AdaBoostRegressor cannot be saved"),
        (
            "return",
            "sklearn.ensemble.VotingRegressor",
            {"estimators": [["near", {"estimator": "sklearn.neighbors.KNeighborsRegressor"}]]},
            r"KNeighborsRegressor cannot be saved as plain arrays.* The model knn can be",
        ),
        ("direction", "sklearn.linear_model.SGDClassifier", {"loss": "modified_huber"}, "log_loss"),
        ("return", "sklearn.neighbors.KNeighborsRegressor", {}, "The model knn can be"),
        ("return", "os.path.join", {}, r"is not of scikit-learn.*a model of your own"),
        ("return", "subprocess.Popen", {"args": ["true"]}, "is not of scikit-learn"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(
    task: Task, estimator: str, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        trained(task, estimator, params)


@pytest.mark.parametrize("estimator", ["Ridge", "sklearn.", "a b.c", "__import__('os').abort", ""])
def test_names_are_full(estimator: str) -> None:
    with pytest.raises(ConfigError, match=r"sklearn\.estimator"):
        MODELS.parse({"model": "sklearn", "estimator": estimator})


def test_parameters_are_what_a_study_file_can_hold() -> None:
    with pytest.raises(ConfigError, match="A parameter is <object"):
        MODELS.parse({"model": "sklearn", "params": {"alpha": object()}})


def test_weights_are_refused_by_what_takes_none() -> None:
    from dataclasses import replace  # noqa: PLC0415

    dataset = replace(dataset_for("return"), weights=SampleWeights(by="return"))
    model = MODELS.parse(
        {"model": "sklearn", "estimator": "sklearn.cross_decomposition.PLSRegression"}
    )
    with pytest.raises(ConfigError, match=r"takes no weights, and the rows weigh from"):
        train(model, dataset, training_rows(dataset), seed=0)


def test_the_seed_goes_in_wherever_one_is_open() -> None:
    name, params = "sklearn.ensemble.BaggingRegressor", BAGGED | {"n_estimators": 3}
    dataset, rows = dataset_for("return"), training_rows(dataset_for("return"))
    model = MODELS.parse({"model": "sklearn", "estimator": name, "params": params})
    one, two, other = (train(model, dataset, rows, seed=seed) for seed in (1, 1, 2))
    values = [each.predict(dataset.features, rows) for each in (one, two, other)]
    np.testing.assert_array_equal(values[0], values[1])
    assert (values[0] != values[2]).any()


def saved_form(tmp_path: Path, name: str, params: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The file of one horizon's arrays, and these."""
    trained("return", name, params).save(tmp_path / "model")
    file = tmp_path / "model" / "learned" / "horizon_0.npz"
    with np.load(file, allow_pickle=False) as read:
        return file, dict(read)


KERNELS: tuple[str, dict[str, Any]] = ("sklearn.svm.SVR", {})
TREES = ("sklearn.ensemble.GradientBoostingRegressor", {"n_estimators": 3})
SCALING = ("sklearn.pipeline.Pipeline", {"steps": SCALED})


@pytest.mark.parametrize(
    ("of", "array", "spoil", "said"),
    [
        (KERNELS, "0.centres", lambda a: a[:-1], "0.coefficients is"),
        (KERNELS, "0.centres", lambda a: a * np.nan, "not finite"),
        (KERNELS, "0.gamma", lambda a: -a, "gamma is not above 0"),
        (KERNELS, "0.degree", lambda a: a + 2**20, "degree is not within"),
        (TREES, "2.left", lambda a: a * 0, "leads out of its tree, or back"),
        (TREES, "2.left", lambda a: a + 10**6, "leads out of its tree, or back"),
        (TREES, "2.feature", lambda a: a + 77, "a feature that there is not"),
        (TREES, "2.n_features", lambda a: a + 1, "5 columns are handed to a form of 6"),
        (TREES, "2.start", lambda a: np.zeros(2), r"2\.start is|2\.value is"),
        (SCALING, "1.scale", lambda a: a * 0, "a scale is 0"),
        (SCALING, "1.scale", lambda a: a[:, None], "1.scale is float64 .5, 1."),
    ],
)  # fmt: skip
def test_arrays_that_break_a_rule_are_refused(
    of: tuple[str, dict[str, Any]], array: str, spoil: Any, said: str, tmp_path: Path
) -> None:
    """A file whose hashes somebody has made right again."""
    file, arrays = saved_form(tmp_path, *of)
    arrays[array] = spoil(arrays[array])
    np.savez(file, allow_pickle=False, **arrays)
    seal(file.parent)
    with pytest.raises(ArtifactError, match=said):
        FittedModel.load(tmp_path / "model")


@pytest.mark.parametrize(
    "plan",
    [
        "os.system",
        {"form": "os.system"},
        {"form": ["chain"]},
        {"form": "chain", "of": []},
        {"form": "chain", "of": [{"form": "scale"}, {"form": "scale"}, {"form": "kernels"}]},
        {"form": "function", "name": "eval"},
        {"form": "scale", "n_jobs": 64},
    ],
)
def test_a_plan_that_names_anything_else_is_refused(plan: Any, tmp_path: Path) -> None:
    file, _ = saved_form(tmp_path, *SCALING)
    (file.parent / "horizon_0.form.json").write_text(json.dumps(plan))
    seal(file.parent)
    with pytest.raises(ArtifactError, match=r"describes no form|it holds"):
        FittedModel.load(tmp_path / "model")


def test_loading_makes_no_estimator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no number of jobs, and nothing else of an estimator's, ever comes from a file."""
    fitted = trained("return", "sklearn.ensemble.RandomForestRegressor", {"n_estimators": 3})
    fitted.save(tmp_path / "model")
    text = (tmp_path / "model" / "fitted.json").read_text()
    (tmp_path / "model" / "fitted.json").write_text(
        text.replace('"n_estimators": 3', '"n_jobs": 64')
    )
    monkeypatch.setattr(
        "barstack.models.classical._by_name.named", lambda _: pytest.fail("an estimator was made")
    )
    loaded = FittedModel.load(tmp_path / "model")
    rows = training_rows(dataset_for("return"))[-5:]
    features = dataset_for("return").features
    np.testing.assert_array_equal(loaded.predict(features, rows), fitted.predict(features, rows))


def test_the_page_lists_what_can_be_saved() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    for names in LISTED.values():
        for name in names:
            assert f"`{name.removeprefix('sklearn.')}`" in page, name
