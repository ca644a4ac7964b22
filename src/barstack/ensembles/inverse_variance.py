"""Weights by how small members' errors were."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import EVERY_TASK

from ._ensemble import register
from ._losses import mean_losses
from ._stacked import Stacked
from ._weighted import Weighted, shares

_SMALLEST = 1e-12  # of the largest loss: a member without errors has nearly all the weight


@register("inverse_variance", tasks=EVERY_TASK)
class InverseVariance(Weighted):
    """Weights in proportion to 1 / mean squared error.

    The combination of least variance where members' errors do not correlate: Bates, Granger
    (1969). Errors are taken around zero, as a bias is an error too. Classes: squared errors of all
    probabilities together. Quantiles: the square of the mean pinball loss, which has the unit of a
    deviation.

    >>> from barstack.testing import small_stacked
    >>> InverseVariance().fit(small_stacked("return"))[0].round(2)
    array([0.36, 0.27, 0.21, 0.15])
    """

    def fit(self, stacked: Stacked) -> Floats:
        losses = mean_losses(stacked)
        largest = losses.max(axis=1, keepdims=True)
        relative = np.maximum(losses / np.where(largest > 0.0, largest, 1.0), _SMALLEST)
        return shares(relative ** (-2.0 if stacked.target.levels else -1.0))
