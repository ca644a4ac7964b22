"""As it went after such a sign."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError
from barstack.datasets import Inputs

from .._model import EVERY_TASK, register
from ._naive import Naive


@register("naive_sign", family="classical", tasks=EVERY_TASK)
class NaiveSign(Naive):
    """The mean or the quantiles of training labels after such a sign of one feature, scaled.

    Of a past return it is momentum where moves go on, and reversal where they turn.
    """

    states: ClassVar[int] = 3  # below its usual value, at it, above
    feature: int = Field(
        0, ge=0, le=100_000, description="place of the feature among the columns, counted from 0"
    )

    def state(self, inputs: Inputs) -> Floats:
        if self.feature >= inputs.n_features:
            raise ConfigError(
                f"naive_sign looks at feature {self.feature}, counted from 0, and there are "
                f"{inputs.n_features}. Give a lower place."
            )
        return np.sign(inputs.last()[:, self.feature]) + 1.0
