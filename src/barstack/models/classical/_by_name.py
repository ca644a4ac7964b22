"""Estimators by name: which may be named, and how they become data and come back."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

from barstack.core.errors import ArtifactError, ConfigError, MissingPackageError
from barstack.core.forecast import Target

from .._scikit import scikit

# Packages besides scikit-learn whose estimators may be named and read back, with commas between.
# In the environment, as studies and artifacts cannot say of themselves that they are safe.
TRUSTED = "BARSTACK_TRUSTED_PACKAGES"


def check_plain(value: Any) -> None:
    """`ConfigError` unless a study file could hold it."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"Parameter {key!r} is not a name.")
            check_plain(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            check_plain(item)
    elif not isinstance(value, (str, int, float, bool, type(None))):
        raise ConfigError(
            f"A parameter is {value!r}. Give text, numbers, lists, or "
            "{estimator: NAME, params: {...}} for an estimator within."
        )


def made(value: Any) -> Any:
    """Parameters as they are, and an unfitted estimator wherever one is named.

    >>> made({"estimator": "sklearn.linear_model.Ridge", "params": {"alpha": 2}})
    Ridge(alpha=2)
    """
    if isinstance(value, dict) and isinstance(value.get("estimator"), str):
        if unknown := sorted(value.keys() - {"estimator", "params"}):
            raise ConfigError(f"{value['estimator']}: unknown keys {unknown}. Put them in params.")
        return _instance(value["estimator"], made(dict(value.get("params") or {})))
    if isinstance(value, dict):
        return {key: made(item) for key, item in value.items()}
    return [made(item) for item in value] if isinstance(value, (list, tuple)) else value


def classifies(name: str, estimator: Any, target: Target) -> bool:
    """Whether it is a classifier; `ConfigError` where it cannot do the task."""
    base = scikit("base")
    try:
        kind = base.is_classifier(estimator), base.is_regressor(estimator)
    except AttributeError as error:  # of an estimator around another that is not given
        raise ConfigError(f"{name} is not whole: {error}") from None
    if kind[0]:
        if not target.n_classes:
            raise ConfigError(
                f"{name} is a classifier and the label is a return. Choose a regressor, or a "
                "label of direction or three_class."
            )
        if not hasattr(estimator, "predict_proba"):
            raise ConfigError(
                f"{name} gives no probabilities. Put it in "
                "{estimator: sklearn.calibration.CalibratedClassifierCV, params: {estimator: ...}}."
            )
        return True
    if not kind[1]:
        raise ConfigError(f"{name} is neither a regressor nor a classifier. Name one of these.")
    return False


def of_levels(name: str, estimator: Any, levels: tuple[float, ...]) -> list[Any]:
    """One for each level of quantiles; `ConfigError` where it has no setting for it."""
    params = estimator.get_params()
    # Gradient boosting calls the level alpha, which without this loss is a penalty.
    setting = "quantile" if "quantile" in params else "alpha"
    if params.get("loss", setting) != "quantile":
        raise ConfigError(
            f"{name} cannot be told which quantile to forecast. Choose one that takes a quantile, "
            "such as sklearn.linear_model.QuantileRegressor, or that takes loss: quantile among "
            "its params."
        )
    clone = scikit("base").clone
    return [clone(estimator).set_params(**{setting: level}) for level in levels]


def is_classifier(estimator: Any) -> bool:
    return bool(scikit("base").is_classifier(estimator))


def to_bytes(fitted: Any, name: str) -> bytes:
    """Fitted estimators as data; `ConfigError` for what cannot be, or could not be read again."""
    io = _skops()
    try:
        data: bytes = io.dumps(fitted)
        unknown = _refused(data)
    except Exception as error:
        raise ConfigError(
            f"{name} cannot be saved as data: {error} Choose another estimator."
        ) from error
    if unknown:
        own = "".join(f" {said}" for each, said in _OWN.items() if each in unknown)
        raise ConfigError(
            f"{name} cannot be saved as data that is safe to read: it holds {', '.join(unknown)}. "
            f"Choose another estimator, or trust their packages in {TRUSTED}.{own}"
        )
    return data


def from_bytes(data: bytes) -> list[Any]:
    """What `to_bytes` wrote; `ArtifactError` where it holds what is not trusted."""
    if unknown := _refused(data):
        raise ArtifactError(
            f"A saved estimator holds {', '.join(unknown)}, which is not of scikit-learn. If you "
            f"trust the artifact and the package, name it in {TRUSTED}."
        )
    io = _skops()
    found: list[Any] = io.loads(data, trusted=io.get_untrusted_types(data=data))
    _check_trees(found, set())
    return found


def _check_trees(value: Any, seen: set[int]) -> None:
    """`ValueError` unless all trees within lead to leaves; scikit-learn walks them unchecked."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, scikit("tree._tree").Tree):
        _check_tree(value)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _check_trees(each, seen)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        for each in value.ravel():
            _check_trees(each, seen)
    elif isinstance(value, dict) or hasattr(value, "__dict__"):
        tree, width = getattr(value, "tree_", None), getattr(value, "n_features_in_", None)
        if tree is not None and width != tree.n_features:
            raise ValueError(f"a tree of {tree.n_features} features says it is of {width}")
        for each in (value if isinstance(value, dict) else vars(value)).values():
            _check_trees(each, seen)


def _check_tree(tree: Any) -> None:
    if not 0 < tree.node_count <= tree.capacity:
        raise ValueError(f"a tree says it has {tree.node_count} nodes of {tree.capacity}")
    left, right = tree.children_left, tree.children_right
    leaf = (left == -1) & (right == -1)
    place = np.arange(tree.node_count)
    ahead = [(child > place) & (child < tree.node_count) for child in (left, right)]
    known = (tree.feature >= 0) & (tree.feature < tree.n_features)
    if not (leaf | (ahead[0] & ahead[1] & known)).all():
        raise ValueError("a tree leads out of itself, or back")


# What we keep as plain arrays of our own.
_OWN = {
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": (
        "The model hist_gradient_boosting can be."
    ),
    "sklearn.neighbors._kd_tree.KDTree": "The model knn can be; or set algorithm: brute.",
}
# Parts of estimators that skops leaves to its callers: plain Python over values, and trees, whose
# nodes are checked before they are used.
_HARMLESS = {
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    *(
        f"sklearn.gaussian_process.kernels.{each}"
        for each in (
            *("CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation"),
            *("Matern", "PairwiseKernel", "Product", "RBF", "RationalQuadratic", "Sum"),
            *("WhiteKernel", "Hyperparameter"),
        )
    ),
}


def _refused(data: bytes) -> list[str]:
    """Types that are neither trusted by skops nor of a package that the user trusts."""
    types = _skops().get_untrusted_types(data=data)
    return [each for each in types if each not in _HARMLESS and _root(each) not in _trusted()]


def named(name: str) -> Any:
    """The class of that name; `ConfigError` where it may not be used, or is none."""
    if _root(name) not in {"sklearn", *_trusted()}:
        raise ConfigError(
            f"{name} is not of scikit-learn. To use an estimator of package {_root(name)!r}, which "
            f"runs its code, set {TRUSTED}={_root(name)} in the environment."
        )
    module, _, attribute = name.rpartition(".")
    scikit("base")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"There is no {name}: {error}. Give its full name.") from None
    if not (isinstance(found, type) and issubclass(found, scikit("base").BaseEstimator)):
        raise ConfigError(f"{name} is not an estimator. Name a class that is.")
    return found


def _instance(name: str, params: dict[str, Any]) -> Any:
    found = named(name)
    try:
        return found(**params)
    except TypeError as error:
        raise ConfigError(f"{name} cannot be made with {params}: {error}.") from None


def _root(name: str) -> str:
    return name.partition(".")[0]


def _trusted() -> set[str]:
    named = {each.strip() for each in os.environ.get(TRUSTED, "").split(",")}
    return named - {""}


def _skops() -> Any:
    try:
        return import_module("skops.io")
    except ImportError as error:
        raise MissingPackageError(
            f"This model needs skops: pip install 'barstack[classical]' ({error})."
        ) from None
