"""Ridge regression in closed form."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from .._model import register
from ._linear import LinearWeights, MomentModel
from ._moments import Moments


@register("ridge", family="classical", tasks=("return",))
class Ridge(MomentModel):
    """Linear forecast with an L2 penalty, all horizons from one factorisation.

    The penalty is per row: 1.0 weighs a standardised feature as much as all training rows do,
    which suits returns, where most of what is fitted is noise. A row of weight 2 counts as that
    row twice.

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(Ridge(penalty=10.0), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    penalty: float = Field(
        1.0,
        ge=0,
        description="L2, per row; 1 weighs a standardised feature as much as all training rows do",
    )

    @property
    def l2(self) -> float:
        return self.penalty

    def solve(self, moments: Moments) -> LinearWeights:
        values, vectors, cross = moments.eigen
        curvature = values + self.penalty
        # Without a penalty repeated features leave directions in which nothing is learned.
        flat = curvature <= np.finfo(float).eps * len(curvature) * curvature.max(initial=0.0)
        along = np.where(flat[:, None], 0.0, cross / np.where(flat, 1.0, curvature)[:, None])
        weights = vectors @ along
        return LinearWeights(weights, moments.mean - moments.centre @ weights)
