"""Any regressor or classifier of scikit-learn, by its name."""

from __future__ import annotations

import warnings
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from barstack.core.errors import ArtifactError, ConfigError
from barstack.core.forecast import Target

from .._arrays import damaged, require
from .._horizons import Part, PerHorizon, check_width
from .._model import EVERY_TASK, Values, register
from .._scikit import bounded_threads, scikit
from . import _by_name as by_name

_LEAST = 1e-6  # share of a class that a regressor is taken to mean by less


@register("sklearn", family="classical", tasks=EVERY_TASK)
class ScikitLearn(PerHorizon):
    """An estimator of scikit-learn by its full name, with parameters of its own.

    A regressor that is asked for classes learns the share of each, which is kept within 0 and 1;
    one that is asked for quantiles is fitted once for each level.
    """

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn", "skops")
    suffix: ClassVar[str] = "skops"

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

    def fit_one(self, train: Part, stop: Part | None, target: Target, seed: int) -> list[Any]:
        own = train.counted().with_every_class(target)
        estimator = by_name.made({"estimator": self.estimator, "params": self.params})
        open_seeds = {
            name: seed
            for name, value in estimator.get_params().items()
            if name.split("__")[-1] == "random_state" and value is None
        }
        estimator.set_params(**open_seeds)
        by_name.classifies(self.estimator, estimator, target)
        estimators = [estimator]
        if target.levels:
            estimators = by_name.of_levels(self.estimator, estimator, target.levels)
        with bounded_threads(len(own.X)):
            fitted = [
                self._fitted(each, own, y)
                for each in estimators
                for y in self._targets(own, target, each)
            ]
        # To data and back, so that research forecasts with what the artifact will hold.
        return by_name.from_bytes(by_name.to_bytes(fitted, self.estimator))

    @staticmethod
    def _targets(own: Part, target: Target, estimator: Any) -> list[npt.NDArray[Any]]:
        """What each estimator learns: classes, or numbers, of three classes one each."""
        if by_name.is_classifier(estimator):
            return [own.y.astype(np.int64)]
        if target.task == "three_class":
            return [(own.y == each) * 1.0 for each in range(3)]
        return [own.y]

    def _weights(self, estimator: Any, own: Part, method: str) -> dict[str, Values]:
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

    def _fitted(self, estimator: Any, own: Part, y: npt.NDArray[Any]) -> Any:
        weights = self._weights(estimator, own, "fit")
        try:
            return scikit("base").clone(estimator).fit(own.X, y, **weights)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"{self.estimator} cannot be fitted on {len(y):,} rows of {own.X.shape[1]} "
                f"features: {error}"
            ) from error

    @property
    def updates(self) -> bool:
        return hasattr(by_name.named(self.estimator), "partial_fit")

    def update_one(
        self, learned: list[Any], train: Part, stop: Part | None, target: Target, seed: int
    ) -> list[Any]:
        if not self.updates:
            raise ConfigError(
                f"{self.estimator} has no partial_fit and cannot learn on from new rows alone. "
                "Train it again on all rows."
            )
        own = train.counted()
        # To data and back: what is learned on from must stay as it is.
        further = by_name.from_bytes(by_name.to_bytes(learned, self.estimator))
        targets = self._targets(own, target, further[0])
        targets *= len(further) // len(targets)  # of quantiles one estimator a level, same labels
        for each, y in zip(further, targets, strict=True):
            each.partial_fit(own.X, y, **self._weights(each, own, "partial_fit"))
        return further

    def predict_one(self, learned: list[Any], X: Values, target: Target) -> Values:
        for each in learned:
            check_width(int(vars(each).get("n_features_in_", X.shape[1])), X)
        if by_name.is_classifier(learned[0]):
            share = self._said(learned[0], "predict_proba", X, target.n_classes)
            return share[:, 1] if target.task == "direction" else share
        found = np.column_stack([self._said(each, "predict", X, 1) for each in learned])
        if not target.n_classes:
            return found
        share = np.asarray(np.clip(found, _LEAST, 1.0))
        return share / share.sum(axis=1, keepdims=True) if target.task == "three_class" else share

    def _said(self, estimator: Any, method: str, X: Values, width: int) -> Values:
        """(n_rows, width); `ArtifactError` where its numbers do not fit one another.

        Files of scikit-learn hold objects of many kinds, of which only they know what must fit.
        """
        try:
            found: Values = np.asarray(getattr(estimator, method)(X), float).reshape(len(X), width)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise ArtifactError(
                f"{self.estimator} was read and cannot forecast: {str(error)[:200]}. Its file is "
                "not what was saved. Restore it from a copy, or run the study again."
            ) from error
        return found

    def save_one(self, learned: list[Any], file: Path) -> None:
        file.write_bytes(by_name.to_bytes(learned, self.estimator))

    def load_one(self, file: Path, target: Target) -> list[Any]:
        inconsistent = scikit("exceptions").InconsistentVersionWarning
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", inconsistent)
                learned = by_name.from_bytes(file.read_bytes())
        except inconsistent as error:
            raise damaged(file, str(error)) from None
        except (ConfigError, ImportError):
            raise
        except Exception as error:
            raise damaged(file, repr(error)[:200]) from error
        base = import_module("sklearn.base")
        count = 1 if by_name.is_classifier(learned[0]) else len(target.outputs)
        fits = isinstance(learned, list) and len(learned) == count
        fits = fits and all(isinstance(each, base.BaseEstimator) for each in learned)
        require(file, fits, "it holds no estimator for this task")
        return learned
