"""Equal weights."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import EVERY_TASK

from ._ensemble import register
from ._stacked import Stacked
from ._weighted import Weighted


@register("average", tasks=EVERY_TASK)
class Average(Weighted):
    """All members alike: the forecast combination that is hardest to beat.

    >>> from barstack.testing import small_stacked
    >>> Average().fit(small_stacked("return"))[0]
    array([0.25, 0.25, 0.25, 0.25])
    """

    def fit(self, stacked: Stacked) -> Floats:
        n_members = len(stacked.members)
        return np.full((len(stacked.target.horizons), n_members), 1.0 / n_members)
