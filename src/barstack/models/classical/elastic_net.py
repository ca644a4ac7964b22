"""Linear regression with both penalties."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from barstack.core.forecast import Target
from barstack.datasets import Samples

from .._model import register
from .._scikit import bounded_threads, scikit
from ._linear import Linear, LinearModel


@register("elastic_net", family="classical", tasks=("return",))
class ElasticNet(LinearModel):
    """Linear forecast with an L1 and an L2 penalty, which leaves features out. Zou, Hastie (2005).

    The penalty is per row. A feature is left out whose correlation with the label, given the
    others, is below `penalty * l1_share`.
    """

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    penalty: float = Field(0.02, gt=0)
    l1_share: float = Field(0.5, ge=0, le=1)  # of the penalty
    rounds: int = Field(5_000, ge=1)  # most passes over the features

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Linear:
        X, columns = train.last(), []
        linear_model = scikit("linear_model")
        with bounded_threads(len(X)):
            for y in train.y.T:
                net = linear_model.ElasticNet(
                    alpha=self.penalty,
                    l1_ratio=self.l1_share,
                    max_iter=self.rounds,
                    random_state=seed,
                )
                net.fit(X, y, train.weight)
                columns.append((net.coef_, net.intercept_))
        weights, intercept = zip(*columns, strict=True)
        return Linear(np.column_stack(weights), np.array(intercept))
