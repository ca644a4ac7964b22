"""Only the members that forecast the direction well enough."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.errors import ArtifactError
from barstack.core.forecast import EVERY_TASK
from barstack.core.stored import Number, Stored
from barstack.core.untrusted import read_json

from ._ensemble import Ensemble, register
from ._losses import constant_forecast, directional_accuracies
from ._stacked import Stacked
from ._weighted import weighted_sum

_FILE = "selected.json"


class _StoredSelection(Stored):
    """What is stored: which members are kept at each horizon, and what is forecast without any."""

    kept: list[list[bool]] = Field(min_length=1)
    constant: list[list[Number]]


@dataclass(frozen=True, eq=False)
class Selection:
    """Members that passed, and the forecast where none did.

    kept      (n_horizons, n_members)
    constant  (n_horizons, n_outputs)
    """

    kept: Floats
    constant: Floats

    @property
    def weights(self) -> Floats:
        """(n_horizons, n_members) equal for those kept, else zero."""
        count = self.kept.sum(axis=1, keepdims=True)
        return np.asarray(self.kept / np.maximum(count, 1.0))


@register("selective", tasks=EVERY_TASK)
class Selective(Ensemble):
    """The mean of the members whose directional accuracy reached a threshold, out of fold.

    Each horizon selects its own members. The accuracy is the share of moves whose sign was
    forecast; a forecast of no direction counts half.

    Where none passes, `otherwise` says what is forecast. `nothing`, the default: a return of zero,
    classes by their shares, quantiles of past returns; no member has earned its say, and to
    average them all the same would hide that. `average`: all members alike.

    At 1,000 decisions an accuracy has a standard error of 1.6 %, so 52 % keeps one worthless
    member in ten. Selection before averaging: Aiolfi, Timmermann (2006).

    >>> from barstack.testing import small_stacked
    >>> ensemble = Selective(threshold=0.6)
    >>> ensemble.weights(ensemble.fit(small_stacked("return")))[0].round(2)
    array([0.33, 0.33, 0.33, 0.  ])
    """

    threshold: float = Field(0.52, ge=0, le=1)
    otherwise: Literal["nothing", "average"] = "nothing"

    def fit(self, stacked: Stacked) -> Selection:
        kept = directional_accuracies(stacked) >= self.threshold
        if self.otherwise == "average":
            kept |= ~kept.any(axis=1, keepdims=True)
        return Selection(kept.astype(float), constant_forecast(stacked))

    def predict(self, learned: Selection, stacked: Stacked) -> Floats:
        combined = weighted_sum(learned.weights, stacked.forecasts)
        some = learned.kept.max(axis=1, keepdims=True) > 0.0
        return np.where(some, combined, learned.constant)

    def weights(self, learned: Selection) -> Floats:
        return learned.weights

    def save(self, learned: Selection, folder: Path) -> None:
        kept = (learned.kept > 0.0).tolist()
        content = {"kept": kept, "constant": learned.constant.tolist()}
        (folder / _FILE).write_text(json.dumps(content))

    def load(self, folder: Path) -> Selection:
        file = folder / _FILE
        stored = _StoredSelection.read(read_json(file), file)
        shapes = ({len(each) for each in rows} for rows in (stored.kept, stored.constant))
        if len(stored.kept) != len(stored.constant) or any(len(each) != 1 for each in shapes):
            raise ArtifactError(f"{file} does not hold as many numbers at each horizon.")
        return Selection(np.array(stored.kept, float), np.array(stored.constant, float))
