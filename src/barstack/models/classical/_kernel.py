"""Weighted sums of Gaussian kernels, as plain arrays."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from barstack.core.arrays import Floats

from .._arrays import read_arrays, require, write_arrays
from .._horizons import check_width

# Rows times centres whose kernels are computed together.
_AT_ONCE = 2**22


class Kernel(NamedTuple):
    """Sums over centres of a coefficient times exp(-gamma |x - centre|^2).

    centres       (n_centres, n_features)
    coefficients  (n_centres, n_sums)
    intercept     (n_sums,)
    gamma         (1,)
    slope, shift  (n_sums,) of Platt's sigmoid, which makes a probability of a sum
    """

    centres: Floats
    coefficients: Floats
    intercept: Floats
    gamma: Floats
    slope: Floats
    shift: Floats

    def sums(self, X: Floats) -> Floats:
        """(n_rows, n_sums)."""
        check_width(self.centres.shape[1], X)
        out = np.empty((len(X), len(self.intercept)))
        lengths = (self.centres**2).sum(axis=1)
        size = max(1, _AT_ONCE // max(len(self.centres), 1))
        for begin in range(0, len(X), size):
            rows = X[begin : begin + size]
            apart = (rows**2).sum(axis=1)[:, None] + lengths - 2.0 * rows @ self.centres.T
            kernels = np.exp(-self.gamma[0] * np.maximum(apart, 0.0))
            out[begin : begin + size] = kernels @ self.coefficients + self.intercept
        return out

    def save(self, file: Path) -> None:
        """Write as arrays."""
        write_arrays(file, **self._asdict())

    @classmethod
    def load(cls, file: Path, n_sums: int) -> Kernel:
        """Read what `save` wrote."""
        each = f"float64 {n_sums}"
        read = cls(
            **read_arrays(
                file,
                centres="float64 centres,features",
                coefficients=f"float64 centres,{n_sums}",
                intercept=each,
                gamma="float64 1",
                slope=each,
                shift=each,
            )
        )
        require(file, read.gamma[0] > 0.0, "gamma is not above 0")
        return read
