"""Logistic regression."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.forecast import Target
from barstack.datasets import Samples

from .._libraries import scikit
from .._model import register
from .._per_horizon import ConstantForecast, HorizonRows
from ._linear import LinearModel, LinearWeights


@register("logistic", family="classical", tasks=("direction", "three_class"))
class Logistic(LinearModel):
    """Log odds as a weighted sum, with an L2 penalty; three classes by softmax.

    The penalty is per row, as ridge's: it is set against the mean loss of a row. The solver weighs
    rows anew at each step, so that folds share no moments and each is fitted by itself.

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("direction")
    >>> rows = training_rows(dataset)
    >>> fitted = train(Logistic(), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    concurrent: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    penalty: float = Field(0.1, gt=0, description="L2, against the mean loss of a row")
    rounds: int = Field(1_000, ge=1, le=1_000_000, description="most steps of the solver")

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> LinearWeights:
        X, linear_model = train.last(), scikit("linear_model")
        found = []
        for y in train.y.T:
            part = HorizonRows(X, y, train.weight)
            if np.ptp(y) == 0.0:
                found.append(_of_shares(part, target))
                continue
            own = part.counted().with_every_class(target)
            strength = 1.0 / (self.penalty * own.weight.sum())
            regression = linear_model.LogisticRegression(C=strength, max_iter=self.rounds)
            regression.fit(own.X, own.y, own.weight)
            found.append(_weights(regression))
        weights, intercept = zip(*found, strict=True)
        return LinearWeights(np.hstack(weights), np.concatenate(intercept))


def _weights(regression: Any) -> tuple[Floats, Floats]:
    return regression.coef_.T, regression.intercept_


def _of_shares(part: HorizonRows, target: Target) -> tuple[Floats, Floats]:
    """Where one class is all there is, its share whatever the features say."""
    shares = np.array(ConstantForecast.fit(part, target).values)
    scores = np.log(shares) if len(shares) > 1 else np.log(shares / (1.0 - shares))
    return np.zeros((part.X.shape[1], len(shares))), scores
