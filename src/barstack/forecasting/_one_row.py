"""A trained ensemble that makes one forecast at a time, from the newest rows of features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.times import DecidedAt
from barstack.datasets import FittedScaler, NewestRow
from barstack.ensembles import Stacked
from barstack.models import OneRow

from ._artifact import TrainedEnsemble

_FIRST = np.zeros(1, np.int32)
_NO_TIME = DecidedAt(np.array(["NaT"], "datetime64[us]"))


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

    def predict(
        self, table: Floats, symbol: str | None = None, decided_at: DecidedAt = _NO_TIME
    ) -> dict[str, Floats]:
        """(n_horizons, n_outputs) of the ensemble, then of every member, for the newest row.

        table  (n_rows, n_columns) consecutive rows of features, oldest first, finite, as many as
               `lookback_bars` or more
        symbol  whose rows they are, for models that tell symbols apart
        decided_at  (1,) of the newest row
        """
        inputs = self.inputs(table, symbol)
        found = {name: each.predict_newest(inputs[name]) for name, each in self.members.items()}
        return self.combined(found, self.stacked(found, table, symbol, decided_at))

    def inputs(self, table: Floats, symbol: str | None = None) -> dict[str, NewestRow]:
        """Of each member, the same for those with equal scalers."""
        scalers = set(self.scalers.values())
        each = {scaler: NewestRow.of(table, scaler, symbol) for scaler in scalers}
        return {name: each[scaler] for name, scaler in self.scalers.items()}

    def stacked(
        self, found: Mapping[str, Floats], table: Floats, symbol: str | None, decided_at: DecidedAt
    ) -> Stacked:
        """Members' forecasts of the newest row, as the ensemble takes them."""
        return Stacked(
            self.trained.ensemble.members,
            Decisions((symbol or "",), _FIRST, decided_at),
            self.trained.target,
            np.array([list(found.values())]),
            context={"features": table[-1:]},
        )

    def combined(self, found: Mapping[str, Floats], stacked: Stacked) -> dict[str, Floats]:
        """The ensemble's forecast before those of its members."""
        return {self.trained.name: self.trained.ensemble.predict(stacked)[0]} | dict(found)


class LiveEnsemble:
    """Keeps the newest rows, and a state for each member that carries one.

    States are brought up to the rows when a forecast is asked for, and are made of no other rows
    than those kept: who has the rows can make the states again.
    """

    def __init__(self, one_row: OneRowEnsemble, symbol: str | None = None) -> None:
        self._one_row, self._symbol = one_row, symbol
        self._keep = one_row.trained.lookback_bars
        # Twice as long as needed, so that the newest lie side by side and move only now and then.
        self._buffer = np.empty((2 * self._keep, len(one_row.trained.features.columns)))
        self._end = 0
        self._usable = 0  # newest rows without a gap or an incomplete row among them
        self._ahead = 0  # newest rows that the states have not seen
        self._states = {
            name: each.begin() for name, each in one_row.members.items() if each.begin is not None
        }

    @property
    def rows(self) -> Floats:
        """(n, n_columns) the newest rows, as many as one forecast needs."""
        return self._buffer[max(self._end - self._keep, 0) : self._end].copy()

    @property
    def usable(self) -> int:
        """How many of the newest rows have no gap and no incomplete row among them."""
        return self._usable

    def reset(self) -> None:
        """What comes next does not follow what came before: a gap lies between."""
        self._usable = 0

    def take(self, rows: Floats) -> None:
        """(n, n_columns) consecutive rows, oldest first; an incomplete one resets."""
        finite = np.isfinite(rows)
        if finite.all():
            self._usable += len(rows)
        else:
            last_incomplete = np.flatnonzero(~finite.all(axis=1))[-1]
            self._usable = len(rows) - 1 - int(last_incomplete)
        self._ahead += len(rows)
        rows = rows[-self._keep :]
        if self._end + len(rows) > len(self._buffer):
            left = self._keep - len(rows)
            self._buffer[:left] = self._buffer[self._end - left : self._end]
            self._end = left
        self._buffer[self._end : self._end + len(rows)] = rows
        self._end += len(rows)

    def update(self, row: Floats) -> dict[str, Floats] | None:
        """(n_columns,) -> `forecast` after one more row."""
        self.take(row[None])
        return self.forecast()

    def forecast(self, decided_at: DecidedAt = _NO_TIME) -> dict[str, Floats] | None:
        """As `OneRowEnsemble.predict`; None until enough rows have come since the last reset."""
        if self._usable < self._keep:
            return None
        table = self._buffer[self._end - self._keep : self._end]
        # After as many rows as are kept nothing is left in a state of what came before them. So
        # with none ahead, asked twice, all of them pass by again and leave the state as it was.
        ahead, self._ahead = min(self._ahead, self._keep), 0
        inputs = self._one_row.inputs(table, self._symbol)
        found = {}
        for name, member in self._one_row.members.items():
            own = inputs[name]
            if name not in self._states:
                found[name] = member.predict_newest(own)
                continue
            rows = own.last() if ahead == 1 else own.scaler.apply(table[-ahead:])
            found[name] = member.advance(self._states[name], rows)
        stacked = self._one_row.stacked(found, table, self._symbol, decided_at)
        return self._one_row.combined(found, stacked)
