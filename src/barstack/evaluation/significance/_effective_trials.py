"""How many independent trials are many correlated ones worth?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats

from ._resampling import Resampled, checked


@dataclass(frozen=True)
class EffectiveTrials:
    """Numbers of independent trials that stand for correlated ones, by three definitions.

    Attributes
    ----------
    by_spectrum
        (sum of eigenvalues)² / sum of squared eigenvalues of the correlation matrix: how many
        directions the trials span. Small where a few directions explain most.
    by_correlation
        1 + (1 - mean correlation)(n - 1), as Bailey and López de Prado (2014) use it.
    by_maximum
        Number of independent normal trials whose largest t-value has the same 95 % quantile: what
        a correction of p-values needs.
    """

    by_spectrum: float
    by_correlation: float
    by_maximum: float


def effective_trials(series: Floats, resampled: Resampled) -> EffectiveTrials:
    """Effective number of independent trials.

    Parameters
    ----------
    series
        (n_times, n_trials)
    resampled
        The same series resampled by `resample`.

    >>> rng = np.random.default_rng(0)
    >>> alike = rng.normal(size=(500, 1)) + 0.01 * rng.normal(size=(500, 30))
    >>> from barstack.evaluation.significance import resample
    >>> found = effective_trials(alike, resample(alike))
    >>> round(found.by_spectrum, 1), round(found.by_correlation, 1), found.by_maximum < 2.0
    (1.0, 1.0, True)
    """
    table = checked(series)
    centred = table - table.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    unit = centred[:, norms > 0.0] / norms[norms > 0.0]
    count = unit.shape[1]
    if count < 2:
        return EffectiveTrials(float(count), float(count), float(count))
    # The squares of the smaller Gram matrix have the same sum as those of the eigenvalues.
    gram = unit.T @ unit if count <= len(unit) else unit @ unit.T
    by_spectrum = count**2 / float((gram**2).sum())
    total = float((unit.sum(axis=1) ** 2).sum())  # of all correlations
    correlation = (total - count) / (count * (count - 1.0))
    by_correlation = 1.0 + (1.0 - correlation) * (count - 1.0)
    return EffectiveTrials(by_spectrum, by_correlation, _by_maximum(resampled, count))


def _by_maximum(resampled: Resampled, count: int) -> float:
    """Solve Phi(q)^n = 0.95 for n, with q the quantile of the largest resampled t-value."""
    from scipy.special import log_ndtr  # noqa: PLC0415

    largest = resampled.against(resampled.mean).max(axis=1)
    quantile = float(np.quantile(largest, 0.95))
    return float(min(max(math.log(0.95) / float(log_ndtr(quantile)), 1.0), count))
