"""Features bar by bar. History is the same stream fed in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from barstack.bars import BAR
from barstack.core.arrays import Array, Floats
from barstack.core.errors import DataError
from barstack.core.times import ClosedAt, decide_at_close, format_duration, iso

from ._bar_stream import BarStream
from ._series_stream import SeriesStream
from ._view import NO_MARKET

if TYPE_CHECKING:
    from ._feature_set import FeatureSet


class FeatureStream:
    """All features of one symbol: those of its bars, then the columns of series."""

    def __init__(self, features: FeatureSet, bar_length_us: int, series: SeriesStream) -> None:
        self.columns = features.columns
        self._features = features
        self._length_us = bar_length_us
        self._n_of_bars = len(features.features)
        self._bars = BarStream(features.features, bar_length_us)
        self._series = series

    def update(self, records: Array, market: Floats = NO_MARKET) -> Floats:
        """Features after each of the next bars.

        records  (n_bars,) of dtype `BAR`, later than all given before
        market   (n_bars, 4) what the other symbols do, as `Market` says
        returns  (n_bars, n_columns)

        Raises `DataError` for a bar that is not newer than the one before.
        """
        self.check_later(records)
        out = np.empty((len(records), len(self.columns)))
        self._bars.update_into(out, records, market)
        fill_series(out[:, self._n_of_bars :], self._series, records)
        return out

    def check_later(self, records: Array) -> None:
        """`DataError` unless these are bars, each newer than the one before."""
        dtype = getattr(records, "dtype", None)
        if (dtype is not BAR and dtype != BAR) or np.ndim(records) != 1:
            raise DataError(
                "A stream takes an array of bars such as bars.records, or bars.records[-1:] for "
                f"one of them, got a {type(records).__name__}."
            )
        closed_at, newest = records["closed_at"], self._series.decided_at.astype(np.int64)
        if len(records) == 1 and closed_at[0] > newest:  # a live bar is not to wait for the rest
            return
        before = np.concatenate([[newest], closed_at[:-1]])
        late = closed_at <= before
        if late.any():
            row = int(np.argmax(late))
            now, last = (iso(np.datetime64(int(each[row]), "us")) for each in (closed_at, before))
            raise DataError(
                f"A bar closed at {now} came after one closed at {last}. Give bars in time order, "
                "each once."
            )

    def know(self, name: str, row: Mapping[str, Any]) -> None:
        """One more row of a series, seen by decisions from its `known_at` on.

        row  as in the series' table: known_at, symbol where rows are about one, and the numbers
        """
        self._series.know(name, row)

    def snapshot(self) -> dict[str, Array]:
        """Copies of all state, as plain arrays; `restore` continues from them to the same bits."""
        held = {name: array.copy() for name, array in self._bars.arrays().items()}
        return held | self._series.snapshot() | {"made_of": self._made_of()}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Take over the state of `snapshot`, of a stream of the same features.

        Raises `DataError`, and stays as it was, for the state of others.
        """
        self.check_snapshot(arrays)
        for name, array in self._bars.arrays().items():
            array[:] = arrays[name]
        self._series.restore(arrays)

    def check_snapshot(self, arrays: Mapping[str, Array]) -> None:
        """`DataError` unless a snapshot is whole and of the same features of bars as long."""
        lacking = self.snapshot().keys() - arrays.keys()
        if lacking:
            raise DataError(
                f"This snapshot has no {sorted(lacking)[0]!r}. Take one with snapshot() of this "
                "version, or start afresh from history."
            )
        for theirs, ours in zip_longest(arrays["made_of"], self._made_of(), fillvalue="nothing"):
            if theirs != ours:
                raise DataError(
                    f"This snapshot is of {theirs} where this stream has {ours}. Restore it into a "
                    "stream of its own features and bars, or start afresh from history."
                )

    def _made_of(self) -> npt.NDArray[np.str_]:
        """What the state belongs to: length of bars, then each feature and series by name and id,
        as an edited formula keeps its name and not its meaning."""
        features = [f"{each.name} (id {each.id})" for each in self._features.features]
        series = [f"{name} (id {each.id})" for name, each in self._features.series.items()]
        return np.array([f"{format_duration(self._length_us)} bars", *features, *series])


def fill_series(out: Floats, series: SeriesStream, records: Array) -> None:
    """Write the columns of series, (n_bars, their number), for the decisions at each close."""
    closed_at = np.ascontiguousarray(records["closed_at"]).view("datetime64[us]")
    start = 0
    for block in series.update(decide_at_close(ClosedAt(closed_at))):
        out[:, start : start + block.shape[1]] = block
        start += block.shape[1]
