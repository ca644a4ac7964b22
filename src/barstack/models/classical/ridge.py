"""Ridge regression in closed form."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from barstack.core.forecast import Target
from barstack.datasets import Samples

from .._model import Values, register
from ._linear import Linear, LinearModel


@register("ridge", family="classical", tasks=("return",))
class Ridge(LinearModel):
    """Linear forecast with an L2 penalty, all horizons from one factorisation.

    The penalty is per row: 1.0 weighs a standardised feature as much as all training rows do,
    which suits returns, where most of what is fitted is noise. A row of weight 2 counts as that
    row twice.
    """

    penalty: float = Field(1.0, ge=0)

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Linear:
        counted = train.weight[:, None] / train.weight.sum()
        centre, mean = np.zeros(train.n_features), (counted * train.y).sum(axis=0)
        for part in train.blocks():
            centre += (counted[part] * train.last(part)).sum(axis=0)
        gram: Values = self.penalty * np.eye(train.n_features)
        moments = np.zeros((train.n_features, train.y.shape[1]))
        for part in train.blocks():
            share = np.sqrt(counted[part])
            X = (train.last(part) - centre) * share
            gram += X.T @ X
            moments += X.T @ ((train.y[part] - mean) * share)
        # lstsq, not solve: without a penalty repeated features make the matrix singular.
        weights = np.linalg.lstsq(gram, moments, rcond=None)[0]
        return Linear(np.asarray(weights, float), mean - centre @ weights)
