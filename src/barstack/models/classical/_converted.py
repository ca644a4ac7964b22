"""Fitted estimators of scikit-learn as forms: which there are, and what each comes to.

scikit-learn's own files would hand its compiled code arrays that it does not check. What an
estimator forecasts is therefore taken out of it once, after training, and compared with what the
estimator says; files hold nothing else. What is not listed here cannot be saved and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from barstack.core.errors import ConfigError

from .._trees import Tree, Trees
from ._forms import (
    Beside,
    Chain,
    Columns,
    Form,
    Function,
    Gaussians,
    Grown,
    Kernels,
    Linear,
    Products,
    Scale,
)

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
    name = _name(estimator)
    if name not in table:
        own = _OWN.get(type(estimator).__name__, "Choose one that the models' page lists.")
        raise ConfigError(f"{name} cannot be saved as plain arrays, as all models are. {own}")
    return table[name]


def _name(estimator: Any) -> str:
    """The public name of its class: modules that begin with an underscore are private."""
    kind = type(estimator)
    return f"{kind.__module__.partition('._')[0]}.{kind.__qualname__}"


def _linear(estimator: Any) -> Form:
    """A row for each output, or one for all."""
    weights = np.atleast_2d(np.asarray(estimator.coef_, float)).T
    intercept = np.broadcast_to(np.asarray(estimator.intercept_, float).ravel(), weights.shape[1])
    return Linear(np.ascontiguousarray(weights), np.array(intercept))


def _function(name: str, form: Form) -> Form:
    return _chain(form, Function(name, np.array([form.outputs], np.int32)))


def _chain(*parts: Form) -> Form:
    flat: list[Form] = []
    for each in parts:
        flat += each.parts if isinstance(each, Chain) else (each,)
    return flat[0] if len(flat) == 1 else Chain(tuple(flat))


def _mean(forms: Sequence[Form], weights: Any = None) -> Form:
    """Of forms that are alike, weighted where weights are given."""
    if len(forms) == 1:
        return forms[0]
    shares = np.full(len(forms), 1.0) if weights is None else np.asarray(weights, float)
    sums = np.kron((shares / shares.sum())[:, None], np.eye(forms[0].outputs))
    return _chain(Beside(tuple(forms)), Linear(sums, np.zeros(forms[0].outputs)))


def _both(form: Form) -> Form:
    """The probability of the second class, and before it what is left to the first."""
    return _chain(form, Linear(np.array([[-1.0, 1.0]]), np.array([1.0, 0.0])))


def _pls(estimator: Any) -> Form:
    centre = np.asarray(estimator._x_mean, float)
    return _chain(Scale(centre, np.ones(len(centre))), _linear(estimator))


def _kernel_machine(estimator: Any) -> Form:
    """A single machine over its support vectors, or over all rows."""
    if estimator.kernel == "linear":
        return Linear(np.array(estimator.coef_, float).T, np.array(estimator.intercept_, float))
    degree = {"rbf": 0, "poly": estimator.degree, "sigmoid": -1}.get(estimator.kernel)
    if degree is None or len(estimator.dual_coef_) != 1:
        raise ConfigError(
            f"{_name(estimator)} with kernel {estimator.kernel!r} cannot be saved as plain arrays. "
            "Choose rbf, poly, sigmoid or linear, and of classes two."
        )
    return _kernels(
        estimator.support_vectors_,
        np.asarray(estimator.dual_coef_).T,
        estimator.intercept_,
        (estimator._gamma, estimator.coef0, int(degree)),
    )


def _kernel_ridge(estimator: Any) -> Form:
    rows = np.asarray(estimator.X_fit_, float)
    weights = np.asarray(estimator.dual_coef_, float).reshape(len(rows), -1)
    degree = {"rbf": 0, "poly": estimator.degree, "polynomial": estimator.degree, "sigmoid": -1}
    if estimator.kernel == "linear":
        return Linear(rows.T @ weights, np.zeros(weights.shape[1]))
    if estimator.kernel not in degree:
        raise ConfigError(
            f"{_name(estimator)} with kernel {estimator.kernel!r} cannot be saved as plain arrays. "
            "Choose rbf, poly, sigmoid or linear."
        )
    gamma = 1.0 / rows.shape[1] if estimator.gamma is None else estimator.gamma
    power = int(degree[estimator.kernel])
    return _kernels(rows, weights, np.zeros(weights.shape[1]), (gamma, estimator.coef0, power))


def _gaussian_process(estimator: Any) -> Form:
    """Of the usual kernel alone: a Gaussian one times a constant, with or without white noise."""
    amplitude, lengths = _gaussian_kernel(estimator)
    rows = np.asarray(estimator.X_train_, float)
    spread = np.broadcast_to(np.asarray(lengths, float), rows.shape[1])
    weights = np.asarray(estimator.alpha_, float).reshape(len(rows), -1) * amplitude
    deviation, mean = (
        np.asarray(each, float).reshape(-1)
        for each in (estimator._y_train_std, estimator._y_train_mean)
    )
    scaled = Scale(np.zeros(len(spread)), np.array(spread))
    kernels = _kernels(rows / spread, weights * deviation, mean, (0.5, 0.0, 0))
    return _chain(scaled, kernels)


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
        raise ConfigError(
            f"{_name(estimator)} with kernel {estimator.kernel_} cannot be saved as plain arrays. "
            "Leave the kernel out: it is a constant times a Gaussian one."
        )
    amplitude = float(np.prod([each.constant_value for each in constants]))
    return amplitude, gaussians[0].length_scale


def _kernels(rows: Any, weights: Any, intercept: Any, how: tuple[float, float, int]) -> Form:
    gamma, shift, degree = how
    return Kernels(
        np.array(rows, float),
        np.array(weights, float),
        np.array(intercept, float).reshape(-1),
        np.array([gamma], float),
        np.array([shift], float),
        np.array([degree], np.int32),
    )


def _grown(trees: list[Tree], start: Any, n_features: int, single: bool = True) -> Form:
    """Sums of trees; those of scikit-learn but its histograms compare in float32."""
    grown = Grown(Trees.of(trees, np.asarray(start, float).reshape(-1), n_features))
    if not single:
        return grown
    return Chain((Function("float32", np.array([n_features], np.int32)), grown))


def _tree(estimator: Any, scale: float = 1.0, columns: Any = None) -> Tree:
    """Leaves hold a mean, or a share for each class."""
    tree = estimator.tree_
    feature = tree.feature if columns is None else np.asarray(columns)[np.maximum(tree.feature, 0)]
    value = tree.value[:, 0, :] * scale
    return tree.children_left, tree.children_right, feature, tree.threshold, value


def _one_tree(estimator: Any) -> Form:
    tree = _tree(estimator)
    return _grown([tree], np.zeros(tree[-1].shape[1]), estimator.n_features_in_)


def _forest(estimator: Any) -> Form:
    n_trees = len(estimator.estimators_)
    trees = [_tree(each, 1.0 / n_trees) for each in estimator.estimators_]
    return _grown(trees, np.zeros(trees[0][-1].shape[1]), estimator.n_features_in_)


def _bagged(of: Callable[[Any], Form], estimator: Any) -> Form:
    within, columns = estimator.estimators_, estimator.estimators_features_
    n_features, share = estimator.n_features_in_, 1.0 / len(estimator.estimators_)
    if all(_name(each).startswith("sklearn.tree.") for each in within):
        each = [_tree(one, share, own) for one, own in zip(within, columns, strict=True)]
        return _grown(each, np.zeros(each[0][-1].shape[1]), n_features)
    width = np.array([n_features], np.int32)
    return _mean(
        [
            _chain(Columns(np.asarray(own, np.int32), width), of(one))
            for one, own in zip(within, columns, strict=True)
        ]
    )


def _boosted(estimator: Any) -> Form:
    """Raw scores: a start, which only a dummy gives, and a column of trees for each class."""
    if estimator.init_ != "zero" and not _name(estimator.init_).startswith("sklearn.dummy."):
        raise ConfigError(
            f"{_name(estimator)} that begins with {_name(estimator.init_)} cannot be saved as "
            "plain arrays. Leave init out."
        )
    n_features, width = estimator.n_features_in_, estimator.estimators_.shape[1]
    start = estimator._raw_predict_init(np.zeros((1, n_features), np.float32))[0]
    trees: list[Tree] = []
    for together in estimator.estimators_:
        for place, each in enumerate(together):
            *nodes, own = _tree(each, estimator.learning_rate)
            value = np.zeros((len(own), width))
            value[:, place] = own[:, 0]
            trees.append((nodes[0], nodes[1], nodes[2], nodes[3], value))
    return _grown(trees, start, n_features)


def _histogram(estimator: Any) -> Form:
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
        raise ConfigError(f"{_name(estimator)} with categories cannot be saved as plain arrays.")
    form = _grown(trees, start, estimator.n_features_in_, single=False)
    return _function("exp", form) if getattr(estimator, "loss", "") in _POSITIVE else form


_POSITIVE = ("poisson", "gamma")


def _of_scores(form: Form) -> Form:
    """Probabilities of raw scores: one of two classes, or one for each of more."""
    return _both(_function("logistic", form)) if form.outputs == 1 else _function("softmax", form)


def _one_against_rest(form: Form) -> Form:
    each = _function("logistic", form)
    return _both(each) if form.outputs == 1 else _function("shares", each)


def _logistic(estimator: Any) -> Form:
    return _of_scores(_linear(estimator))


def _stochastic(estimator: Any) -> Form:
    if estimator.loss != "log_loss":
        raise ConfigError(
            f"{_name(estimator)} with loss {estimator.loss!r} cannot be saved as plain arrays. "
            "Choose log_loss."
        )
    return _one_against_rest(_linear(estimator))


def _network(estimator: Any) -> Form:
    names = {"identity": None, "logistic": "logistic", "tanh": "tanh", "relu": "relu"}
    names |= {"softmax": "softmax", "exp": "exp"}
    parts: list[Form] = []
    layers = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    for place, (weights, intercept) in enumerate(layers):
        layer = Linear(np.array(weights, float), np.array(intercept, float))
        last = place == len(layers) - 1
        name = names[estimator.out_activation_ if last else estimator.activation]
        parts.append(layer if name is None else _function(name, layer))
    return _chain(*parts)


def _network_of_classes(estimator: Any) -> Form:
    form = _network(estimator)
    return _both(form) if form.outputs == 1 else form


def _naive_bayes(estimator: Any) -> Form:
    return _function(
        "softmax",
        Gaussians(
            np.array(estimator.theta_, float),
            np.array(estimator.var_, float),
            np.log(np.asarray(estimator.class_prior_, float)),
        ),
    )


def _calibrated(estimator: Any) -> Form:
    return _mean([_calibrated_one(each) for each in estimator.calibrated_classifiers_])


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
            scores = _chain(scores, Columns(np.array([1], np.int32), np.array([2], np.int32)))
    slope, shift = (
        np.array([getattr(each, name) for each in one.calibrators], float) for name in ("a_", "b_")
    )
    return _one_against_rest(_chain(scores, Linear(np.diag(-slope), -shift)))


def _voted(of: Callable[[Any], Form], estimator: Any) -> Form:
    if getattr(estimator, "voting", "soft") != "soft":
        raise ConfigError(f"{_name(estimator)} that votes hard gives no probabilities. Vote soft.")
    return _mean([of(each) for each in estimator.estimators_], estimator._weights_not_none)


def _stacked(of: Callable[[Any], Form], estimator: Any) -> Form:
    ways: Table = {"predict": numbers, "predict_proba": probabilities}
    ways["decision_function"] = lambda each: _of(_DECISIONS, each)
    within = []
    for each, method in zip(estimator.estimators_, estimator.stack_method_, strict=True):
        form = ways[method](each)
        if method == "predict_proba" and form.outputs == 2:
            form = _chain(form, Columns(np.array([1], np.int32), np.array([2], np.int32)))
        within.append(form)
    if estimator.passthrough:
        raise ConfigError(
            f"{_name(estimator)} with passthrough cannot be saved as plain arrays. Leave it out."
        )
    beside = within[0] if len(within) == 1 else Beside(tuple(within))
    return _chain(beside, of(estimator.final_estimator_))


def _piped(of: Callable[[Any], Form], estimator: Any) -> Form:
    *before, last = (each for _, each in estimator.steps)
    steps = [each for each in before if each is not None and each != "passthrough"]
    return _chain(*(_of(_CHANGES, each) for each in steps), of(last))


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
    **_listed("linear_model", _LINEAR_NUMBERS, _linear),
    **_listed("cross_decomposition", "PLSRegression", _pls),
    **_listed("svm", "LinearSVR", _linear),
    **_listed("svm", "NuSVR SVR", _kernel_machine),
    **_listed("kernel_ridge", "KernelRidge", _kernel_ridge),
    **_listed("gaussian_process", "GaussianProcessRegressor", _gaussian_process),
    **_listed("tree", "DecisionTreeRegressor ExtraTreeRegressor", _one_tree),
    **_listed("ensemble", "ExtraTreesRegressor RandomForestRegressor", _forest),
    **_listed("ensemble", "GradientBoostingRegressor", _boosted),
    **_listed("ensemble", "HistGradientBoostingRegressor", _histogram),
    **_listed("ensemble", "BaggingRegressor", lambda each: _bagged(numbers, each)),
    **_listed("ensemble", "StackingRegressor", lambda each: _stacked(numbers, each)),
    **_listed("ensemble", "VotingRegressor", lambda each: _voted(numbers, each)),
    **_listed("neural_network", "MLPRegressor", _network),
    **_listed("pipeline", "Pipeline", lambda each: _piped(numbers, each)),
}
_PROBABILITIES: Table = {
    **_listed("linear_model", "LogisticRegression LogisticRegressionCV", _logistic),
    **_listed("linear_model", "SGDClassifier", _stochastic),
    **_listed("discriminant_analysis", "LinearDiscriminantAnalysis", _logistic),
    **_listed("naive_bayes", "GaussianNB", _naive_bayes),
    **_listed("calibration", "CalibratedClassifierCV", _calibrated),
    **_listed("tree", "DecisionTreeClassifier ExtraTreeClassifier", _one_tree),
    **_listed("ensemble", "ExtraTreesClassifier RandomForestClassifier", _forest),
    **_listed("ensemble", "GradientBoostingClassifier", lambda each: _of_scores(_boosted(each))),
    **_listed(
        "ensemble", "HistGradientBoostingClassifier", lambda each: _of_scores(_histogram(each))
    ),
    **_listed("ensemble", "BaggingClassifier", lambda each: _bagged(probabilities, each)),
    **_listed("ensemble", "StackingClassifier", lambda each: _stacked(probabilities, each)),
    **_listed("ensemble", "VotingClassifier", lambda each: _voted(probabilities, each)),
    **_listed("neural_network", "MLPClassifier", _network_of_classes),
    **_listed("pipeline", "Pipeline", lambda each: _piped(probabilities, each)),
}
# Scores before a calibration: one of two classes, or one for each of more.
_DECISIONS: Table = {
    **_listed(
        "linear_model",
        "LogisticRegression LogisticRegressionCV RidgeClassifier RidgeClassifierCV SGDClassifier",
        _linear,
    ),
    **_listed("discriminant_analysis", "LinearDiscriminantAnalysis", _linear),
    **_listed("svm", "LinearSVC", _linear),
    **_listed("svm", "NuSVC SVC", _kernel_machine),
    **_listed("ensemble", "GradientBoostingClassifier", _boosted),
    **_listed("ensemble", "HistGradientBoostingClassifier", _histogram),
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
