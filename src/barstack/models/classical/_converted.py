"""Fitted estimators of scikit-learn as forms: which there are, and what each comes to.

scikit-learn's own files would hand its compiled code arrays that it does not check. What an
estimator forecasts is therefore taken out of it once, after training, and compared with what the
estimator says; files hold nothing else. What is not listed here cannot be saved and is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from barstack.core.errors import ConfigError

from ._converted_parts import (
    boosted,
    chained,
    forest,
    gaussian_process,
    histogram,
    kernel_machine,
    kernel_ridge,
    linear,
    logistic,
    mean_of,
    naive_bayes,
    name_of,
    network,
    network_of_classes,
    no_form,
    of_scores,
    of_trees,
    one_against_rest,
    one_tree,
    pls,
    stochastic,
    tree_of,
)
from ._form_kinds import Columns, Form, Linear, Products, Scale
from ._forms import Beside

Table = dict[str, Callable[[Any], Form]]

_OWN = {
    "KNeighborsRegressor": "The model knn can be.",
    "KNeighborsClassifier": "The model knn can be.",
}


def numbers(estimator: Any) -> Form:
    """(n_rows, 1) what a fitted regressor predicts."""
    return _of(_NUMBERS, estimator)


def probabilities(estimator: Any) -> Form:
    """(n_rows, n_classes) what a fitted classifier gives as probabilities."""
    return _of(_PROBABILITIES, estimator)


def check_listed(estimator: Any, classifier: bool) -> None:
    """`ConfigError` unless an estimator, fitted or not, is one of those that have a form."""
    _listed_as(_PROBABILITIES if classifier else _NUMBERS, estimator)


def _of(table: Table, estimator: Any) -> Form:
    return _listed_as(table, estimator)(estimator)


def _listed_as(table: Table, estimator: Any) -> Callable[[Any], Form]:
    name = name_of(estimator)
    if name not in table:
        own = _OWN.get(type(estimator).__name__, "Choose one that the models' page lists.")
        raise ConfigError(f"{name} cannot be saved as plain arrays, as all models are. {own}")
    return table[name]


def _bagged(of: Callable[[Any], Form], estimator: Any) -> Form:
    within, columns = estimator.estimators_, estimator.estimators_features_
    n_features, share = estimator.n_features_in_, 1.0 / len(estimator.estimators_)
    if all(name_of(each).startswith("sklearn.tree.") for each in within):
        each = [tree_of(one, share, own) for one, own in zip(within, columns, strict=True)]
        return of_trees(each, np.zeros(each[0][-1].shape[1]), n_features)
    width = np.array([n_features], np.int32)
    return mean_of(
        [
            chained(Columns(np.asarray(own, np.int32), width), of(one))
            for one, own in zip(within, columns, strict=True)
        ]
    )


def _calibrated(estimator: Any) -> Form:
    return mean_of([_calibrated_one(each) for each in estimator.calibrated_classifiers_])


def _calibrated_one(one: Any) -> Form:
    if one.method != "sigmoid":
        raise ConfigError(
            f"CalibratedClassifierCV with method {one.method!r} cannot be saved as plain arrays. "
            "Choose sigmoid."
        )
    if hasattr(one.estimator, "decision_function"):
        scores = _of(_DECISIONS, one.estimator)
    else:
        scores = probabilities(one.estimator)
        if len(one.classes) == 2:
            scores = chained(scores, Columns(np.array([1], np.int32), np.array([2], np.int32)))
    slope, shift = (
        np.array([getattr(each, name) for each in one.calibrators], float) for name in ("a_", "b_")
    )
    return one_against_rest(chained(scores, Linear(np.diag(-slope), -shift)))


def _voted(of: Callable[[Any], Form], estimator: Any) -> Form:
    if getattr(estimator, "voting", "soft") != "soft":
        raise ConfigError(
            f"{name_of(estimator)} that votes hard gives no probabilities. Vote soft."
        )
    return mean_of([of(each) for each in estimator.estimators_], estimator._weights_not_none)


def _stacked(of: Callable[[Any], Form], estimator: Any) -> Form:
    ways: Table = {"predict": numbers, "predict_proba": probabilities}
    ways["decision_function"] = lambda each: _of(_DECISIONS, each)
    within = []
    for each, method in zip(estimator.estimators_, estimator.stack_method_, strict=True):
        form = ways[method](each)
        if method == "predict_proba" and form.outputs == 2:
            form = chained(form, Columns(np.array([1], np.int32), np.array([2], np.int32)))
        within.append(form)
    if estimator.passthrough:
        raise no_form(estimator, "passthrough", "Leave it out.")
    beside = within[0] if len(within) == 1 else Beside(tuple(within))
    return chained(beside, of(estimator.final_estimator_))


def _piped(of: Callable[[Any], Form], estimator: Any) -> Form:
    *before, last = (each for _, each in estimator.steps)
    steps = [each for each in before if each is not None and each != "passthrough"]
    return chained(*(_of(_CHANGES, each) for each in steps), of(last))


def _scaled(estimator: Any, centre: str, scale: str) -> Form:
    width = estimator.n_features_in_
    shift, size = (getattr(estimator, name, None) for name in (centre, scale))
    return Scale(
        np.zeros(width) if shift is None else np.array(shift, float),
        np.ones(width) if size is None else np.array(size, float),
    )


def _components(estimator: Any) -> Form:
    weights = np.asarray(estimator.components_, float).T
    if estimator.whiten:
        size = np.sqrt(estimator.explained_variance_)
        weights = weights / np.maximum(size, np.finfo(size.dtype).eps)  # as the library does
    return Linear(np.array(weights), -np.asarray(estimator.mean_, float) @ weights)


def _products(estimator: Any) -> Form:
    return Products(np.array(estimator.powers_, np.int32))


def _selected(estimator: Any) -> Form:
    places = np.flatnonzero(estimator.get_support()).astype(np.int32)
    return Columns(places, np.array([estimator.n_features_in_], np.int32))


def _listed(module: str, names: str, make: Callable[[Any], Form]) -> Table:
    return {f"sklearn.{module}.{name}": make for name in names.split()}


_LINEAR_NUMBERS = (
    "ARDRegression BayesianRidge ElasticNet ElasticNetCV HuberRegressor Lars LarsCV Lasso LassoCV "
    "LassoLars LassoLarsCV LassoLarsIC LinearRegression OrthogonalMatchingPursuit "
    "OrthogonalMatchingPursuitCV QuantileRegressor Ridge RidgeCV SGDRegressor TheilSenRegressor"
)
_NUMBERS: Table = {
    **_listed("linear_model", _LINEAR_NUMBERS, linear),
    **_listed("cross_decomposition", "PLSRegression", pls),
    **_listed("svm", "LinearSVR", linear),
    **_listed("svm", "NuSVR SVR", kernel_machine),
    **_listed("kernel_ridge", "KernelRidge", kernel_ridge),
    **_listed("gaussian_process", "GaussianProcessRegressor", gaussian_process),
    **_listed("tree", "DecisionTreeRegressor ExtraTreeRegressor", one_tree),
    **_listed("ensemble", "ExtraTreesRegressor RandomForestRegressor", forest),
    **_listed("ensemble", "GradientBoostingRegressor", boosted),
    **_listed("ensemble", "HistGradientBoostingRegressor", histogram),
    **_listed("ensemble", "BaggingRegressor", lambda each: _bagged(numbers, each)),
    **_listed("ensemble", "StackingRegressor", lambda each: _stacked(numbers, each)),
    **_listed("ensemble", "VotingRegressor", lambda each: _voted(numbers, each)),
    **_listed("neural_network", "MLPRegressor", network),
    **_listed("pipeline", "Pipeline", lambda each: _piped(numbers, each)),
}
_PROBABILITIES: Table = {
    **_listed("linear_model", "LogisticRegression LogisticRegressionCV", logistic),
    **_listed("linear_model", "SGDClassifier", stochastic),
    **_listed("discriminant_analysis", "LinearDiscriminantAnalysis", logistic),
    **_listed("naive_bayes", "GaussianNB", naive_bayes),
    **_listed("calibration", "CalibratedClassifierCV", _calibrated),
    **_listed("tree", "DecisionTreeClassifier ExtraTreeClassifier", one_tree),
    **_listed("ensemble", "ExtraTreesClassifier RandomForestClassifier", forest),
    **_listed("ensemble", "GradientBoostingClassifier", lambda each: of_scores(boosted(each))),
    **_listed(
        "ensemble", "HistGradientBoostingClassifier", lambda each: of_scores(histogram(each))
    ),
    **_listed("ensemble", "BaggingClassifier", lambda each: _bagged(probabilities, each)),
    **_listed("ensemble", "StackingClassifier", lambda each: _stacked(probabilities, each)),
    **_listed("ensemble", "VotingClassifier", lambda each: _voted(probabilities, each)),
    **_listed("neural_network", "MLPClassifier", network_of_classes),
    **_listed("pipeline", "Pipeline", lambda each: _piped(probabilities, each)),
}
# Scores before a calibration: one of two classes, or one for each of more.
_DECISIONS: Table = {
    **_listed(
        "linear_model",
        "LogisticRegression LogisticRegressionCV RidgeClassifier RidgeClassifierCV SGDClassifier",
        linear,
    ),
    **_listed("discriminant_analysis", "LinearDiscriminantAnalysis", linear),
    **_listed("svm", "LinearSVC", linear),
    **_listed("svm", "NuSVC SVC", kernel_machine),
    **_listed("ensemble", "GradientBoostingClassifier", boosted),
    **_listed("ensemble", "HistGradientBoostingClassifier", histogram),
    **_listed("pipeline", "Pipeline", lambda each: _piped(lambda e: _of(_DECISIONS, e), each)),
}
_CHANGES: Table = {
    **_listed("preprocessing", "StandardScaler", lambda each: _scaled(each, "mean_", "scale_")),
    **_listed("preprocessing", "RobustScaler", lambda each: _scaled(each, "center_", "scale_")),
    **_listed("preprocessing", "MaxAbsScaler", lambda each: _scaled(each, "", "scale_")),
    **_listed(
        "preprocessing",
        "MinMaxScaler",
        lambda each: Scale(np.array(-each.min_ / each.scale_), np.array(1.0 / each.scale_)),
    ),
    **_listed("preprocessing", "PolynomialFeatures", _products),
    **_listed("decomposition", "PCA", _components),
    **_listed("feature_selection", "SelectFromModel SelectKBest VarianceThreshold", _selected),
}
LISTED = {"regressors": [*_NUMBERS], "classifiers": [*_PROBABILITIES], "transformers": [*_CHANGES]}
