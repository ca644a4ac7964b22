"""Weights in proportion to what members have shown, out of fold."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.forecast import EVERY_TASK

from ._ensemble import register
from ._losses import (
    constant_losses,
    correlations,
    directional_accuracies,
    mean_losses,
)
from ._stacked import Stacked
from ._weighted import Weighted, shares


@register("performance_weighted", tasks=EVERY_TASK)
class PerformanceWeighted(Weighted):
    """Weights in proportion to skill, of which no member has less than none.

    w = max(skill, 0) ^ power, divided by its sum. The skill is, by `measure`,

    - `skill`: 1 - mean loss / mean loss of the forecast that needs no member (returns: zero;
      classes: their shares; quantiles: those of past returns). Losses are squared errors, Brier
      scores and pinball losses.
    - `ic`: the correlation of signal and return.
    - `directional_accuracy`: its excess over one half.

    Where no member has skill the rows do not tell members apart, and all weigh alike. Weights by
    past losses: Bates, Granger (1969); Stock, Watson (2004).

    >>> from barstack.testing import small_stacked
    >>> PerformanceWeighted().fit(small_stacked("return"))[0].round(2)
    array([0.61, 0.34, 0.05, 0.  ])
    """

    measure: Literal["skill", "ic", "directional_accuracy"] = "skill"
    power: float = Field(1.0, gt=0, le=100)  # larger trusts the best members more

    def fit(self, stacked: Stacked) -> Floats:
        skill = np.maximum(self._skill(stacked), 0.0)
        largest = skill.max(axis=1, keepdims=True)
        return shares((skill / np.where(largest > 0.0, largest, 1.0)) ** self.power)

    def _skill(self, stacked: Stacked) -> Floats:
        """(n_horizons, n_members)"""
        if self.measure == "ic":
            return correlations(stacked)
        if self.measure == "directional_accuracy":
            return directional_accuracies(stacked) - 0.5
        baseline = constant_losses(stacked)[:, None]
        return np.asarray(baseline - mean_losses(stacked))  # dividing by it changes no weight
