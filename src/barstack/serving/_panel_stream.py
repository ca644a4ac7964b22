"""All symbols of an artifact, moment by moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barstack.bars import Bars, Panel
from barstack.core.errors import DataError, did_you_mean
from barstack.core.forecast import Forecast
from barstack.core.times import decide_at_close
from barstack.ensembles import OneRowEnsemble

from ._latest import Latest
from ._live_bars import check_as_study, one_bar, outside


class PanelStream:
    """All symbols together, for features that look at one another: those of history to the bit."""

    def __init__(self, one_row: OneRowEnsemble, series: Mapping[str, Any] | None = None) -> None:
        self.trained = trained = one_row.trained
        symbols = trained.bars["symbols"]
        length_us = trained.bars["length_us"]
        self._stream = trained.features.panel_stream(symbols, length_us, series)
        self._latest = {symbol: Latest(one_row, symbol) for symbol in symbols}

    def warm_up(self, panel: Panel) -> None:
        """Pass by bars of all symbols without forecasting."""
        given = {symbol: bars for symbol, bars in panel.items() if len(bars)}
        if not given:
            return
        check_as_study(given, self.trained)
        for symbol, bars in given.items():
            self._own(symbol).check_newer(bars)
            self._own(symbol).check_grid(bars)
            self._own(symbol).passed(bars)
        fresh = self._stream.feed({symbol: bars.records for symbol, bars in given.items()})
        for symbol, bars in given.items():
            self._latest[symbol].take(fresh[symbol], decide_at_close(bars.closed_at))

    def know(self, series: str, row: Mapping[str, Any]) -> None:
        """One more row of a series, as in `Stream.know`."""
        self._stream.know(series, row)

    def update(self, bars: Mapping[str, Bars | Mapping[str, Any]]) -> dict[str, Forecast | None]:
        """The ensemble's forecast for each symbol that has a bar, after all bars of one moment.

        bars  by symbol, each as in `Stream.update`; all must close at one moment

        None as in `Stream.update`; `why` says for which reason. Raises `DataError` for bars of
        different moments, or of a moment already passed: wait for all bars of a moment, then give
        them together.
        """
        inside: dict[str, Bars] = {}
        for symbol, bar in bars.items():
            self._own(symbol)
            self._latest[symbol].why = outside(symbol, self.trained.bars)
            if (each := one_bar(bar, symbol, self.trained.bars)) is not None:
                inside[symbol] = each
        found: dict[str, Forecast | None] = dict.fromkeys(bars)
        if not inside:
            return found
        for symbol, each in inside.items():
            self._latest[symbol].check_newer(each)
            self._latest[symbol].check_one(each)
        fresh = self._stream.update({symbol: each.records for symbol, each in inside.items()})
        for symbol, each in inside.items():
            self._latest[symbol].passed(each)
            self._latest[symbol].take(fresh[symbol], decide_at_close(each.closed_at))
            found[symbol] = self._latest[symbol].forecast()
        return found

    @property
    def why(self) -> dict[str, str]:
        """Why symbols have no forecast at their newest bar, of those that have none."""
        return {symbol: each.why for symbol, each in self._latest.items() if each.why}

    @property
    def verdict(self) -> str:
        """As `Stream.verdict`."""
        return self.trained.verdict

    def _own(self, symbol: str) -> Latest:
        if symbol not in self._latest:
            raise DataError(f"Unknown symbol {symbol!r}. {did_you_mean(symbol, self._latest)}")
        return self._latest[symbol]
