"""Weights that would have forecast best out of fold, none of them negative."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.forecast import EVERY_TASK, Target
from barstack.models._libraries import one_blas_thread

from ._ensemble import register
from ._losses import row_weights
from ._pools import opinion_pool, quantile_pool, realised_chances
from ._quadratic import least_quadratic
from ._stacked import Stacked
from ._weighted import Weighted


@register("nnls", tasks=EVERY_TASK)
class NonNegativeLeastSquares(Weighted):
    """Weights that would have forecast best out of fold, none of them negative.

    Returns: non-negative least squares (Breiman, Stacked Regressions, 1996), each weight drawn
    to zero by a Gaussian prior, as a few hundred noisy rows tell little. The weights need not sum
    to one: where no member helped, all are zero and the ensemble forecasts nothing, which is
    then the honest forecast.
    Classes: the linear opinion pool of highest likelihood, fitted by expectation maximisation;
    its weights sum to one.
    Quantiles: averaged level by level with the weights of least pinball loss over all levels,
    which sum to one. Averages of quantiles stay sharp where those of probabilities spread out:
    Lichtendahl, Grushka-Cockayne, Winkler (2013).

    >>> from barstack.testing import small_stacked
    >>> NonNegativeLeastSquares().fit(small_stacked("return"))[0].round(2)
    array([1.14, 0.17, 0.03, 0.02])
    """

    weight_spread: float = Field(0.5, gt=0)  # standard deviation of weights thought likely

    def fit(self, stacked: Stacked) -> Floats:
        forecasts, y, target = stacked.forecasts, stacked.y, stacked.target
        assert y is not None  # in fitting
        weight, spread = row_weights(stacked), self.weight_spread
        found = [
            best_weights(forecasts[:, :, h], y[:, h], target, weight, spread)
            for h in range(len(target.horizons))
        ]
        return np.stack(found)


def best_weights(
    forecasts: Floats, y: Floats, target: Target, row_weight: Floats, spread: float = 0.5
) -> Floats:
    """(n_members,) the weights of one horizon.

    forecasts   (n_rows, n_members, n_outputs)
    y           (n_rows,) labels
    row_weight  (n_rows,) how much each row counts, 1 on average
    spread      of returns: standard deviation of weights thought likely
    """
    if target.task == "return":
        return least_squares(forecasts[:, :, 0], y, spread, row_weight)
    if target.levels:
        return quantile_pool(forecasts, y, target.levels, row_weight)
    chances = realised_chances(forecasts[:, :, None], y[:, None], target)
    return opinion_pool(chances[:, :, 0], row_weight)


def least_squares(forecasts: Floats, y: Floats, spread: float, row_weight: Floats) -> Floats:
    """(n_members,) weights of 0 or more, each drawn to zero.

    forecasts   (n_rows, n_members)
    y           (n_rows,) returns
    spread      standard deviation of weights thought likely
    row_weight  (n_rows,) how much each row counts, 1 on average
    """
    if not forecasts.any():
        return np.zeros(forecasts.shape[1])
    matrix, vector, prior = normal_equations(forecasts, y, spread, row_weight)
    return least_quadratic(matrix + prior * np.eye(len(vector)), vector)


def normal_equations(
    forecasts: Floats, y: Floats, spread: float, row_weight: Floats
) -> tuple[Floats, Floats, float]:
    """A, b and r: least squares are least w' A w / 2 - b' w, and r w' w / 2 is the prior on w.

    Arguments as of `least_squares`; some forecast is not zero.
    """
    size, root = np.sqrt((forecasts**2).mean()), np.sqrt(row_weight)
    left = root[:, None] * forecasts / size
    prior = (y.std() / size / spread) ** 2
    with one_blas_thread:  # the number of threads changes no bit
        matrix, vector = left.T @ left, left.T @ (root * y / size)
    # Were all returns equal, nothing else would keep copies of a member from being singular.
    return matrix, vector, max(prior, 1e-12 * float(np.trace(matrix)))
