"""Can it be known beforehand which of two forecasts will be better?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from barstack.core.arrays import Floats
from barstack.core.errors import DataError
from barstack.core.times import Times

_FEWEST_PER_INSTRUMENT = 10  # labels side by side


@dataclass(frozen=True)
class ConditionalAbility:
    """The test that what is known when forecasts are made says nothing of their loss difference.

    statistic  chi-squared with `instruments` degrees of freedom under the null
    p_value    of a statistic this large
    n_times    distinct times of decision that are used
    """

    statistic: float
    p_value: float
    instruments: int
    n_times: int


def giacomini_white(
    differences: Floats, times: Times, span: int, known: Floats | None = None
) -> ConditionalAbility | None:
    """Test of equal conditional predictive ability. Giacomini and White (2006), theorem 3.

    Where Diebold and Mariano's test looks at the mean loss difference alone, this one looks at
    its mean and at its covariance with whatever is known at the decision: two forecasts of the same
    mean loss differ when one is better in, say, volatile times that can be told beforehand.

    Parameters
    ----------
    differences
        (n_rows,) loss of one forecast less that of the other.
    times
        (n_rows,) of the decisions; rows of one time are averaged.
    span
        Distinct times that a label covers. Moments of overlapping labels are correlated over
        span - 1 lags, which count in full; where that gives no covariance matrix, 2 span lags get
        Bartlett weights. The correction of Harvey, Leybourne and Newbold (1997) is applied.
    known
        (n_rows, n_columns) known at each decision, such as volatility; a constant is added. By
        default the newest difference whose labels are known by then, which is `span` times back.

    Returns
    -------
    None with fewer than ten labels side by side for each instrument, or where the
    differences never vary.

    Raises
    ------
    DataError
        Where a number is missing.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(400) * np.timedelta64(1, "h")
    >>> rng = np.random.default_rng(0)
    >>> volatility = rng.uniform(0.5, 1.5, 400)
    >>> found = giacomini_white(volatility - 1.0 + rng.normal(size=400), times, 1, volatility)
    >>> found.p_value < 0.01
    True
    """
    _, place = np.unique(times, return_inverse=True)
    count = np.bincount(place)
    series = np.bincount(place, differences) / count
    span = max(span, 1)
    if known is None:
        columns, series = series[: -span or None, None], series[span:]
    else:
        table = np.asarray(known, dtype=np.float64).reshape(len(differences), -1)
        columns = np.stack([np.bincount(place, each) / count for each in table.T], axis=1)
    if not (np.isfinite(series).all() and np.isfinite(columns).all()):
        raise DataError("Loss differences and what is known beside them must all be numbers.")
    n, width = len(series), columns.shape[1] + 1
    if n < _FEWEST_PER_INSTRUMENT * width * span or series.std() <= 1e-12 * np.abs(series).max():
        return None
    scale = columns.std(axis=0)
    usual = (columns - columns.mean(axis=0)) / np.where(scale > 0.0, scale, 1.0)
    usual = usual[:, scale > 1e-12 * np.abs(columns).max(axis=0, initial=0.0)]
    moments = np.column_stack([np.ones(n), usual]) * series[:, None]
    width = moments.shape[1]
    matrix = _covariance(moments, np.ones(span - 1))
    if np.linalg.eigvalsh(matrix)[0] <= 0.0:
        matrix = _covariance(moments, 1.0 - np.arange(1, 2 * span) / (2.0 * span))
    mean = moments.mean(axis=0)
    correction = (n + 1 - 2 * span + span * (span - 1) / n) / n
    statistic = float(n * mean @ np.linalg.pinv(matrix) @ mean) * correction
    return ConditionalAbility(statistic, float(scipy.special.chdtrc(width, statistic)), width, n)


def _covariance(moments: Floats, weights: Floats) -> Floats:
    """Long-run covariance matrix about zero, with a weight for each lag from 1 on."""
    matrix = moments.T @ moments / len(moments)
    for lag, weight in enumerate(weights, start=1):
        product = moments[lag:].T @ moments[:-lag] / len(moments)
        matrix += weight * (product + product.T)
    return np.asarray(matrix)
