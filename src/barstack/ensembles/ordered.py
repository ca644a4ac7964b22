"""Combinations that look at the order of members' forecasts in each row."""

from __future__ import annotations

import json
from abc import abstractmethod
from pathlib import Path

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.forecast import EVERY_TASK
from barstack.core.stored import Stored
from barstack.core.untrusted import read_json

from ._ensemble import Ensemble, register
from ._stacked import Stacked
from ._weighted import summing_to_one

_FILE = "members.json"


class _StoredCount(Stored):
    """What is stored."""

    members: int = Field(ge=1, le=1_000_000)


class Ordered(Ensemble):
    """A weighted sum of the forecasts in rising order, output by output.

    Which member a forecast is from does not matter, and nothing is learned but how many there are.
    Probabilities of three classes are divided by their sum.
    """

    @abstractmethod
    def places(self, n_members: int) -> Floats:
        """(n_members,) weight of the smallest, the second smallest and so on; they sum to one."""

    def fit(self, stacked: Stacked) -> int:
        return len(stacked.members)

    def predict(self, learned: int, stacked: Stacked) -> Floats:
        forecasts = stacked.forecasts
        stacked.check_shape(learned)
        ordered = np.sort(forecasts, axis=1)
        combined = np.einsum("m,nmhk->nhk", self.places(learned), ordered, optimize=False)
        if stacked.target.n_classes == 3:
            combined = summing_to_one(combined)
        return np.asarray(combined)

    def save(self, learned: int, folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps({"members": learned}))

    def load(self, folder: Path) -> int:
        file = folder / _FILE
        return _StoredCount.read(read_json(file), file).members


@register("trimmed_mean", tasks=EVERY_TASK)
class TrimmedMean(Ordered):
    """The mean without the smallest and largest forecasts of each row: robust to a wild member.

    `share` of the members, rounded down, is left out at either end. Stock, Watson (2004);
    Jose, Winkler (2008).

    >>> TrimmedMean(share=0.2).places(5).round(2)
    array([0.  , 0.33, 0.33, 0.33, 0.  ])
    """

    share: float = Field(0.2, ge=0, lt=0.5)  # left out at either end

    def places(self, n_members: int) -> Floats:
        cut = int(self.share * n_members + 1e-9)
        weights = np.zeros(n_members)
        weights[cut : n_members - cut] = 1.0 / (n_members - 2 * cut)
        return weights


@register("median", tasks=EVERY_TASK)
class Median(Ordered):
    """The median of each row: half of the members may go wrong in any way.

    Of an even number of members the mean of the two in the middle.

    >>> Median().places(5), Median().places(4)
    (array([0., 0., 1., 0., 0.]), array([0. , 0.5, 0.5, 0. ]))
    """

    def places(self, n_members: int) -> Floats:
        weights = np.zeros(n_members)
        weights[[(n_members - 1) // 2, n_members // 2]] = 0.5 if n_members % 2 == 0 else 1.0
        return weights
