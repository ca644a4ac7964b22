"""The model confidence set: which of many models may be the best."""

from __future__ import annotations

from typing import Literal

import numpy as np

from barstack.core.arrays import Floats

from ._resampling import Resampled


def confidence_set(resampled: Resampled, *, statistic: Literal["max", "range"] = "max") -> Floats:
    """(n_models,) p-value of each model: the set at a level holds all models above that level.

    Hansen, Lunde and Nason (2011). Step by step the worst model leaves, and the p-value of a step
    is the chance of so large a difference were all that are left equally good; a model's p-value is
    the largest of the steps up to its own. The last one has 1.

    Parameters
    ----------
    resampled
        Of losses; of returns `resampled.flipped()`. Large is bad.
    statistic
        "max" compares each model with the average of the set, "range" the two that differ most
        over their standard error. The time of "max" grows with n_models², that of "range" with
        n_models³: it is for some dozens.

    >>> rng = np.random.default_rng(0)
    >>> losses = rng.normal(size=(500, 4)) ** 2 + np.array([0.0, 0.0, 0.5, 1.0])
    >>> from barstack.evaluation.significance import resample
    >>> confidence_set(resample(losses)).round(2) > 0.05
    array([ True,  True, False, False])
    """
    from ._kernels import eliminate_by_max, eliminate_by_range  # noqa: PLC0415 (numba)

    n_models = resampled.deviations.shape[1]
    gram = resampled.deviations.T @ resampled.deviations / len(resampled.deviations)
    order, p_values = np.empty(n_models, np.int64), np.empty(n_models)
    eliminate = eliminate_by_max if statistic == "max" else eliminate_by_range
    eliminate(resampled.mean, resampled.deviations, gram, order, p_values)
    found = np.empty(n_models)
    found[order] = np.maximum.accumulate(p_values)
    return found
