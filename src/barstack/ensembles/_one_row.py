"""A trained ensemble asked for one forecast at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from barstack.core.arrays import Floats
from barstack.datasets import FittedScaler, NewestRow
from barstack.models import OneRow

from ._artifact import TrainedEnsemble


@dataclass(frozen=True, eq=False)
class OneRowEnsemble:
    """Scalers, members and what combines them, without what a whole table needs.

    members  in the ensemble's order
    """

    trained: TrainedEnsemble
    members: dict[str, OneRow]

    @classmethod
    def plain(cls, trained: TrainedEnsemble) -> OneRowEnsemble:
        """By each model's own `predict`, the same to the bit."""
        return cls(trained, {name: OneRow.plain(each) for name, each in trained.members.items()})

    @classmethod
    def fast(cls, trained: TrainedEnsemble) -> OneRowEnsemble:
        """By the quickest form of each member; `FaultError` where one forecasts something else."""
        return cls(trained, {name: OneRow.fast(each) for name, each in trained.members.items()})

    @cached_property
    def scalers(self) -> dict[str, FittedScaler]:
        """Each member's, one and the same where they are equal, as after training on equal rows."""
        found: dict[str, FittedScaler] = {}
        for name, member in self.members.items():
            own = member.fitted.scaler
            found[name] = next((each for each in found.values() if each.same_as(own)), own)
        return found

    def predict(self, table: Floats, symbol: str | None = None) -> dict[str, Floats]:
        """(n_horizons, n_outputs) of the ensemble, then of every member, for the newest row.

        table  (n_rows, n_columns) consecutive rows of features, oldest first, finite, as many as
               `lookback_bars` or more
        symbol  whose rows they are, for models that tell symbols apart
        """
        inputs = self.inputs(table, symbol)
        return self.combined(
            {name: each.predict_newest(inputs[name]) for name, each in self.members.items()}
        )

    def inputs(self, table: Floats, symbol: str | None = None) -> dict[str, NewestRow]:
        """Of each member, the same for those with equal scalers."""
        scalers = set(self.scalers.values())
        each = {scaler: NewestRow.of(table, scaler, symbol) for scaler in scalers}
        return {name: each[scaler] for name, scaler in self.scalers.items()}

    def combined(self, found: Mapping[str, Floats]) -> dict[str, Floats]:
        """The ensemble's forecast before those of its members."""
        stacked = np.array([list(found.values())])
        combined = self.trained.ensemble.predict(stacked, self.trained.target)[0]
        return {self.trained.name: combined} | dict(found)
