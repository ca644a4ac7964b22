"""From scores to what each task forecasts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from barstack.core.forecast import Task

from ._model import Values


def _itself(scores: Values) -> Values:
    return scores


def _sigmoid(scores: Values) -> Values:
    return np.asarray(expit(scores))


def _softmax(scores: Values) -> Values:
    """Over the last axis."""
    rest = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(rest / rest.sum(axis=-1, keepdims=True))


LINKS: dict[Task, Callable[[Values], Values]] = {
    "return": _itself,
    "direction": _sigmoid,
    "three_class": _softmax,
    "quantiles": _itself,
}
