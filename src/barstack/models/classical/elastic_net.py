"""LinearWeights regression with both penalties."""

from __future__ import annotations

import warnings

import numpy as np
from pydantic import Field

from .._model import register
from ._descent import elastic_net_of
from ._linear import LinearWeights, MomentModel
from ._moments import Moments


@register("elastic_net", family="classical", tasks=("return",))
class ElasticNet(MomentModel):
    """Linear forecast with an L1 and an L2 penalty, which leaves features out. Zou, Hastie (2005).

    The penalty is per row. A feature is left out whose correlation with the label, given the
    others, is below `penalty * l1_share`.

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(ElasticNet(), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    version = 2  # solved to the last digit, no longer to a share of the labels' spread

    penalty: float = Field(0.02, gt=0, description="L1 and L2 together, per row")
    l1_share: float = Field(
        0.5, ge=0, le=1, description="share of the penalty that leaves features out"
    )
    rounds: int = Field(5_000, ge=1, le=1_000_000, description="most passes over the features")

    @property
    def l2(self) -> float:
        return self.penalty * (1.0 - self.l1_share)

    def solve(self, moments: Moments) -> LinearWeights:
        weights, l1 = np.empty_like(moments.cross), self.penalty * self.l1_share
        for place, cross in enumerate(moments.cross.T):
            weights[:, place], reached = elastic_net_of(
                moments.gram, np.ascontiguousarray(cross), l1, self.l2, self.rounds
            )
            if not reached:
                warnings.warn(
                    f"The elastic net of horizon {place} still moves after {self.rounds} rounds "
                    f"with penalty {self.penalty}. Give more rounds or a larger penalty.",
                    stacklevel=2,
                )
        return LinearWeights(weights, moments.mean - moments.centre @ weights)
