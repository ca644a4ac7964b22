"""The newest rows of features of one symbol: as many as one forecast needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barstack.core.decisions import Decisions
from barstack.core.errors import DataError
from barstack.core.forecast import Forecast
from barstack.core.times import DecidedAt, TrainedThrough, iso
from barstack.ensembles import OneRowEnsemble
from barstack.features import FeatureTable


class Latest:
    """Takes rows as they come, and forecasts from the newest."""

    def __init__(self, one_row: OneRowEnsemble, symbol: str) -> None:
        self._one_row = one_row
        self._trained = trained = one_row.trained
        self._through = TrainedThrough(np.array([trained.trained_through], "datetime64[us]"))
        self._symbol = symbol
        self.features = np.empty((0, len(trained.features.columns)))
        self._decided_at = np.empty(0, "datetime64[us]")

    def check_newer(self, decided_at: DecidedAt) -> None:
        """`DataError` unless the first of these decisions comes after all before."""
        if len(self._decided_at) and decided_at[0] <= self._decided_at[-1]:
            raise DataError(
                f"A bar of {self._symbol} closed at {iso(decided_at[0])} came after one closed at "
                f"{iso(self._decided_at[-1])}. Give bars in time order, each once."
            )

    def take(self, features: npt.NDArray[np.float64], decided_at: DecidedAt) -> None:
        """Rows of later decisions, (n, n_columns)."""
        keep = self._trained.lookback_bars
        self.features = np.concatenate([self.features, features])[-keep:]
        self._decided_at = np.concatenate([self._decided_at, decided_at])[-keep:]

    def forecast(self) -> Forecast | None:
        """Of the newest decision; None before the training's end and while features warm up."""
        if self._decided_at[-1] < self._through[0]:
            return None
        n_rows = len(self.features)
        own = np.zeros(n_rows, np.int32)
        decisions = Decisions((self._symbol,), own, DecidedAt(self._decided_at))
        table = FeatureTable(decisions, self._trained.features.columns, self.features)
        rows = self._trained.with_history(table, np.array([n_rows - 1]))
        if not len(rows):
            return None
        values = next(iter(self._one_row.predict(self.features).values()))
        return Forecast(decisions.take(rows), self._trained.target, values[None], self._through)
