"""Is the best of many trials better than luck? SPA, and stepwise tests of every single one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats, Ints

from ._resampling import Resampled

_ONE_SIDED = 1.645


@dataclass(frozen=True)
class SuperiorAbility:
    """p-values of the hypothesis that no trial is better than the benchmark. Hansen (2005).

    consistent  the one to use: trials far below the benchmark are left out of the null
    lower       all trials below the benchmark are left out: too small
    upper       none is: White's reality check (2000), cautious where many trials are bad
    """

    lower: float
    consistent: float
    upper: float


def spa(resampled: Resampled, *, studentize: bool = True) -> SuperiorAbility:
    """Hansen's test for superior predictive ability (2005), of the largest t-value of all trials.

    A trial takes part in the consistent null where its t-value is above -sqrt(2 ln ln n).

    Parameters
    ----------
    resampled
        Series of `resample`: the benchmark's loss less the trial's, or returns.
    studentize
        Divide by standard errors, as Hansen recommends; `arch` 8.0 does not.

    >>> from barstack.evaluation.significance import resample
    >>> trials = np.random.default_rng(0).normal(size=(500, 20))
    >>> spa(resample(trials)).consistent > 0.05
    True
    >>> spa(resample(trials + 0.2)).consistent
    0.000999000999000999
    """
    statistic = float(_statistics(resampled, studentize).max())
    null = {
        name: float((_null(resampled, name, studentize).max(axis=1) >= statistic).sum())
        for name in ("lower", "consistent", "upper")
    }
    count = len(resampled.deviations) + 1
    return SuperiorAbility(**{name: (1.0 + over) / count for name, over in null.items()})


def romano_wolf(resampled: Resampled, *, studentize: bool = True) -> Floats:
    """(n_series,) p-value of each trial, such that any below a level is significant though all are.

    The stepdown of Romano and Wolf (2005, 2016): the largest t-value is held against the
    distribution of the largest of all under the null, the next against that of the rest, and so on.
    The chance of even one false discovery stays below the level, however the trials depend on
    each other. A p-value is (1 + exceedances) / (1 + repetitions), never 0.

    >>> rng = np.random.default_rng(0)
    >>> trials = rng.normal(size=(500, 20))
    >>> trials[:, 3] += 0.3
    >>> from barstack.evaluation.significance import resample
    >>> p_values = romano_wolf(resample(trials))
    >>> np.flatnonzero(p_values < 0.05)
    array([3])
    """
    observed = _statistics(resampled, studentize)
    null = _null(resampled, "upper", studentize)
    order = np.argsort(-observed, kind="stable")
    # From the last on, the largest among this one and all whose t-values are smaller.
    largest = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    p_values = (1.0 + (largest >= observed[order]).sum(axis=0)) / (len(null) + 1.0)
    found = np.empty(len(observed))
    found[order] = np.maximum.accumulate(p_values)
    return found


def careful(p_values: Floats, repetitions: int) -> Floats:
    """(n,) p-values with the error of the bootstrap itself on top, for a gate that must hold.

    A thousand resamplings leave a p-value of 5 % uncertain by 0.7 %. This is the upper end of its
    one-sided 95 % interval, p + 1.645 root(p (1 - p) / repetitions), at most 1.

    >>> careful(np.array([0.001, 0.05]), 1000).round(4)
    array([0.0026, 0.0613])
    """
    error = np.sqrt(p_values * (1.0 - p_values) / repetitions)
    return np.asarray(np.minimum(p_values + _ONE_SIDED * error, 1.0))


def step_m(resampled: Resampled, level: float = 0.05, *, studentize: bool = True) -> Ints:
    """Trials better than the benchmark, at a chance of at most `level` of even one false one.

    StepM of Romano and Wolf (2005) with the consistent null of Hansen (2005), as Hsu, Hsu and Kuan
    (2010) propose and `arch` does: rejected trials leave, and the rest is tested again.

    >>> from barstack.evaluation.significance import resample
    >>> trials = np.random.default_rng(0).normal(size=(500, 20))
    >>> trials[:, [3, 7]] += 0.3
    >>> step_m(resample(trials))
    array([3, 7])
    """
    observed = _statistics(resampled, studentize)
    null = _null(resampled, "consistent", studentize)
    left = np.ones(len(observed), dtype=bool)
    while left.any():
        critical = float(np.quantile(null[:, left].max(axis=1), 1.0 - level))
        better = left & (observed > critical)
        if not better.any():
            break
        left &= ~better
    return np.flatnonzero(~left)


def _statistics(resampled: Resampled, studentize: bool) -> Floats:
    return resampled.z_values if studentize else resampled.mean


def _null(resampled: Resampled, kind: str, studentize: bool) -> Floats:
    """(repetitions, n_series) statistics of the resamplings, recentred as each null says."""
    mean, n_times = resampled.mean, resampled.n_times
    if kind == "lower":
        centre = np.maximum(mean, 0.0)
    elif kind == "consistent":
        close = mean >= -resampled.se * math.sqrt(2.0 * math.log(math.log(n_times)))
        centre = np.where(close, mean, 0.0)
    else:
        centre = mean
    if studentize:
        return resampled.against(centre)
    return np.asarray(resampled.deviations + (mean - centre))
