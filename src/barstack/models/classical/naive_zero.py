"""Nothing is forecast."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import Target
from barstack.datasets import Samples

from .._model import register
from ._naive import Naive


@register("naive_zero", family="classical", tasks=("return", "direction", "three_class"))
class NaiveZero(Naive):
    """No change, or every class alike."""

    states: ClassVar[int] = 1
    exempt: ClassVar[dict[str, str]] = {
        "check_learns_a_plain_signal": "it says the same of every row",
        "check_weights_count": "it learns nothing",
        "labels that never differ": "it learns nothing",
    }

    def means(self, train: Samples, target: Target) -> Floats:
        share = {"return": 0.0, "direction": 0.5, "three_class": 1 / 3}[target.task]
        return np.full((1, len(target.horizons), len(target.outputs)), share)
