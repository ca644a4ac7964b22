"""Models as estimators of scikit-learn, for pipelines and searches. Imported on first use."""

from __future__ import annotations

import tempfile
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from barstack.core.arrays import Array, Bools, Floats
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Target, Task
from barstack.datasets import SCALERS, FittedScaler, Inputs, Samples

from ._model import MODELS, Model
from .classical.naive import NaiveModel
from .training import _calls

_HORIZONS = ("1",)  # a column of labels says nothing of how far ahead it looks


class _Rows(NamedTuple):
    """What an estimator is fitted on: X (n_rows, n_features) and weight (n_rows,)."""

    X: Floats
    weight: Floats


class _Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both share: parameters, the way to samples, and what is kept."""

    def __init__(
        self,
        model: str | Model = "ridge",
        *,
        scaler: str = "standard",
        stop_share: float = 0.15,
        purge_rows: int = 0,
        random_state: Any = 0,
        **settings: Any,
    ) -> None:
        self.model = model
        self.scaler = scaler
        self.stop_share = stop_share
        self.purge_rows = purge_rows
        self.random_state = random_state
        self._settings = settings

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the estimator, then those settings of the model that were given."""
        return {**super().get_params(deep), **self._settings}

    def set_params(self, **params: Any) -> Self:
        """Change some; a name that is none of the estimator's is a setting of the model."""
        own = self._get_param_names()
        for name, value in params.items():
            if name in own:
                setattr(self, name, value)
            else:
                self._settings = {**self._settings, name: value}
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What was learned goes as the files that the model saves: boosters and networks, too."""
        state: dict[str, Any] = dict(super().__getstate__())
        if "learned_" in state:
            kept = state.pop("_files", None)
            state["learned_"] = kept or [_to_files(self.model_, each) for each in self.learned_]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "learned_" in state:
            target = Target(self.task_, _HORIZONS)
            # What was read may want its files again, to be written once more.
            self._files = state["learned_"]
            self.learned_ = [_from_files(self.model_, each, target) for each in self._files]

    def _chosen(self, *tasks: Task) -> Task:
        """Make the model; the first of these tasks that it does, or `ConfigError`."""
        given = self.model
        content: Any = {"model": given} if isinstance(given, str) else given
        if self._settings and isinstance(given, Model):
            content = given.content()
        self.model_ = MODELS.parse(content | self._settings if self._settings else content)
        if not isinstance(self.stop_share, Real) or not 0.0 < self.stop_share < 1.0:
            raise ConfigError(f"stop_share must lie between 0 and 1, got {self.stop_share!r}.")
        if not isinstance(self.purge_rows, Integral) or self.purge_rows < 0:
            raise ConfigError(f"purge_rows must be 0, 1, 2 ..., got {self.purge_rows!r}.")
        name = self.model_.registered_as and self.model_.registered_as[1]
        if self.model_.lookback_bars > 1:
            raise ConfigError(
                f"{name} looks back {self.model_.lookback_bars} bars, and rows of X are forecast "
                "one by one. Set lookback=1 where it can, or train it on a Dataset with "
                "barstack.models.train."
            )
        for task in tasks:
            if task in self.model_.tasks:
                return task
        raise ConfigError(
            f"{name} does {', '.join(self.model_.tasks)}, not {tasks[-1]}. Choose another model."
        )

    def _rows(self, X: Any, sample_weight: Any) -> tuple[_Rows, Bools]:
        """The rows that count, and which they are; scales and seed are settled on the way."""
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        counts = weight > 0.0
        kept = _Rows(np.ascontiguousarray(X[counts]), weight[counts])
        self._fit_rows = len(kept.X)
        if self.model_.stops_early:
            n_stop = max(1, round(self.stop_share * len(kept.X)))
            self._fit_rows = len(kept.X) - n_stop - self.purge_rows
        if self._fit_rows < 2:
            raise DataError(
                f"n_samples = {len(kept.X)} leaves {max(self._fit_rows, 0)} to fit on. Give more "
                "rows, or a model that does not stop early."
            )
        self.scaler_: FittedScaler = SCALERS.parse(self.scaler).fit(
            kept.X, np.arange(self._fit_rows)
        )
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        return kept, counts

    def _learn(self, rows: _Rows, y: Floats, task: Task) -> Any:
        """What the model learns of one column of labels."""
        first_stop = len(y) if not self.model_.stops_early else self._fit_rows + self.purge_rows
        fit = self._samples(rows, y, slice(0, self._fit_rows))
        stops = self.model_.stops_early
        stop = self._samples(rows, y, slice(first_stop, None)) if stops else None
        return _calls.fit(self.model_, fit, stop, Target(task, _HORIZONS), self._seed)

    def _samples(self, rows: _Rows, y: Floats, part: slice) -> Samples:
        places = np.arange(len(y))[part]
        weight = rows.weight[part] / rows.weight[part].mean()
        alone = np.ones_like(places)
        return Samples(rows.X, places, self.scaler_, alone, y[part][:, None], weight)

    def _answers(self, X: Any) -> list[Floats]:
        """(n_rows, n_outputs) of each column of labels that was learned."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        rows = np.arange(len(X))
        inputs = Inputs(np.ascontiguousarray(X), rows, self.scaler_, np.ones_like(rows))
        target = Target(self.task_, _HORIZONS)
        return [_calls.predict(self.model_, each, inputs, target)[:, 0] for each in self.learned_]

    def _is_naive(self) -> bool:
        """Whether the model looks at one feature at most, and so is no measure of a fit."""
        if isinstance(self.model, str) and self.model in MODELS.names():
            return issubclass(MODELS.get(self.model), NaiveModel)
        return isinstance(self.model, NaiveModel)


class BarstackRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]  # as above
    """A model of one row as a regressor of scikit-learn.

    model         a registered name, with its settings as further keywords, or a model
    scaler        of the columns, and what it learns from the rows fitted on
    stop_share    share of rows, the last ones, that a model which stops early stops by
    purge_rows    rows left out before those: as many as a label looks ahead
    random_state  a number, or a generator of numpy

    Rows are in time order; `X` holds the newest bar of each decision, and nothing of symbols or
    gaps is known, so models that look back over windows are refused. Labels are divided by the
    deviation of those fitted on, as in a study.

    >>> from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> y = X @ [1.0, -2.0, 0.5]
    >>> search = GridSearchCV(BarstackRegressor("ridge"), {"penalty": [0.0, 9.0]},
    ...                       cv=TimeSeriesSplit(3)).fit(X, y)
    >>> search.best_params_
    {'penalty': 0.0}
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = self._is_naive()
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from `X` (n_rows, n_features) and `y` (n_rows,), oldest first."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        self.task_ = self._chosen("return")
        rows, counts = self._rows(X, sample_weight)
        y = np.asarray(y, float)[counts]
        # A rounded mean leaves a constant label a tiny deviation rather than none.
        known = y[: self._fit_rows]
        deviation = float(known.std())
        self.y_scale_ = deviation if deviation > 1e-12 * float(np.abs(known).max()) else 1.0
        self.learned_ = [self._learn(rows, y / self.y_scale_, self.task_)]
        return self

    def predict(self, X: Any) -> Floats:
        """(n_rows,) forecasts, in the unit of `y`."""
        found: Floats = self._answers(X)[0][:, 0] * self.y_scale_
        return found


class BarstackClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]  # as above
    """A model of one row as a classifier of scikit-learn; parameters as in `BarstackRegressor`.

    Two classes are learned as a direction and three as three classes. More are learned one
    against the rest, each by itself, and their probabilities brought to a sum of one.

    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> y = np.where(X[:, 0] > 0, "up", "down")
    >>> fitted = BarstackClassifier("logistic", penalty=0.01).fit(X, y)
    >>> fitted.predict([[2.0, 0.0], [-2.0, 0.0]]).tolist()
    ['up', 'down']
    """

    def __init__(
        self,
        model: str | Model = "logistic",
        *,
        scaler: str = "standard",
        stop_share: float = 0.15,
        purge_rows: int = 0,
        random_state: Any = 0,
        **settings: Any,
    ) -> None:
        super().__init__(
            model,
            scaler=scaler,
            stop_share=stop_share,
            purge_rows=purge_rows,
            random_state=random_state,
            **settings,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = self._is_naive()
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from `X` (n_rows, n_features) and classes `y` (n_rows,), oldest first."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, code = np.unique(y, return_inverse=True)
        in_three = len(self.classes_) == 3
        self.task_ = self._chosen(*(("three_class",) if in_three else ()), "direction")
        rows, counts = self._rows(X, sample_weight)
        code = code[counts]
        self.learned_ = []
        if self.task_ == "three_class":
            self.learned_ = [self._learn(rows, code.astype(float), self.task_)]
        elif len(self.classes_) > 1:
            of = (1,) if len(self.classes_) == 2 else range(len(self.classes_))
            self.learned_ = [self._learn(rows, (code == k) * 1.0, self.task_) for k in of]
        return self

    def predict_proba(self, X: Any) -> Floats:
        """(n_rows, n_classes) in the order of `classes_`."""
        found = self._answers(X)
        if not found:
            return np.ones((len(X), 1))
        share = np.hstack(found)
        if len(self.classes_) == 2:
            return np.hstack([1.0 - share, share])
        total = share.sum(axis=1, keepdims=True)
        # Where each class is held to be impossible, none is likelier than another.
        alike = np.full_like(share, 1.0 / len(self.classes_))
        found_share: Floats = np.divide(share, total, out=alike, where=total > 0.0)
        return found_share

    def predict(self, X: Any) -> Array:
        """(n_rows,) the likeliest class."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])


def _to_files(model: Model, learned: Any) -> dict[str, bytes]:
    """The files that the model saves, by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(learned, folder)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def _from_files(model: Model, files: dict[str, bytes], target: Target) -> Any:
    with tempfile.TemporaryDirectory() as name:
        for path, content in files.items():
            file = Path(name, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return model.load(Path(name), target)
