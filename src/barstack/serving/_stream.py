"""One symbol, bar by bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.core.errors import DataError
from barstack.core.forecast import Forecast
from barstack.core.times import decide_at_close
from barstack.ensembles import OneRowEnsemble

from ._latest import Latest
from ._live_bars import check_as_study, check_length, one_bar, outside


class Stream:
    """One symbol, bar by bar: the features of history to the bit."""

    def __init__(
        self, one_row: OneRowEnsemble, symbol: str, series: Mapping[str, Any] | None = None
    ) -> None:
        self.trained = trained = one_row.trained
        self.symbol = symbol
        self._stream = trained.features.stream(trained.bars["length_us"], symbol, series)
        self._latest = Latest(one_row, symbol)

    @property
    def features(self) -> Floats:
        """(n, n_columns) the newest rows, as many as one forecast needs."""
        return self._latest.features

    def warm_up(self, bars: Bars) -> None:
        """Pass by bars without forecasting."""
        if bars.symbol != self.symbol:
            raise DataError(f"This stream is of {self.symbol}, the bars are of {bars.symbol}.")
        check_length({self.symbol: bars}, self.trained.bars["length_us"])
        check_as_study({self.symbol: bars}, self.trained)
        self._latest.check_grid(bars)
        self._take(bars)

    def know(self, series: str, row: Mapping[str, Any]) -> None:
        """One more row of a series, now that it is known; the next `update` may use it.

        row  as in the table the study read: known_at, symbol where rows are about one, numbers

        A bar's decision sees it if it was known by the bar's close. Raises `DataError` for a row
        that says it was known at or before the close of a bar already given: its decision was
        made without it. Rows about other symbols are passed by.
        """
        self._stream.know(series, row)

    def update(self, bar: Bars | Mapping[str, Any]) -> Forecast | None:
        """The ensemble's forecast after one more bar.

        bar  `Bars` of length one, or a mapping with timestamp (stamped as in training), open,
             high, low, close and volume

        None while features warm up, where a series says nothing, for bars that closed before
        training ended, and for bars outside the sessions it was trained on, which are passed by
        as they were in training; `why` then says which. Raises `DataError` for a bar that is not
        valid, not newer than the last, of another symbol, or off the grid of those before.
        """
        bars = one_bar(bar, self.symbol, self.trained.bars)
        if bars is None:
            self._latest.why = outside(self.symbol, self.trained.bars)
            return None
        self._latest.check_newer(bars)
        self._latest.check_one(bars)
        self._take(bars)
        return self._latest.forecast()

    @property
    def why(self) -> str | None:
        """Why the newest bar has no forecast; None when it has one."""
        return self._latest.why

    @property
    def verdict(self) -> str:
        """The word of its study's verdict: whether an edge is supported, unproven or none."""
        return self.trained.verdict

    def _take(self, bars: Bars) -> None:
        if not len(bars):
            return
        self._latest.check_newer(bars)
        self._latest.passed(bars)
        fresh = self._stream.update(bars.records)
        self._latest.take(fresh, decide_at_close(bars.closed_at))
