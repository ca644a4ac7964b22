"""What labels of a holding share: nights or none, and how many bars a horizon has taken so far."""

from __future__ import annotations

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.arrays import Floats, Ints
from barstack.core.errors import DataError
from barstack.core.horizon import Horizon
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.times import NEVER, DecidedAt, KnownAt

from ._horizons import leave
from ._label import Label


class HoldingLabel(Label):
    """A label of what is held from the decision until the horizon at the latest.

    Where `overnight` is false a holding ends with its session at the latest, and the decision at
    a session's last bar has no label.
    """

    overnight: bool = True

    def bound(self, bars: Bars, horizon: Horizon) -> tuple[Ints, KnownAt]:
        """As `leave` has it: where each decision is left at the latest, and when it is known."""
        exit_row, known_at = leave(bars, horizon, overnight=self.overnight)
        if not (self.overnight or (exit_row > np.arange(len(bars))).any()):
            raise DataError(
                f"overnight: false leaves nothing to hold of {bars!r}: each bar is the last of its "
                "session. Leave overnight out, or take shorter bars."
            )
        return exit_row, known_at

    def latest_known_at(self, bars: Bars | Panel) -> KnownAt:
        parts = []
        for each in as_panel(bars).values():
            columns = []
            for horizon in self.horizons:
                exit_row, known_at = self.bound(each, horizon)
                columns.append(np.where(exit_row > np.arange(len(each)), known_at, NEVER))
            parts.append(np.column_stack(columns))
        return KnownAt(np.concatenate(parts))


def bars_taken(bars: Bars, exit_row: Ints, known_at: KnownAt) -> Floats:
    """(n_bars,) how many bars the horizon has taken on average, of holdings known by each decision.

    NaN before the first is known. Of a horizon in bars that spans nights it is that number.

    >>> from barstack.testing import walk
    >>> bars = walk(bars=5)
    >>> bars_taken(bars, *leave(bars, Horizon.parse("1h")))
    array([nan, nan,  2.,  2.,  2.])
    """
    rows = np.arange(len(bars))
    held = (exit_row > rows) & ~np.isnat(known_at)
    decided_at: DecidedAt = AT_EACH_CLOSE.decided_at(bars.closed_at)
    done = np.searchsorted(known_at[held], decided_at, side="right")
    total = np.concatenate([[0], np.cumsum(exit_row[held] - rows[held])])[done]
    taken = np.full(len(bars), np.nan)
    np.divide(total, done, out=taken, where=done > 0)
    return taken
