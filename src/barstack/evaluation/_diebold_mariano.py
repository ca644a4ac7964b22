"""Whether two forecasts lose the same: Diebold-Mariano, and Holm for several such tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from barstack.core.arrays import Floats
from barstack.core.times import Times

_FEWEST_SPANS = 3  # labels side by side, without which there is no variance to speak of
_ROUNDING = 1e-24  # of the mean square: a variance below it is only rounding


@dataclass(frozen=True)
class EqualLoss:
    """The test that two forecasts have the same expected loss.

    statistic  above 0 where the first loses more
    p_value    two-sided
    n_times    distinct times of decision
    """

    statistic: float
    p_value: float
    n_times: int


def diebold_mariano(differences: Floats, times: Times, span: int) -> EqualLoss | None:
    """Test that loss differences have mean zero, in the small-sample form.

    Diebold, Mariano (1995) with the correction of Harvey, Leybourne, Newbold (1997): labels of
    `span` steps overlap, so that the differences of span - 1 neighbours are correlated; their
    autocovariances count in full. Where these add up to no positive variance, the weights of
    Bartlett (Newey, West 1987) take their place, of which none is negative. Rows of one time are
    taken together, as their outcomes are not independent.

    Parameters
    ----------
    differences
        (n_rows,) loss of one forecast less that of the other.
    times
        (n_rows,) of the decisions.
    span
        Distinct times that a label spans.

    Returns
    -------
    None with fewer than three labels side by side, or where the differences never vary.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(4) * np.timedelta64(1, "D")
    >>> found = diebold_mariano(np.array([1.0, 3.0, 2.0, 2.0]), times, 1)
    >>> round(found.statistic, 3), round(found.p_value, 3)
    (4.899, 0.016)
    """
    unique, place = np.unique(times, return_inverse=True)
    n, span = len(unique), max(span, 1)
    if n < max(_FEWEST_SPANS * span, 3):
        return None
    sums = np.bincount(place, differences, n)
    series = sums * n / len(differences)  # its mean is that of the rows
    centred = series - series.mean()
    covariances = np.array([centred[lag:] @ centred[: n - lag] for lag in range(span)]) / n
    if covariances[0] <= _ROUNDING * float(series @ series) / n:
        return None
    variance = covariances[0] + 2.0 * covariances[1:].sum()
    if variance <= 0.0:
        bartlett = 1.0 - np.arange(1, span) / span
        variance = covariances[0] + 2.0 * float(bartlett @ covariances[1:])
    if variance <= 0.0:
        return None
    correction = (n + 1 - 2 * span + span * (span - 1) / n) / n
    statistic = float(series.mean() / math.sqrt(variance / n) * math.sqrt(correction))
    return EqualLoss(statistic, 2.0 * float(scipy.special.stdtr(n - 1, -abs(statistic))), n)


def holm(p_values: Sequence[float | None], tried: int | None = None) -> list[float | None]:
    """p-values such that any below a level is significant at it though all were tried. Holm (1979).

    Parameters
    ----------
    p_values
        None where there was no test.
    tried
        How many were tried in all, where that is more than are given.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    count = max(tried or 0, len(known))
    found: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, place) in enumerate(known):
        least = max(least, min((count - rank) * p, 1.0))
        found[place] = least
    return found
