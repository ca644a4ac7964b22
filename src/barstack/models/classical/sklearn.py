"""Any regressor or classifier of scikit-learn, by its name."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from barstack.core.arrays import Array, Floats
from barstack.core.errors import ConfigError, FaultError
from barstack.core.forecast import Target

from .._arrays import read_arrays, require, write_arrays
from .._libraries import openmp_threads, scikit
from .._model import EVERY_TASK, register
from .._per_horizon import HorizonRows, PerHorizon
from . import _by_name as by_name
from . import _forms as forms
from ._conversion import check_listed, numbers, probabilities
from ._forms import PROBABILITIES, ChainForm, ColumnsForm, Form, FunctionForm, SideBySideForm

_CHECKED_ROWS = 64
_SAME = 1e-6  # of the size of a forecast
# What `partial_fit` goes on from, by estimator: arrays by name with their dimensions.
_MOMENTS = "float64 classes,features"
_STATES = {
    "sklearn.linear_model.SGDRegressor": {
        "coef_": "float64 features",
        "intercept_": "float64 1",
        "t_": "float64 1",
    },
    "sklearn.linear_model.SGDClassifier": {
        "coef_": "float64 scores,features",
        "intercept_": "float64 scores",
        "t_": "float64 1",
    },
    "sklearn.naive_bayes.GaussianNB": {
        "theta_": _MOMENTS,
        "var_": _MOMENTS,
        "class_count_": "float64 classes",
        "class_prior_": "float64 classes",
    },
}


class Named(NamedTuple):
    """What one horizon taught.

    form    what forecasts, as plain arrays
    states  what each estimator learns on from; of those that cannot, none
    """

    form: Form
    states: tuple[dict[str, Array], ...]


@register("sklearn", family="classical", tasks=EVERY_TASK)
class ScikitLearn(PerHorizon):
    """An estimator of scikit-learn by its full name, with parameters of its own.

    What it learned is kept as plain arrays, and estimators that have no such form are refused.
    A regressor that is asked for classes learns the share of each, which is kept within 0 and 1;
    one that is asked for quantiles is fitted once for each level.

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> model = ScikitLearn(estimator="sklearn.linear_model.BayesianRidge")
    >>> fitted = train(model, dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    version: ClassVar[int] = 2
    concurrent: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    estimator: str = Field(
        "sklearn.linear_model.BayesianRidge",
        pattern=r"^[A-Za-z]\w*(\.\w+)+$",
        description="full name of a class",
    )
    params: dict[str, Any] = Field(
        default_factory=dict, description="what the estimator is made with"
    )

    @field_validator("params")
    @classmethod
    def _plain(cls, params: dict[str, Any]) -> dict[str, Any]:
        by_name.check_plain(params)
        return params

    def fit_one(
        self, train: HorizonRows, stop: HorizonRows | None, target: Target, seed: int
    ) -> Named:
        own = train.counted().with_every_class(target)
        with openmp_threads(own.threads):
            fitted = [
                self._fitted(each, own, y)
                for each in self._estimators(target, seed)
                for y in self._targets(own, target, each)
            ]
        return self._named(fitted, own, target)

    @property
    def updates(self) -> bool:
        return self.estimator in _STATES and not self.params.get("average")

    def update_one(
        self,
        learned: Named,
        train: HorizonRows,
        stop: HorizonRows | None,
        target: Target,
        seed: int,
    ) -> Named:
        if not self.updates:
            raise ConfigError(
                f"{self.estimator} cannot learn on from new rows alone. Train it again on all rows."
            )
        own = train.counted()
        (estimator,) = self._estimators(target, seed)
        fitted = []
        for state, y in zip(learned.states, self._targets(own, target, estimator), strict=True):
            each = scikit("base").clone(estimator)
            for name, array in state.items():
                setattr(each, name, float(array[0]) if name == "t_" else array.copy())
            each.n_features_in_ = learned.form.inputs
            if scikit("base").is_classifier(each):
                each.classes_ = np.arange(target.n_classes)
            each.partial_fit(own.X, y, **self._weights(each, own, "partial_fit"))
            fitted.append(each)
        return self._named(fitted, own, target)

    def predict_one(self, learned: Named, X: Floats, target: Target) -> Floats:
        return forms.applied(learned.form, X)

    def save_one(self, learned: Named, file: Path) -> None:
        forms.save(learned.form, file)
        for place, state in enumerate(learned.states):
            write_arrays(_state_file(file, place), **state)

    def load_one(self, file: Path, target: Target) -> Named:
        form = forms.load(file)
        require(file, form.outputs == len(target.outputs), f"it gives {form.outputs} columns")
        if target.n_classes:
            last = form.parts[-1] if isinstance(form, ChainForm) else form
            fine = isinstance(last, FunctionForm) and last.name in PROBABILITIES
            require(file, fine, "it does not end in probabilities")
        kinds = _STATES.get(self.estimator, {})
        states: list[dict[str, Array]] = []
        while kinds and (state_file := _state_file(file, len(states))).is_file():
            states.append(read_arrays(state_file, **kinds))
            width = next(each.shape[-1] for name, each in states[-1].items() if "_" in name)
            require(state_file, width == form.inputs, "it is of another number of features")
            require(state_file, len(states) <= len(target.outputs), "it is one too many")
        return Named(form, tuple(states))

    def _estimators(self, target: Target, seed: int) -> list[Any]:
        """Unfitted, one for each level of quantiles; open seeds get the member's."""
        estimator = by_name.made({"estimator": self.estimator, "params": self.params})
        open_seeds = {
            name: seed
            for name, value in estimator.get_params().items()
            if name.split("__")[-1] == "random_state" and value is None
        }
        estimator.set_params(**open_seeds)
        check_listed(estimator, by_name.classifies(self.estimator, estimator, target))
        if target.levels:
            return by_name.of_levels(self.estimator, estimator, target.levels)
        return [estimator]

    @staticmethod
    def _targets(own: HorizonRows, target: Target, estimator: Any) -> list[Array]:
        """What each estimator learns: classes, or numbers, of three classes one each."""
        if scikit("base").is_classifier(estimator):
            return [own.y.astype(np.int64)]
        if target.task == "three_class":
            return [(own.y == each) * 1.0 for each in range(3)]
        return [own.y]

    def _weights(self, estimator: Any, own: HorizonRows, method: str) -> dict[str, Floats]:
        """The keyword for weights, if the method takes them or rows weigh differently."""
        if "sample_weight" in signature(getattr(estimator, method)).parameters:
            return {"sample_weight": own.weight}
        if np.ptp(own.weight) == 0.0:
            return {}
        raise ConfigError(
            f"{self.estimator} takes no weights, and the rows weigh from "
            f"{own.weight.min():.3g} to {own.weight.max():.3g}. Weigh all rows alike, or "
            "choose another estimator."
        )

    def _fitted(self, estimator: Any, own: HorizonRows, y: Array) -> Any:
        weights = self._weights(estimator, own, "fit")
        try:
            return scikit("base").clone(estimator).fit(own.X, y, **weights)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"{self.estimator} cannot be fitted on {len(y):,} rows of {own.X.shape[1]} "
                f"features: {error}"
            ) from error

    def _named(self, fitted: list[Any], own: HorizonRows, target: Target) -> Named:
        """Fitted estimators as arrays, once these forecast what the estimators do."""
        kinds = _STATES.get(self.estimator, {}) if self.updates else {}
        states = tuple(
            {name: np.atleast_1d(np.array(getattr(each, name), float)) for name in kinds}
            for each in (fitted if kinds else ())
        )
        return Named(_form(fitted, own.X[:_CHECKED_ROWS], target, self.estimator), states)


def _form(fitted: list[Any], X: Floats, target: Target, name: str) -> Form:
    classifier = bool(scikit("base").is_classifier(fitted[0]))
    if classifier:
        form = probabilities(fitted[0])
        theirs = np.asarray(fitted[0].predict_proba(X), float)
    else:
        each = [numbers(one) for one in fitted]
        form = each[0] if len(each) == 1 else SideBySideForm(tuple(each))
        theirs = np.column_stack([np.asarray(one.predict(X), float).ravel() for one in fitted])
    ours = forms.applied(form, X)
    if not np.abs(ours - theirs).max() <= _SAME * max(1.0, np.abs(theirs).max()):
        raise FaultError(
            f"The arrays read from {name} forecast {ours[0].tolist()} where the library says "
            f"{theirs[0].tolist()}. Use the library's version that barstack's constraints.txt "
            "names, and report this."
        )
    if not target.n_classes:
        return form
    parts = form.parts if isinstance(form, ChainForm) else (form,)
    if classifier and target.task == "direction":
        parts = (*parts, ColumnsForm(np.array([1], np.int32), np.array([2], np.int32)))
    width = np.array([len(target.outputs)], np.int32)
    return ChainForm((*parts, FunctionForm("shares" if classifier else "shares_of_numbers", width)))


def _state_file(file: Path, place: int) -> Path:
    return file.with_name(f"{file.stem}.state_{place}.npz")
