"""Fitted estimators of scikit-learn as forms: which there are, and how each is converted.

scikit-learn's own files would hand its compiled code arrays that it does not check. What an
estimator forecasts is therefore extracted once, after training, and compared with the estimator's
own forecasts; files hold nothing else. What is not listed here cannot be saved and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from barstack.core.errors import ConfigError

from .._trees import Tree, Trees
from ._forms import (
    ChainForm,
    ColumnsForm,
    Form,
    FunctionForm,
    GaussiansForm,
    KernelsForm,
    LinearForm,
    ProductsForm,
    ScaleForm,
    SideBySideForm,
    TreesForm,
)

Table = dict[str, Callable[[Any], Form]]

_OWN = {
    "KNeighborsRegressor": "The model knn can be.",
    "KNeighborsClassifier": "The model knn can be.",
}


def name_of(estimator: Any) -> str:
    """The public name of its class: modules that begin with an underscore are private."""
    kind = type(estimator)
    return f"{kind.__module__.partition('._')[0]}.{kind.__qualname__}"


def no_form(estimator: Any, what: str, way_out: str) -> ConfigError:
    """What to raise for settings with which an estimator has no form."""
    return ConfigError(
        f"{name_of(estimator)} with {what} cannot be saved as plain arrays. {way_out}"
    )


def linear(estimator: Any) -> Form:
    """A row for each output, or one for all."""
    weights = np.atleast_2d(np.asarray(estimator.coef_, float)).T
    intercept = np.broadcast_to(np.asarray(estimator.intercept_, float).ravel(), weights.shape[1])
    return LinearForm(np.ascontiguousarray(weights), np.array(intercept))


def _function(name: str, form: Form) -> Form:
    return chained(form, FunctionForm(name, np.array([form.outputs], np.int32)))


def chained(*parts: Form) -> Form:
    flat: list[Form] = []
    for each in parts:
        flat += each.parts if isinstance(each, ChainForm) else (each,)
    return flat[0] if len(flat) == 1 else ChainForm(tuple(flat))


def mean_of(forms: Sequence[Form], weights: Any = None) -> Form:
    """Of forms that are alike, weighted where weights are given."""
    if len(forms) == 1:
        return forms[0]
    shares = np.full(len(forms), 1.0) if weights is None else np.asarray(weights, float)
    sums = np.kron((shares / shares.sum())[:, None], np.eye(forms[0].outputs))
    return chained(SideBySideForm(tuple(forms)), LinearForm(sums, np.zeros(forms[0].outputs)))


def _both(form: Form) -> Form:
    """The probability of the second class, and before it what is left to the first."""
    return chained(form, LinearForm(np.array([[-1.0, 1.0]]), np.array([1.0, 0.0])))


def pls(estimator: Any) -> Form:
    centre = np.asarray(estimator._x_mean, float)
    return chained(ScaleForm(centre, np.ones(len(centre))), linear(estimator))


def kernel_machine(estimator: Any) -> Form:
    """A single machine over its support vectors, or over all rows."""
    if estimator.kernel == "linear":
        return LinearForm(np.array(estimator.coef_, float).T, np.array(estimator.intercept_, float))
    degree = {"rbf": 0, "poly": estimator.degree, "sigmoid": -1}.get(estimator.kernel)
    if degree is None or len(estimator.dual_coef_) != 1:
        raise no_form(
            estimator,
            f"kernel {estimator.kernel!r}",
            "Choose rbf, poly, sigmoid or linear, and of classes two.",
        )
    return _kernels(
        estimator.support_vectors_,
        np.asarray(estimator.dual_coef_).T,
        estimator.intercept_,
        (estimator._gamma, estimator.coef0, int(degree)),
    )


def kernel_ridge(estimator: Any) -> Form:
    rows = np.asarray(estimator.X_fit_, float)
    weights = np.asarray(estimator.dual_coef_, float).reshape(len(rows), -1)
    degree = {"rbf": 0, "poly": estimator.degree, "polynomial": estimator.degree, "sigmoid": -1}
    if estimator.kernel == "linear":
        return LinearForm(rows.T @ weights, np.zeros(weights.shape[1]))
    if estimator.kernel not in degree:
        raise no_form(
            estimator, f"kernel {estimator.kernel!r}", "Choose rbf, poly, sigmoid or linear."
        )
    gamma = 1.0 / rows.shape[1] if estimator.gamma is None else estimator.gamma
    power = int(degree[estimator.kernel])
    return _kernels(rows, weights, np.zeros(weights.shape[1]), (gamma, estimator.coef0, power))


def gaussian_process(estimator: Any) -> Form:
    """Of the usual kernel alone: a Gaussian one times a constant, with or without white noise."""
    amplitude, lengths = _gaussian_kernel(estimator)
    rows = np.asarray(estimator.X_train_, float)
    spread = np.broadcast_to(np.asarray(lengths, float), rows.shape[1])
    weights = np.asarray(estimator.alpha_, float).reshape(len(rows), -1) * amplitude
    deviation, mean = (
        np.asarray(each, float).reshape(-1)
        for each in (estimator._y_train_std, estimator._y_train_mean)
    )
    scaled = ScaleForm(np.zeros(len(spread)), np.array(spread))
    kernels = _kernels(rows / spread, weights * deviation, mean, (0.5, 0.0, 0))
    return chained(scaled, kernels)


def _gaussian_kernel(estimator: Any) -> tuple[float, Any]:
    from sklearn.gaussian_process import kernels  # noqa: PLC0415 (heavy)

    def parts(kernel: Any, of: Any) -> list[Any]:
        if type(kernel) is of:
            return [*parts(kernel.k1, of), *parts(kernel.k2, of)]
        return [kernel]

    smooth = [
        each
        for each in parts(estimator.kernel_, kernels.Sum)
        if type(each) is not kernels.WhiteKernel
    ]
    factors = parts(smooth[0], kernels.Product) if len(smooth) == 1 else []
    constants = [each for each in factors if type(each) is kernels.ConstantKernel]
    gaussians = [each for each in factors if type(each) is kernels.RBF]
    if len(gaussians) != 1 or len(constants) + 1 != len(factors):
        raise no_form(
            estimator,
            f"kernel {estimator.kernel_}",
            "Leave the kernel out: it is a constant times a Gaussian one.",
        )
    amplitude = float(np.prod([each.constant_value for each in constants]))
    return amplitude, gaussians[0].length_scale


def _kernels(rows: Any, weights: Any, intercept: Any, how: tuple[float, float, int]) -> Form:
    gamma, shift, degree = how
    return KernelsForm(
        np.array(rows, float),
        np.array(weights, float),
        np.array(intercept, float).reshape(-1),
        np.array([gamma], float),
        np.array([shift], float),
        np.array([degree], np.int32),
    )


def of_trees(trees: list[Tree], start: Any, n_features: int, single: bool = True) -> Form:
    """Sums of trees; those of scikit-learn but its histograms compare in float32."""
    grown = TreesForm(Trees.of(trees, np.asarray(start, float).reshape(-1), n_features))
    if not single:
        return grown
    return ChainForm((FunctionForm("float32", np.array([n_features], np.int32)), grown))


def tree_of(estimator: Any, scale: float = 1.0, columns: Any = None) -> Tree:
    """Leaves hold a mean, or a share for each class."""
    tree = estimator.tree_
    feature = tree.feature if columns is None else np.asarray(columns)[np.maximum(tree.feature, 0)]
    value = tree.value[:, 0, :] * scale
    return tree.children_left, tree.children_right, feature, tree.threshold, value


def one_tree(estimator: Any) -> Form:
    tree = tree_of(estimator)
    return of_trees([tree], np.zeros(tree[-1].shape[1]), estimator.n_features_in_)


def forest(estimator: Any) -> Form:
    n_trees = len(estimator.estimators_)
    trees = [tree_of(each, 1.0 / n_trees) for each in estimator.estimators_]
    return of_trees(trees, np.zeros(trees[0][-1].shape[1]), estimator.n_features_in_)


def boosted(estimator: Any) -> Form:
    """Raw scores: a start, which only a dummy gives, and a column of trees for each class."""
    if estimator.init_ != "zero" and not name_of(estimator.init_).startswith("sklearn.dummy."):
        raise no_form(estimator, f"init {name_of(estimator.init_)}", "Leave init out.")
    n_features, width = estimator.n_features_in_, estimator.estimators_.shape[1]
    start = estimator._raw_predict_init(np.zeros((1, n_features), np.float32))[0]
    trees: list[Tree] = []
    for together in estimator.estimators_:
        for place, each in enumerate(together):
            *nodes, own = tree_of(each, estimator.learning_rate)
            value = np.zeros((len(own), width))
            value[:, place] = own[:, 0]
            trees.append((nodes[0], nodes[1], nodes[2], nodes[3], value))
    return of_trees(trees, start, n_features)


def histogram(estimator: Any) -> Form:
    """Raw scores of trees over histograms, which compare in float64."""
    width = estimator.n_trees_per_iteration_
    trees: list[Tree] = []
    for together in estimator._predictors:
        for place, each in enumerate(together):
            nodes = each.nodes
            inner = nodes["is_leaf"] == 0
            value = np.zeros((len(nodes), width))
            value[:, place] = nodes["value"]
            left, right = (
                np.where(inner, nodes[side].astype(np.int64), -1) for side in ("left", "right")
            )
            trees.append((left, right, nodes["feature_idx"], nodes["num_threshold"], value))
    start = np.asarray(estimator._baseline_prediction, float).reshape(-1)
    if estimator.is_categorical_ is not None and np.any(estimator.is_categorical_):
        raise no_form(estimator, "categories", "Make numbers of them.")
    form = of_trees(trees, start, estimator.n_features_in_, single=False)
    return _function("exp", form) if getattr(estimator, "loss", "") in _POSITIVE else form


_POSITIVE = ("poisson", "gamma")


def of_scores(form: Form) -> Form:
    """Probabilities of raw scores: one of two classes, or one for each of more."""
    return _both(_function("logistic", form)) if form.outputs == 1 else _function("softmax", form)


def one_against_rest(form: Form) -> Form:
    each = _function("logistic", form)
    return _both(each) if form.outputs == 1 else _function("shares", each)


def logistic(estimator: Any) -> Form:
    return of_scores(linear(estimator))


def stochastic(estimator: Any) -> Form:
    if estimator.loss != "log_loss":
        raise no_form(estimator, f"loss {estimator.loss!r}", "Choose log_loss.")
    return one_against_rest(linear(estimator))


def network(estimator: Any) -> Form:
    names = {"identity": None, "logistic": "logistic", "tanh": "tanh", "relu": "relu"}
    names |= {"softmax": "softmax", "exp": "exp"}
    parts: list[Form] = []
    layers = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    for place, (weights, intercept) in enumerate(layers):
        layer = LinearForm(np.array(weights, float), np.array(intercept, float))
        last = place == len(layers) - 1
        name = names[estimator.out_activation_ if last else estimator.activation]
        parts.append(layer if name is None else _function(name, layer))
    return chained(*parts)


def network_of_classes(estimator: Any) -> Form:
    form = network(estimator)
    return _both(form) if form.outputs == 1 else form


def naive_bayes(estimator: Any) -> Form:
    return _function(
        "softmax",
        GaussiansForm(
            np.array(estimator.theta_, float),
            np.array(estimator.var_, float),
            np.log(np.asarray(estimator.class_prior_, float)),
        ),
    )


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
            chained(ColumnsForm(np.asarray(own, np.int32), width), of(one))
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
            scores = chained(scores, ColumnsForm(np.array([1], np.int32), np.array([2], np.int32)))
    slope, shift = (
        np.array([getattr(each, name) for each in one.calibrators], float) for name in ("a_", "b_")
    )
    return one_against_rest(chained(scores, LinearForm(np.diag(-slope), -shift)))


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
            form = chained(form, ColumnsForm(np.array([1], np.int32), np.array([2], np.int32)))
        within.append(form)
    if estimator.passthrough:
        raise no_form(estimator, "passthrough", "Leave it out.")
    beside = within[0] if len(within) == 1 else SideBySideForm(tuple(within))
    return chained(beside, of(estimator.final_estimator_))


def _piped(of: Callable[[Any], Form], estimator: Any) -> Form:
    *before, last = (each for _, each in estimator.steps)
    steps = [each for each in before if each is not None and each != "passthrough"]
    return chained(*(_of(_CHANGES, each) for each in steps), of(last))


def _scaled(estimator: Any, centre: str, scale: str) -> Form:
    width = estimator.n_features_in_
    shift, size = (getattr(estimator, name, None) for name in (centre, scale))
    return ScaleForm(
        np.zeros(width) if shift is None else np.array(shift, float),
        np.ones(width) if size is None else np.array(size, float),
    )


def _components(estimator: Any) -> Form:
    weights = np.asarray(estimator.components_, float).T
    if estimator.whiten:
        size = np.sqrt(estimator.explained_variance_)
        weights = weights / np.maximum(size, np.finfo(size.dtype).eps)  # as the library does
    return LinearForm(np.array(weights), -np.asarray(estimator.mean_, float) @ weights)


def _products(estimator: Any) -> Form:
    return ProductsForm(np.array(estimator.powers_, np.int32))


def _selected(estimator: Any) -> Form:
    places = np.flatnonzero(estimator.get_support()).astype(np.int32)
    return ColumnsForm(places, np.array([estimator.n_features_in_], np.int32))


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
        lambda each: ScaleForm(np.array(-each.min_ / each.scale_), np.array(1.0 / each.scale_)),
    ),
    **_listed("preprocessing", "PolynomialFeatures", _products),
    **_listed("decomposition", "PCA", _components),
    **_listed("feature_selection", "SelectFromModel SelectKBest VarianceThreshold", _selected),
}
LISTED = {"regressors": [*_NUMBERS], "classifiers": [*_PROBABILITIES], "transformers": [*_CHANGES]}
