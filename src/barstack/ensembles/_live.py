"""A trained ensemble along the rows of one symbol, as they come."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats

from ._one_row import OneRowEnsemble


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

    def forecast(self) -> dict[str, Floats] | None:
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
        return self._one_row.combined(found)
