"""The unit rule: each decision is held as long as its label, and overlapping holdings share a unit.

Over each bar the position is the mean side of all decisions that are open, so it never exceeds one
unit. `unit_positions` computes it for many bars at once and `UnitPosition` bar by bar, to the same
bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.times import DecidedAt, KnownAt, Times


@dataclass(frozen=True, eq=False)
class Holdings:
    """The bars over which each decision on one symbol is held: entry + 1 through exit.

    Attributes
    ----------
    entry
        (n_rows,) bar at whose close the position is taken.
    exit
        (n_rows,) bar at whose close it is left; nothing is held where it equals `entry`.
    """

    entry: Rows
    exit: Rows


def holdings_of(closed_at: Times, decided_at: DecidedAt, known_at: KnownAt) -> Holdings:
    """Holdings from the first close at or after each decision until its label is known.

    Parameters
    ----------
    closed_at
        (n_bars,) closes of the symbol's bars, rising.
    decided_at
        (n_rows,) when each decision was made.
    known_at
        (n_rows,) when each label is known; NaT holds to the last bar. A position is left with the
        last bar closed by then, as a session's end may be known later than its last bar closes.
    """
    last = len(closed_at) - 1
    entry = np.minimum(np.searchsorted(closed_at, decided_at), last)
    exits = np.searchsorted(closed_at, known_at, side="right") - 1
    exits = np.where(np.isnat(known_at), last, exits)
    return Holdings(entry, np.maximum(exits, entry))


def unit_positions(holdings: Holdings, side: Floats) -> Floats:
    """Position over each bar after the first entry, through the last exit.

    Parameters
    ----------
    holdings
        Of one symbol.
    side
        (n_rows,) in [-1, 1] for each holding.

    Returns
    -------
    (last exit - first entry,)

    >>> both = Holdings(np.array([0, 1]), np.array([3, 2]))  # the second within the first
    >>> unit_positions(both, np.array([1.0, -1.0]))
    array([1., 0., 1.])
    """
    total, count = _open_sum(holdings, side), _open_sum(holdings, np.ones(len(side)))
    return np.where(count > 0, total / np.maximum(count, 1), 0.0)


def _open_sum(holdings: Holdings, amount: Floats) -> Floats:
    """Sum of the amounts that are open over each bar."""
    first, last = holdings.entry.min(), holdings.exit.max()
    entered, exited = (
        np.bincount(bars - first, amount, minlength=last - first + 1)
        for bars in (holdings.entry, holdings.exit)
    )
    return np.asarray(np.cumsum(entered - exited)[:-1])


@dataclass
class UnitPosition:
    """The position in one symbol by the unit rule, updated at each close.

    Attributes
    ----------
    sides
        Side of each open holding by its key (any hashable value), in the order of entry.
    total
        Their sum, accumulated bar by bar.

    >>> position = UnitPosition()
    >>> position.update({"first": 1.0}, []), position.update({"second": -1.0}, [])
    (1.0, 0.0)
    >>> position.update({}, ["second"])
    1.0
    """

    sides: dict[Any, float] = field(default_factory=dict)
    total: float = 0.0

    def update(self, entered: Mapping[Any, float], exited: Iterable[Any]) -> float:
        """The position over the next bar, after these holdings were entered and left at a close.

        A holding that is both entered and left at one close is never held. `KeyError` for one that
        is not open.
        """
        self.sides.update(entered)
        leaving = set(exited)
        added = left = 0.0  # one after the other, which is how the batch adds them
        for side in entered.values():
            added += side
        for key in [key for key in self.sides if key in leaving]:
            left += self.sides.pop(key)
            leaving.remove(key)
        if leaving:
            raise KeyError(f"No open holding has the key {leaving.pop()!r}.")
        self.total += added - left
        return self.total / len(self.sides) if self.sides else 0.0
