"""The loss of each task, by which forecasts of one target are compared row by row."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import Target, Task

LOSSES: dict[Task, str] = {
    "return": "squared error",
    "direction": "log loss",
    "three_class": "log loss",
    "quantiles": "pinball loss",
}
_LEAST = 1e-12  # a probability, so that one certain mistake is no endless loss


def losses(values: Floats, y: Floats, target: Target) -> Floats:
    """(..., n) loss of each forecast: squared error, log loss, or mean pinball loss over levels.

    Parameters
    ----------
    values
        (..., n, n_outputs) forecasts of n rows, of one forecaster or many.
    y
        (n,) labels, all known.

    >>> losses(np.array([[0.25], [0.25]]), np.array([1.0, 0.0]), Target("direction", ("1h",)))
    array([1.38629436, 0.28768207])
    """
    if target.levels:
        over = y[:, None] - values
        tau = np.array(target.levels)
        return np.asarray(np.maximum(tau * over, (tau - 1.0) * over).mean(axis=-1))
    if target.n_classes == 2:
        up = values[..., 0]
        return np.asarray(-np.log(np.maximum(np.where(y > 0.5, up, 1.0 - up), _LEAST)))
    if target.n_classes:
        picked = values[..., np.arange(len(y)), y.astype(np.int64)]
        return np.asarray(-np.log(np.maximum(picked, _LEAST)))
    return np.asarray((y - values[..., 0]) ** 2)
