"""The columns that features of bars give, bar by bar or block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit

from barstack.bars import BAR, aggregate, check_higher, no_bar_forming
from barstack.core.times import parse_duration

from ._view import NO_MARKET, REAL, WHOLE, nothing_seen, view

if TYPE_CHECKING:
    from ._feature_set import Feature

Floats = npt.NDArray[np.float64]

# Bars fed to one kernel before the next: what they see stays in the processor's cache.
_BLOCK_BARS = 1000


class BarStream:
    """Features of the bars of one symbol."""

    def __init__(
        self, features: Sequence[Feature], bar_length_us: int, only: Sequence[int] | None = None
    ) -> None:
        """only  columns to fill; all by default"""
        by_timeframe: dict[str | None, dict[int, Feature]] = {}
        for column in range(len(features)) if only is None else only:
            by_timeframe.setdefault(features[column].timeframe, {})[column] = features[column]
        self._timeframes = [
            _Timeframe(timeframe, own, bar_length_us) for timeframe, own in by_timeframe.items()
        ]

    def update_into(self, out: Floats, records: npt.NDArray[Any], market: Floats) -> None:
        """Write the features after each of the next bars.

        out      (n_bars, at least n_features), which may be part of another array
        records  (n_bars,) of dtype `BAR`, later than all given before
        market   (n_bars, 4) as `Market` has it, or `NO_MARKET`
        """
        for start in range(0, len(records), _BLOCK_BARS):
            block = slice(start, min(start + _BLOCK_BARS, len(records)))
            for timeframe in self._timeframes:
                timeframe.update(records[block], market[block], out[block])

    def use_memory(self, place: int, memory: Floats) -> None:
        """Keep the state of the own timeframe's feature number `place` there: zeros so far."""
        self._timeframes[0].states[place] = memory

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that changes from bar to bar."""
        return {
            f"{place}_{name}": array
            for place, timeframe in enumerate(self._timeframes)
            for name, array in timeframe.arrays().items()
        }


class _Timeframe:
    """The columns that look at bars of one length: the stream's own, or longer ones."""

    def __init__(
        self, timeframe: str | None, features: dict[int, Feature], bar_length_us: int
    ) -> None:
        own = features.values()
        self._columns = np.array(list(features))
        self._kernels = [(each.kernel.loop, each.values) for each in own]
        self.states = [np.zeros(each.kernel.memory_for(each.values)) for each in own]
        self._last = nothing_seen()
        # Of longer bars a block may close one more than it has bars: the one that was forming.
        self._whole = np.zeros((len(WHOLE), _BLOCK_BARS + 1), np.int64)
        self._real = np.zeros((len(REAL), _BLOCK_BARS + 1))
        self._latest = np.full(len(features), np.nan)  # values after the newest longer bar
        self._forming = no_bar_forming()
        self._length_us = 0
        if timeframe is not None:
            self._length_us = parse_duration(timeframe)
            check_higher(bar_length_us, self._length_us)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that changes from bar to bar."""
        states = {f"state_{place}": state for place, state in enumerate(self.states)}
        held = {"last": self._last, "latest": self._latest, "forming": self._forming}
        return states | held

    def update(self, records: npt.NDArray[Any], market: Floats, out: Floats) -> None:
        """Write this timeframe's columns of `out`, (n_bars, all columns)."""
        if not self._length_us:
            _put(self._values(records, market), self._columns, out)
            return
        # Step on the longer bars that close in this block; between them, repeat the latest.
        closed = np.zeros(2 * len(records), BAR)
        known_at_row = np.empty(2 * len(records), np.int64)
        count = aggregate(self._forming, records, self._length_us, closed, known_at_row)
        values = np.column_stack([self._latest, self._values(closed[:count])])
        newest = np.searchsorted(known_at_row[:count], np.arange(len(records)), side="right")
        self._latest[:] = values[:, -1]
        _put(values[:, newest], self._columns, out)

    def _values(self, records: npt.NDArray[Any], market: Floats = NO_MARKET) -> Floats:
        view(self._last, records, market, self._whole, self._real)
        values = np.empty((len(self._kernels), len(records)))
        for place, (loop, parameters) in enumerate(self._kernels):
            loop(self.states[place], self._whole, self._real, values[place], *parameters)
        return values


@njit(cache=True, nogil=True)
def _put(values: Any, columns: Any, out: Any) -> None:
    """`out[:, columns] = values.T`, while both are in the processor's cache."""
    for row in range(values.shape[1]):
        for place in range(len(columns)):
            out[row, columns[place]] = values[place, row]
