"""Estimators by name: which may be named, and what each is made with."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from barstack.core.errors import ConfigError
from barstack.core.forecast import Target

from .._libraries import scikit


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
        # A stack has probabilities once it is fitted, as the estimator on top of it has them.
        stacked = isinstance(estimator, scikit("ensemble").StackingClassifier)
        if not stacked and not hasattr(estimator, "predict_proba"):
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


def named(name: str) -> Any:
    """The class of that name; `ConfigError` where it may not be used, or is none."""
    if not name.startswith("sklearn."):
        raise ConfigError(
            f"{name} is not of scikit-learn. Name one of its estimators, or write a model of your "
            "own around it: CONTRIBUTING.md shows how."
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
