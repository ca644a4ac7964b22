"""The least of a quadratic function over weights of which none is negative."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Bools, Floats
from barstack.models._libraries import one_blas_thread

_PATIENCE = 3  # exchanges of all wrong entries at once that may fail to lessen their number
_MOST_STEPS = 1_000
_ROUNDING = 1e-11


def least_quadratic(matrix: Floats, vector: Floats) -> Floats:
    """(n,) the x >= 0 of least x' A x / 2 - b' x, by block principal pivoting.

    matrix  (n, n) positive definite A
    vector  (n,) b

    Entries on the wrong side of zero change between free and zero all at once, and one by one
    where that fails to lessen their number: a few dozen solutions of linear equations where an
    active set takes one for each entry. Judice, Pires (1994); Kim, Park (2011).

    >>> least_quadratic(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([4.0, -1.0]))
    array([2., 0.])
    """
    n = len(vector)
    free = np.zeros(n, bool)
    x, slope = np.zeros(n), -vector
    near = _ROUNDING * np.abs(vector).max(initial=0.0)
    fewest, patience = n + 1, _PATIENCE
    with one_blas_thread:  # the number of threads changes no bit
        for _ in range(_MOST_STEPS):
            wrong = np.where(free, x < 0.0, slope < -near)
            count = int(wrong.sum())
            if not count:
                return x
            if count < fewest:
                fewest, patience = count, _PATIENCE
            elif patience:
                patience -= 1
            else:
                wrong[: np.flatnonzero(wrong)[-1]] = False
            free ^= wrong
            x, slope = _solved(matrix, vector, free)
        return _by_active_set(matrix, vector)


def _solved(matrix: Floats, vector: Floats, free: Bools) -> tuple[Floats, Floats]:
    """The solution with all other entries zero, and the slope at each entry."""
    from scipy.linalg import solve  # noqa: PLC0415 (slow to import; forecasting needs none)

    x = np.zeros(len(vector))
    if free.any():
        x[free] = solve(matrix[np.ix_(free, free)], vector[free], assume_a="pos")
    return x, np.where(free, 0.0, matrix[:, free] @ x[free] - vector)


def _by_active_set(matrix: Floats, vector: Floats) -> Floats:
    """The same where pivoting goes in circles, as rounding may lead it to; slow for many."""
    from scipy.linalg import cholesky, solve_triangular  # noqa: PLC0415
    from scipy.optimize import nnls  # noqa: PLC0415

    root = cholesky(matrix)
    return np.asarray(nnls(root, solve_triangular(root, vector, trans="T"))[0])
