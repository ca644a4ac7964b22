"""Estimators by name: fitted as scikit-learn's own, kept as data, refused where that cannot be."""

import json
import zipfile
from collections.abc import Callable
from functools import cache
from io import BytesIO
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
from barstack.models.classical import _by_name as by_name
from barstack.testing import small_dataset, training_rows

dataset_for: Callable[[Task], Dataset] = cache(small_dataset)
LINEAR_SVC = {"estimator": "sklearn.svm.LinearSVC", "params": {"C": 0.01}}
SCALED = [
    ["scale", {"estimator": "sklearn.preprocessing.RobustScaler"}],
    ["kernel", {"estimator": "sklearn.kernel_ridge.KernelRidge", "params": {"alpha": 3.0}}],
]
BAGGED: dict[str, Any] = {"estimator": {"estimator": "sklearn.tree.DecisionTreeRegressor"}}
NAMED: list[tuple[Task, str, dict[str, Any]]] = [
    ("return", "sklearn.linear_model.HuberRegressor", {"epsilon": 2.0, "max_iter": 1000}),
    ("return", "sklearn.ensemble.GradientBoostingRegressor", {"n_estimators": 5}),
    ("return", "sklearn.ensemble.BaggingRegressor", BAGGED | {"n_estimators": 3}),
    (
        "return",
        "sklearn.gaussian_process.GaussianProcessRegressor",
        {"alpha": 9.0, "optimizer": None},
    ),
    ("return", "sklearn.cross_decomposition.PLSRegression", {"n_components": 2}),
    ("return", "sklearn.pipeline.Pipeline", {"steps": SCALED}),
    ("direction", "sklearn.linear_model.LogisticRegression", {"C": 0.1}),
    ("direction", "sklearn.calibration.CalibratedClassifierCV", {"estimator": LINEAR_SVC}),
    ("three_class", "sklearn.naive_bayes.GaussianNB", {}),
    ("three_class", "sklearn.discriminant_analysis.LinearDiscriminantAnalysis", {}),
    ("three_class", "sklearn.tree.DecisionTreeClassifier", {"max_depth": 3}),
]


def trained(task: Task, estimator: str, params: dict[str, Any], **changes: Any) -> FittedModel:
    dataset = dataset_for(task)
    model = MODELS.parse({"model": "sklearn", "estimator": estimator, "params": params})
    return train(model, dataset, training_rows(dataset), seed=0)


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
        (
            "return",
            "sklearn.ensemble.HistGradientBoostingRegressor",
            {"max_iter": 2},
            r"cannot be saved as data that is safe .* The model hist_gradient_boosting can be",
        ),
        ("return", "sklearn.neighbors.KNeighborsRegressor", {}, "The model knn can be"),
        ("return", "os.path.join", {}, r"is not of scikit-learn.*runs its code"),
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


def test_a_package_that_the_user_trusts_joins_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "houseblend.py").write_text(
        "from sklearn.linear_model import Ridge\n\n\nclass Blend(Ridge):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"set BARSTACK_TRUSTED_PACKAGES=houseblend"):
        trained("return", "houseblend.Blend", {})
    monkeypatch.setenv("BARSTACK_TRUSTED_PACKAGES", "other, houseblend")
    trained("return", "houseblend.Blend", {}).save(tmp_path / "model")
    FittedModel.load(tmp_path / "model")
    monkeypatch.delenv("BARSTACK_TRUSTED_PACKAGES")
    with pytest.raises(ArtifactError, match=r"holds houseblend\.Blend, which is not of scikit"):
        FittedModel.load(tmp_path / "model")


def with_schema(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A saved estimator with another description of what it holds."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    change(schema)
    members["schema.json"] = json.dumps(schema).encode()
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_an_estimator_of_another_version_says_so(tmp_path: Path) -> None:
    import sklearn  # noqa: PLC0415

    trained("return", "sklearn.linear_model.Ridge", {}).save(tmp_path / "model")
    file = tmp_path / "model" / "learned" / "horizon_0.skops"

    def older(schema: dict[str, Any]) -> None:
        text = json.dumps(schema).replace(f'\\"{sklearn.__version__}\\"', '\\"1.0.2\\"')
        assert "1.0.2" in text
        schema |= json.loads(text)

    file.write_bytes(with_schema(file.read_bytes(), older))
    with pytest.raises(ArtifactError, match="is missing or not what was saved"):
        FittedModel.load(tmp_path / "model")
    seal(tmp_path / "model" / "learned")
    with pytest.raises(ArtifactError, match=r"from version 1\.0\.2 when using version"):
        FittedModel.load(tmp_path / "model")


def test_a_file_that_names_code_is_refused() -> None:
    """An estimator that has become a function of the system, in an otherwise whole file."""
    from sklearn.linear_model import Ridge  # noqa: PLC0415

    data = by_name.to_bytes([Ridge().fit(np.eye(3), np.arange(3.0))], "Ridge")

    def spoil(schema: dict[str, Any]) -> None:
        schema["content"][0]["__class__"], schema["content"][0]["__module__"] = "system", "os"

    with pytest.raises(ArtifactError, match=r"holds os\.system"):
        by_name.from_bytes(with_schema(data, spoil))


@pytest.mark.parametrize(
    ("field", "value"),
    [("left_child", 0), ("left_child", 10**6), ("right_child", -5), ("feature", 77)],
)
def test_trees_of_others_are_checked_before_they_are_walked(field: str, value: int) -> None:
    from sklearn.tree import DecisionTreeRegressor  # noqa: PLC0415

    rng = np.random.default_rng(0)
    estimator = DecisionTreeRegressor(max_depth=3).fit(rng.normal(size=(50, 2)), rng.random(50))
    by_name.from_bytes(by_name.to_bytes([estimator], "tree"))
    state = estimator.tree_.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"][field][0] = value
    estimator.tree_.__setstate__(state)
    with pytest.raises(ValueError, match="leads out of itself, or back"):
        by_name.from_bytes(by_name.to_bytes([estimator], "tree"))


@pytest.mark.parametrize("field", ["coef_", "intercept_"])
@pytest.mark.parametrize("task", ["return", "direction", "three_class", "quantiles"])
def test_numbers_that_do_not_fit_one_another_are_a_damaged_artifact(task: Task, field: str) -> None:
    """A file whose hashes somebody has made right again."""
    dataset = dataset_for(task)
    name = {
        "return": "sklearn.linear_model.Ridge",
        "quantiles": "sklearn.linear_model.QuantileRegressor",
    }.get(task, "sklearn.linear_model.LogisticRegression")
    model = MODELS.parse({"model": "sklearn", "estimator": name})
    fitted = train(model, dataset, training_rows(dataset), seed=0)
    for estimator in fitted.learned[0]:
        setattr(estimator, field, np.zeros(4_000))
    with pytest.raises(ArtifactError, match=r"cannot forecast: .*Restore it from a copy"):
        fitted.predict(dataset.features, training_rows(dataset)[-20:])
