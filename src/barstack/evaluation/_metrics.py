"""Scores of forecasts against realised returns and classes, for rows of one horizon.

Scores that are functions of sums over rows have two more functions: `..._terms`, what is summed,
and `..._of_sums`, so that `jackknife_se` leaves out a block of rows by a subtraction.
"""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats, Ints, ranks_of
from barstack.core.forecast import Target

CLASS_NAMES = {2: ("DOWN", "UP"), 3: ("SELL", "HOLD", "BUY")}
_BARELY = 1e-6  # of its mean square: a smaller variance may be rounding of the sums


def hits(signal: Floats, returns: Floats) -> Floats:
    """(n,) 1 where the sign was right, 0 where wrong, 0.5 for a forecast of zero; NaN without move.

    >>> hits(np.array([0.1, -0.2, 0.0]), np.array([0.01, 0.02, 0.03]))
    array([1. , 0. , 0.5])
    """
    right = 0.5 + 0.5 * np.sign(signal) * np.sign(returns)
    return np.where(returns == 0.0, np.nan, right)


def directional_accuracy(signal: Floats, returns: Floats) -> float:
    """Share of moves whose sign was forecast, abstentions counting half."""
    return mean(hits(signal, returns))


def mean(values: Floats) -> float:
    """Mean of what is not NaN; NaN where nothing is left."""
    present = ~np.isnan(values)
    return float(values[present].mean()) if present.any() else float("nan")


def mean_terms(values: Floats) -> Floats:
    """(n, 2) each value and whether it counts; NaN does not."""
    present = ~np.isnan(values)
    return np.stack([np.where(present, values, 0.0), present], axis=1)


def mean_of_sums(sums: Floats) -> Floats:
    """(m,) means, NaN where nothing counts."""
    return _divided(sums[:, 0], sums[:, 1])


def r2(forecast: Floats, returns: Floats, baseline: Floats) -> float:
    """1 - squared errors / squared errors of the baseline. Campbell, Thompson (2008)."""
    return skill((returns - forecast) ** 2, (returns - baseline) ** 2)


def skill(losses: Floats, baseline: Floats) -> float:
    """1 - losses / those of the baseline; NaN where the baseline has none."""
    worst = float(baseline.sum())
    return 1.0 - float(losses.sum()) / worst if worst > 0.0 else float("nan")


def skill_of_sums(sums: Floats) -> Floats:
    """(m,) skills from sums of losses and of the baseline's."""
    return 1.0 - _divided(sums[:, 0], sums[:, 1])


def ic(signal: Floats, returns: Floats) -> float:
    """Information coefficient: Pearson correlation; NaN when either never changes."""
    if len(signal) < 3 or _constant(signal) or _constant(returns):
        return float("nan")
    return float(np.corrcoef(signal, returns)[0, 1])


def ic_terms(signal: Floats, returns: Floats) -> Floats:
    """(n, 6) one, both columns in deviations, their squares and their product."""
    x, y = ((each - each.mean()) / max(each.std(), 1e-300) for each in (signal, returns))
    return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1)


def ic_of_sums(sums: Floats) -> Floats:
    """(m,) correlations, NaN where either column barely varies."""
    count, x, y, xx, yy, xy = sums.T
    variances = (xx - x * x / count, yy - y * y / count)
    varies = (variances[0] > _BARELY * xx) & (variances[1] > _BARELY * yy) & (count >= 3)
    size = np.sqrt(np.where(varies, variances[0] * variances[1], 1.0))
    return np.where(varies, (xy - x * y / count) / size, np.nan)


def rank_ic(signal: Floats, returns: Floats, return_ranks: Floats | None = None) -> float:
    """Information coefficient of ranks (Spearman); NaN when either never changes.

    return_ranks  (n,) of the returns, where they are computed already
    """
    if len(signal) < 3 or _constant(signal) or _constant(returns):
        return float("nan")
    return ic(ranks_of(signal), ranks_of(returns) if return_ranks is None else return_ranks)


def log_losses(probabilities: Floats, label: Floats) -> Floats:
    """(n,) -ln of the probability given to the realised class.

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
    """(n,) mean pinball loss over the levels. Koenker, Bassett (1978).

    quantiles  (n, n_levels)

    >>> pinball_losses(np.array([[-1.0, 0.0, 2.0]]), np.array([1.0]), (0.1, 0.5, 0.9)).round(3)
    array([0.267])
    """
    over = returns[:, None] - quantiles
    tau = np.array(levels)
    return np.asarray(np.maximum(tau * over, (tau - 1.0) * over).mean(axis=1))


def class_of(signal: Floats, target: Target) -> Ints:
    """(n,) the class that a signal stands for, as its side does: of three classes 0 is HOLD.

    >>> class_of(np.array([-0.1, 0.0, 0.3]), Target("three_class", ("4h",)))
    array([0, 1, 2])
    """
    if target.n_classes == 3:
        return 1 + np.sign(signal).astype(np.int64)
    return (signal > 0.0).astype(np.int64)


def confusion_terms(realised: Ints, predicted: Ints, n_classes: int) -> Floats:
    """(n, n_classes²) one at each row's realised and predicted class, and zero elsewhere."""
    return np.asarray(np.eye(n_classes**2)[realised * n_classes + predicted])


def confusion_matrix(realised: Ints, predicted: Ints, n_classes: int) -> Ints:
    """(n_classes, n_classes) counts: a row for each realised class, a column for each predicted."""
    flat = np.bincount(realised * n_classes + predicted, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes)


def accuracy(matrix: Ints | Floats) -> float:
    """Share of rows whose class was predicted."""
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan")


def balanced_accuracy(matrix: Ints | Floats) -> float:
    """Mean recall of the classes that were realised."""
    realised = matrix.sum(axis=1)
    present = realised > 0
    if not present.any():
        return float("nan")
    return float((np.diag(matrix)[present] / realised[present]).mean())


def macro_f1(matrix: Ints | Floats) -> float:
    """Mean F1 of the classes that were realised or predicted."""
    total = matrix.sum(axis=0) + matrix.sum(axis=1)
    present = total > 0
    if not present.any():
        return float("nan")
    return float((2.0 * np.diag(matrix)[present] / total[present]).mean())


def _divided(over: Floats, under: Floats) -> Floats:
    return np.asarray(np.divide(over, under, out=np.full(len(over), np.nan), where=under > 0.0))


def _constant(column: Floats) -> bool:
    return float(np.ptp(column)) <= 1e-12 * float(np.abs(column).max(initial=0.0))
