"""Long-run variance of serially correlated values, and the standard error of their mean."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats

from ._resampling import checked


def hac_se(values: Floats, *, span: int = 1, lags: int | None = None) -> Floats:
    """(n_columns,) standard errors of means, allowing for heteroskedasticity and autocorrelation.

    Newey and West (1987), Bartlett weights, times (n / (n - 1))^1/2. The number of lags is the
    automatic one of Newey and West (1994), the largest over columns, and at least span - 1. Where
    labels overlap much such errors are too small in few rows; those of the jackknife over blocks of
    time come with Student's t and keep their coverage (benchmarks/intervals.py).

    Parameters
    ----------
    values
        (n_times,) or (n_times, n_columns), in time order.
    span
        Times that one outcome covers.
    lags
        Number of lags in place of the automatic one.

    >>> hac_se(np.array([1.0, -1.0, 1.0, -1.0]), lags=0).round(3)
    array([0.577])
    """
    table = checked(values)
    return np.asarray(np.sqrt(long_run_variance(table, span=span, lags=lags) / (len(table) - 1)))


def long_run_variance(values: Floats, *, span: int = 1, lags: int | None = None) -> Floats:
    """(n_columns,) sum of autocovariances at all lags, with Bartlett weights: never negative.

    >>> long_run_variance(np.array([1.0, 1.0, -1.0, -1.0]), lags=1)
    array([1.25])
    """
    table = checked(values)
    n_times = len(table)
    centred = table - table.mean(axis=0)
    if lags is None:
        automatic = max((automatic_lags(column) for column in centred.T), default=0)
        lags = max(automatic, span - 1)
    lags = min(lags, n_times - 1)
    found = (centred**2).mean(axis=0)
    for lag in range(1, lags + 1):
        product = (centred[lag:] * centred[:-lag]).sum(axis=0) / n_times
        found += 2.0 * (1.0 - lag / (lags + 1.0)) * product
    return np.asarray(np.maximum(found, 0.0))


def automatic_lags(centred: Floats) -> int:
    """Number of lags for Bartlett weights by the rule of Newey and West (1994).

    centred  (n,) with mean zero
    """
    n_times = len(centred)
    pilot = min(int(4.0 * (n_times / 100.0) ** (2.0 / 9.0)), n_times - 1)
    covariance = [float(centred[lag:] @ centred[: n_times - lag]) for lag in range(pilot + 1)]
    level = covariance[0] + 2.0 * sum(covariance[1:])
    if level <= 0.0:
        return pilot
    slope = 2.0 * sum(lag * each for lag, each in enumerate(covariance))
    rate = 1.1447 * ((slope / level) ** 2) ** (1.0 / 3.0)
    return min(int(rate * n_times ** (1.0 / 3.0)), n_times - 1)
