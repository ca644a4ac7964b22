"""Single fitted estimators of scikit-learn as forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from barstack.core.errors import ConfigError

from .._trees import Tree, Trees
from ._form_kinds import (
    Form,
    Function,
    Gaussians,
    Grown,
    Kernels,
    Linear,
    Scale,
)
from ._forms import Beside, Chain


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
    return Linear(np.ascontiguousarray(weights), np.array(intercept))


def _function(name: str, form: Form) -> Form:
    return chained(form, Function(name, np.array([form.outputs], np.int32)))


def chained(*parts: Form) -> Form:
    flat: list[Form] = []
    for each in parts:
        flat += each.parts if isinstance(each, Chain) else (each,)
    return flat[0] if len(flat) == 1 else Chain(tuple(flat))


def mean_of(forms: Sequence[Form], weights: Any = None) -> Form:
    """Of forms that are alike, weighted where weights are given."""
    if len(forms) == 1:
        return forms[0]
    shares = np.full(len(forms), 1.0) if weights is None else np.asarray(weights, float)
    sums = np.kron((shares / shares.sum())[:, None], np.eye(forms[0].outputs))
    return chained(Beside(tuple(forms)), Linear(sums, np.zeros(forms[0].outputs)))


def _both(form: Form) -> Form:
    """The probability of the second class, and before it what is left to the first."""
    return chained(form, Linear(np.array([[-1.0, 1.0]]), np.array([1.0, 0.0])))


def pls(estimator: Any) -> Form:
    centre = np.asarray(estimator._x_mean, float)
    return chained(Scale(centre, np.ones(len(centre))), linear(estimator))


def kernel_machine(estimator: Any) -> Form:
    """A single machine over its support vectors, or over all rows."""
    if estimator.kernel == "linear":
        return Linear(np.array(estimator.coef_, float).T, np.array(estimator.intercept_, float))
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
        return Linear(rows.T @ weights, np.zeros(weights.shape[1]))
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
    scaled = Scale(np.zeros(len(spread)), np.array(spread))
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
    return Kernels(
        np.array(rows, float),
        np.array(weights, float),
        np.array(intercept, float).reshape(-1),
        np.array([gamma], float),
        np.array([shift], float),
        np.array([degree], np.int32),
    )


def of_trees(trees: list[Tree], start: Any, n_features: int, single: bool = True) -> Form:
    """Sums of trees; those of scikit-learn but its histograms compare in float32."""
    grown = Grown(Trees.of(trees, np.asarray(start, float).reshape(-1), n_features))
    if not single:
        return grown
    return Chain((Function("float32", np.array([n_features], np.int32)), grown))


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
        layer = Linear(np.array(weights, float), np.array(intercept, float))
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
        Gaussians(
            np.array(estimator.theta_, float),
            np.array(estimator.var_, float),
            np.log(np.asarray(estimator.class_prior_, float)),
        ),
    )
