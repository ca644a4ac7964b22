"""The combination whose errors vary least, from a shrunk covariance of members' errors."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.models._libraries import one_blas_thread

from ._ensemble import register
from ._losses import error_products, errors, row_weights, weighted_errors
from ._quadratic import least_quadratic
from ._stacked import Stacked
from ._weighted import Weighted

_JITTER = 1e-10  # of the mean squared error: members that are copies then weigh alike


@register("min_variance", tasks=("return", "direction", "three_class"))
class MinVariance(Weighted):
    """Weights that sum to one and make the mean squared error of the combination least.

    w = C^-1 1 / (1' C^-1 1), C the mean products of members' errors: Bates, Granger (1969);
    Newbold, Granger (1974). With `non_negative` the same under w >= 0. A bias is an error too, so
    products are taken around zero.

    C is shrunk towards one common variance and one common covariance, of which equal weights are
    the solution, by the intensity of least expected squared error: Ledoit, Wolf (2004). Where rows
    tell little, weights therefore come close to equal ones. It takes rows as independent; give
    `shrinkage` where labels overlap much. Weights of classes are never negative.

    >>> from barstack.testing import small_stacked
    >>> MinVariance().fit(small_stacked("direction"))[0].round(2)
    array([0.85, 0.15, 0.  , 0.  ])
    """

    non_negative: bool = True
    shrinkage: float | None = Field(None, ge=0, le=1)  # 1 is equal weights; None estimates it

    @property
    def may_be_negative(self) -> bool:
        return not self.non_negative

    def fit(self, stacked: Stacked) -> Floats:
        error, weight = errors(stacked), row_weights(stacked)
        negative = self.may_be_negative and not stacked.target.n_classes
        found = []
        for h in range(len(stacked.target.horizons)):
            products = error_products(error[:, :, h], weight)
            share = self.shrinkage
            if share is None:
                share = shrinkage_of(error[:, :, h], weight, products)
            shrunk = (1.0 - share) * products + share * common_target(products)
            found.append(least_variance(shrunk, non_negative=not negative))
        return np.stack(found)


def common_target(products: Floats) -> Floats:
    """The same matrix with its mean on the diagonal, and its mean off the diagonal."""
    n = len(products)
    variance = np.trace(products) / n
    covariance = (products.sum() - n * variance) / max(n * (n - 1), 1)
    found = np.full((n, n), covariance)
    np.fill_diagonal(found, variance)
    return found


def shrinkage_of(error: Floats, row_weight: Floats, products: Floats) -> float:
    """From 0 to 1, how far to shrink mean products of errors towards `common_target`.

    error       (n_rows, n_members, n_outputs)
    row_weight  (n_rows,) 1 on average
    products    (n_members, n_members) of these errors

    The share of least expected squared error, (pi - rho) / (gamma n): pi sums the sampling
    variances of all entries, rho their covariances with the target's, and gamma is the squared
    distance of matrix and target. Ledoit, Wolf (2004), for the target of two parameters.
    """
    n_rows, n = len(error), len(products)
    gamma = ((products - common_target(products)) ** 2).sum()
    square = (products**2).sum()
    if gamma <= 1e-24 * square:
        return 1.0
    each = weighted_errors(error, row_weight).reshape(n_rows, -1, n)
    gram = np.einsum("nkm,nlm->nkl", each, each)  # its squares sum those of all products of a row
    squares = np.einsum("nkk->n", gram)
    between = (each.sum(axis=2) ** 2).sum(axis=1) - squares  # of different members
    trace, total = np.trace(products), products.sum()
    pi = (gram**2).sum(axis=(1, 2)).mean() - square
    rho = ((squares**2).mean() - trace**2) / n
    rho += ((between**2).mean() - (total - trace) ** 2) / (n * (n - 1))
    return float(np.clip((pi - rho) / (gamma * n_rows), 0.0, 1.0))


def least_variance(covariance: Floats, *, non_negative: bool) -> Floats:
    """(n_members,) weights that sum to one with the least w' C w.

    >>> least_variance(np.diag([1.0, 3.0]), non_negative=True).round(3)
    array([0.75, 0.25])
    """
    n = len(covariance)
    size = float(np.trace(covariance)) / n
    if size <= 0.0:
        return np.full(n, 1.0 / n)
    scaled = covariance / size + _JITTER * np.eye(n)
    if non_negative:
        # Whatever a sum other than one costs, the least w' C w + (1'w - 1)^2 lies in the
        # direction of the least w' C w among weights that sum to one.
        found = least_quadratic(scaled + 1.0, np.ones(n))
    else:
        with one_blas_thread:  # the number of threads changes no bit
            found = np.asarray(np.linalg.solve(scaled, np.ones(n)), float)
    return np.asarray(found / found.sum())
