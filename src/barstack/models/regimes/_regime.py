"""What all detectors of regimes share: their features, and from states to named regimes."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.forecast import REGIMES, Target, Task
from barstack.datasets import Inputs
from barstack.features import Feature, FeatureSet

from .._arrays import check_width, require
from .._model import Model

TASKS: tuple[Task, ...] = ("regime",)


class RegimeDetector(Model):
    """A model that says in which regime the market is, by a probability for each of `REGIMES`.

    It learns without labels, on a table of its own features: `feature_set.compute(panel)` with
    `barstack.labels.regime_labels(table.decisions)`. All rows count alike, whatever weights they
    have. Write `features`, `fit`, `states`, `names`, `save` and `load`.

    What it says of a row follows from the latest `lookback_bars` rows alone, so that no later bar
    changes it, and a stream says what history does, to the bit.
    """

    concurrent: ClassVar[bool] = True
    exempt: ClassVar[dict[str, str]] = {
        "check_learns_a_plain_signal": "it forecasts regimes, not returns",
        "check_weights_count": "it learns from features alone, all rows alike",
        "labels that never differ": "it learns from features alone",
    }

    @property
    @abstractmethod
    def features(self) -> tuple[Feature, ...]:
        """The features that it looks at, in the order of its columns."""

    @cached_property
    def feature_set(self) -> FeatureSet:
        """The same as a set, which computes tables and makes streams."""
        return FeatureSet(features=self.features)

    @abstractmethod
    def states(self, learned: Any, inputs: Inputs) -> Floats:
        """(n_rows, n_states) probability of each hidden state, given the rows up to each."""

    @abstractmethod
    def names(self, learned: Any) -> Rows:
        """(n_states,) place in `REGIMES` of what each state is called; no two are called alike."""

    def predict(self, learned: Any, inputs: Inputs, target: Target) -> Floats:
        check_width(len(self.feature_set.features), inputs.table)
        found = np.zeros((len(inputs), 1, len(REGIMES)))
        found[:, 0, self.names(learned)] = self.states(learned, inputs)
        return found


def windows_of(inputs: Inputs, lookback: int) -> tuple[Floats, Rows]:
    """The table, and the rows in it; of one row the rows up to it alone, as a stream has more."""
    if len(inputs.rows) != 1:
        return inputs.table, inputs.rows
    last = int(inputs.rows[0])
    return inputs.table[last - lookback + 1 : last + 1], np.array([lookback - 1])


def require_names(file: Path, names: Rows) -> None:
    """`ArtifactError` unless they are places in `REGIMES`, in rising order."""
    inside = names[0] >= 0 and names[-1] < len(REGIMES)
    require(file, inside and (np.diff(names) > 0).all(), "a state has no name of its own")
