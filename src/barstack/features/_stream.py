"""Features bar by bar. History is the same stream fed in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from barstack.core.times import ClosedAt, decide_at_close

from ._bar_stream import BarStream
from ._series_stream import SeriesStream
from ._view import NO_MARKET

if TYPE_CHECKING:
    from ._feature_set import FeatureSet

Floats = npt.NDArray[np.float64]


class FeatureStream:
    """All features of one symbol: those of its bars, then the columns of series."""

    def __init__(self, features: FeatureSet, bar_length_us: int, series: SeriesStream) -> None:
        self.columns = features.columns
        self._n_of_bars = len(features.features)
        self._bars = BarStream(features.features, bar_length_us)
        self._series = series

    def update(self, records: npt.NDArray[Any], market: Floats = NO_MARKET) -> Floats:
        """Features after each of the next bars.

        records  (n_bars,) of dtype `BAR`, later than all given before
        market   (n_bars, 4) what the other symbols do, as `Market` says
        returns  (n_bars, n_columns)
        """
        out = np.empty((len(records), len(self.columns)))
        self._bars.update_into(out, records, market)
        fill_series(out[:, self._n_of_bars :], self._series, records)
        return out

    def know(self, name: str, row: Mapping[str, Any]) -> None:
        """One more row of a series, seen by decisions from its `known_at` on.

        row  as in the series' table: known_at, symbol where rows are about one, and the numbers
        """
        self._series.know(name, row)

    def snapshot(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of all state, as plain arrays; `restore` continues from them to the same bits."""
        held = {name: array.copy() for name, array in self._bars.arrays().items()}
        return held | self._series.snapshot()

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over the state of `snapshot`, of a stream of the same features."""
        for name, array in self._bars.arrays().items():
            array[:] = arrays[name]
        self._series.restore(arrays)


def fill_series(out: Floats, series: SeriesStream, records: npt.NDArray[Any]) -> None:
    """Write the columns of series, (n_bars, their number), for the decisions at each close."""
    closed_at = np.ascontiguousarray(records["closed_at"]).view("datetime64[us]")
    start = 0
    for block in series.update(decide_at_close(ClosedAt(closed_at))):
        out[:, start : start + block.shape[1]] = block
        start += block.shape[1]
