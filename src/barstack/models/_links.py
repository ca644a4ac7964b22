"""From scores to what each task forecasts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from barstack.core.arrays import Floats
from barstack.core.forecast import Task


def _itself(scores: Floats) -> Floats:
    return scores


def _sigmoid(scores: Floats) -> Floats:
    return np.asarray(expit(scores))


def _softmax(scores: Floats) -> Floats:
    """Over the last axis."""
    rest = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(rest / rest.sum(axis=-1, keepdims=True))


LINKS: dict[Task, Callable[[Floats], Floats]] = {
    "return": _itself,
    "direction": _sigmoid,
    "three_class": _softmax,
    "quantiles": _itself,
}
