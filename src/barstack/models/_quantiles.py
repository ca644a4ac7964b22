"""Quantiles of labels that count more or less."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats


def weighted_quantiles(y: Floats, weight: Floats, levels: tuple[float, ...]) -> Floats:
    """(..., n_levels) the least label that so large a share of the weight lies at or below.

    y, weight  (..., n_labels), labels in any order; some of each row must weigh more than nothing

    No other constant has a smaller pinball loss over the same labels: Koenker, Bassett (1978).

    >>> weighted_quantiles(np.array([3.0, 1.0, 2.0]), np.array([2.0, 1.0, 1.0]), (0.25, 0.5, 0.9))
    array([1., 2., 3.])
    """
    order = np.argsort(y, axis=-1, kind="stable")
    below = np.cumsum(np.take_along_axis(weight, order, axis=-1), axis=-1)
    share = below / below[..., -1:]
    # A share that rounding leaves a hair below its level has reached it.
    places = np.stack([(share < level - 1e-12).sum(axis=-1) for level in levels], axis=-1)
    return np.take_along_axis(np.take_along_axis(y, order, axis=-1), places, axis=-1)
