"""Scores of forecasts against what came. Every function takes rows of one horizon."""

from __future__ import annotations

import numpy as np
import scipy.stats

from barstack.core.arrays import Floats


def hits(signal: Floats, returns: Floats) -> Floats:
    """(n,) 1 where the sign was right, 0 where wrong, 0.5 for a forecast of zero; NaN without move.

    >>> hits(np.array([0.1, -0.2, 0.0]), np.array([0.01, 0.02, 0.03]))
    array([1. , 0. , 0.5])
    """
    right = 0.5 + 0.5 * np.sign(signal) * np.sign(returns)
    return np.where(returns == 0.0, np.nan, right)


def directional_accuracy(signal: Floats, returns: Floats) -> float:
    """Share of moves whose sign was forecast, abstentions counting half."""
    right = hits(signal, returns)
    return float(np.nanmean(right)) if (~np.isnan(right)).any() else float("nan")


def r2(forecast: Floats, returns: Floats, baseline: Floats) -> float:
    """1 - squared errors / squared errors of the baseline. Campbell, Thompson (2008)."""
    worst = float(((returns - baseline) ** 2).sum())
    return 1.0 - float(((returns - forecast) ** 2).sum()) / worst if worst > 0.0 else float("nan")


def ic(signal: Floats, returns: Floats) -> float:
    """Information coefficient: Pearson correlation; NaN when either never changes."""
    if len(signal) < 3 or _constant(signal) or _constant(returns):
        return float("nan")
    return float(np.corrcoef(signal, returns)[0, 1])


def rank_ic(signal: Floats, returns: Floats) -> float:
    """Information coefficient of ranks (Spearman); NaN when either never changes."""
    if len(signal) < 3 or _constant(signal) or _constant(returns):
        return float("nan")
    return float(scipy.stats.spearmanr(signal, returns).statistic)


def log_losses(probabilities: Floats, label: Floats) -> Floats:
    """(n,) -ln of the probability given to the class that came.

    probabilities  (n, 1) of class 1, or (n, n_classes)
    """
    classes = label.astype(np.int64)
    if probabilities.shape[1] == 1:
        up = probabilities[:, 0]
        chance = np.where(classes == 1, up, 1.0 - up)
    else:
        chance = probabilities[np.arange(len(classes)), classes]
    return -np.log(np.maximum(chance, 1e-12))


def pinball_losses(quantiles: Floats, returns: Floats, levels: tuple[float, ...]) -> Floats:
    """(n,) the mean over levels of what missing each quantile costs. Koenker, Bassett (1978).

    quantiles  (n, n_levels)

    >>> pinball_losses(np.array([[-1.0, 0.0, 2.0]]), np.array([1.0]), (0.1, 0.5, 0.9)).round(3)
    array([0.267])
    """
    over = returns[:, None] - quantiles
    tau = np.array(levels)
    return np.asarray(np.maximum(tau * over, (tau - 1.0) * over).mean(axis=1))


def pinball_skill(losses: Floats, baseline: Floats) -> float:
    """1 - pinball losses / those of the baseline."""
    worst = float(baseline.sum())
    return 1.0 - float(losses.sum()) / worst if worst > 0.0 else float("nan")


def _constant(column: Floats) -> bool:
    return float(np.ptp(column)) <= 1e-12 * float(np.abs(column).max(initial=0.0))
