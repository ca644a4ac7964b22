"""From raw scores to what each task forecasts, and weighted quantiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy

from barstack.core.arrays import Floats
from barstack.core.forecast import Task


def _identity(scores: Floats) -> Floats:
    return scores


def _sigmoid(scores: Floats) -> Floats:
    return np.asarray(scipy.special.expit(scores))


def _softmax(scores: Floats) -> Floats:
    """Over the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


LINKS: dict[Task, Callable[[Floats], Floats]] = {
    "return": _identity,
    "direction": _sigmoid,
    "three_class": _softmax,
    "quantiles": _identity,
}


def weighted_quantiles(y: Floats, weight: Floats, levels: tuple[float, ...]) -> Floats:
    """(..., n_levels) the smallest label at or below which that share of the weight lies.

    It minimises the pinball loss over constants: Koenker, Bassett (1978).

    Parameters
    ----------
    y, weight : (..., n_labels)
        Labels in any order; each row must have some positive weight.
    levels : tuple of float
        Shares between 0 and 1.

    >>> weighted_quantiles(np.array([3.0, 1.0, 2.0]), np.array([2.0, 1.0, 1.0]), (0.25, 0.5, 0.9))
    array([1., 2., 3.])
    """
    order = np.argsort(y, axis=-1, kind="stable")
    below = np.cumsum(np.take_along_axis(weight, order, axis=-1), axis=-1)
    share = below / below[..., -1:]
    # A share that rounding leaves just below its level has reached it.
    places = np.stack([(share < level - 1e-12).sum(axis=-1) for level in levels], axis=-1)
    return np.take_along_axis(np.take_along_axis(y, order, axis=-1), places, axis=-1)
