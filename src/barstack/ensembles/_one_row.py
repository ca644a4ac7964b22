"""A trained ensemble asked for one forecast at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.models import OneRow

from ._artifact import TrainedEnsemble
from ._ensemble import Values


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

    def predict(self, table: Values) -> dict[str, Values]:
        """(n_horizons, n_outputs) of the ensemble, then of every member, for the newest row.

        table  (n_rows, n_columns) consecutive rows of features, oldest first, finite, as many as
               `lookback_bars` or more
        """
        found = {name: member.predict(table) for name, member in self.members.items()}
        stacked = np.stack(list(found.values()))[None]
        combined = self.trained.ensemble.predict(stacked, self.trained.target)[0]
        return {self.trained.name: combined} | found
