"""The newest rows of features of one symbol, and the forecast that they make."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barstack.bars import Bars
from barstack.core.decisions import Decisions
from barstack.core.errors import DataError
from barstack.core.forecast import Forecast
from barstack.core.times import (
    DecidedAt,
    TrainedThrough,
    decide_at_close,
    iso,
    parse_duration,
)
from barstack.ensembles import LiveEnsemble, OneRowEnsemble


class Latest:
    """Takes rows as they come, and forecasts from the newest."""

    def __init__(self, one_row: OneRowEnsemble, symbol: str) -> None:
        self._live = LiveEnsemble(one_row, symbol)
        trained = one_row.trained
        self._target = trained.target
        self._through = TrainedThrough(np.array([trained.trained_through], "datetime64[us]"))
        self._max_gap = np.timedelta64(parse_duration(trained.max_gap), "us")
        self._symbol = symbol
        self._last = DecidedAt(np.empty(0, "datetime64[us]"))

    @property
    def features(self) -> npt.NDArray[np.float64]:
        """(n, n_columns) the newest rows, as many as one forecast needs."""
        return self._live.rows

    def check_newer(self, bars: Bars) -> None:
        """`DataError` unless the first of these bars comes after all before, as in history."""
        if not len(self._last):
            return
        opened, closed = bars.opened_at[0], decide_at_close(bars.closed_at)[0]
        if closed <= self._last[0]:
            raise DataError(
                f"A bar of {self._symbol} closed at {iso(closed)} came after one closed at "
                f"{iso(self._last[0])}. Give bars in time order, each once."
            )
        if opened < self._last[0]:
            raise DataError(
                f"A bar of {self._symbol} from {iso(opened)} to {iso(closed)} begins before the "
                f"one before it ended, at {iso(self._last[0])}. Give bars that lie side by side."
            )

    def take(self, features: npt.NDArray[np.float64], decided_at: DecidedAt) -> None:
        """Rows of later decisions, (n, n_columns)."""
        times = np.concatenate([self._last, decided_at])
        begins = np.flatnonzero(np.diff(times) > self._max_gap) + 1 - len(self._last)
        if len(begins):
            self._live.take(features[: begins[-1]])
            self._live.reset()
            features = features[begins[-1] :]
        self._live.take(features)
        self._last = DecidedAt(decided_at[-1:])

    def forecast(self) -> Forecast | None:
        """Of the newest decision; None before the training's end and while features warm up."""
        if self._last[0] < self._through[0]:
            return None
        found = self._live.forecast()
        if found is None:
            return None
        values = next(iter(found.values()))
        decisions = Decisions((self._symbol,), np.zeros(1, np.int32), self._last)
        return Forecast(decisions, self._target, values[None], self._through)
