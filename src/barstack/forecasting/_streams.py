"""Forecasts bar by bar: the stream of one symbol, and of all symbols of an artifact together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from barstack.bars import BAR, Bars, Panel, Series, SeriesTable
from barstack.core.arrays import Array, Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import DataError, StorageError, did_you_mean
from barstack.core.forecast import Forecast
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.times import (
    DAY_US,
    NEVER,
    DecidedAt,
    KnownAt,
    TrainedThrough,
    as_time,
    iso,
    parse_duration,
)
from barstack.core.warn import warn

from ._inputs import check_as_study, check_length, one_bar, outside
from ._one_row import LiveEnsemble, OneRowEnsemble, OnlineEnsembles
from ._probe import check_ensembles
from ._snapshot import StreamState, SymbolState

_HOUR_US = 3_600_000_000
_RECENT = 500  # bars
_LARGE_MOVE = 0.3  # of the logarithm of price: splits of 3 for 2 are 0.4
_WATCHED = 60
_FEATURES, _WAITING = "features/", "waiting/"  # arrays of a snapshot


class Latest:
    """The newest rows of one symbol: checked as they arrive, and forecast from."""

    def __init__(self, one_row: OneRowEnsemble, symbol: str, online: OnlineEnsembles) -> None:
        self._live = LiveEnsemble(one_row, symbol, online)
        self._online = online
        trained = one_row.trained
        self._target = trained.target
        self._through = trained.trained_through
        self._max_gap = np.timedelta64(parse_duration(trained.max_gap), "us")
        self._symbol = symbol
        self._last = DecidedAt(np.empty(0, "datetime64[us]"))
        self._trained = trained
        self._seen = 0  # bars
        self._began_at: np.datetime64 | None = None
        self._warned = False  # that there were too few
        self._phase: int | None = None  # of the grid on which bars begin
        self._recent = np.empty(0, BAR)
        self._watched = 0  # bars that a split may still show in
        self.why: str | None = None  # the newest bar has no forecast

    @property
    def features(self) -> Floats:
        """(n, n_columns) the newest rows, as many as one forecast needs."""
        return self._live.rows

    def check_newer(self, bars: Bars) -> None:
        """`DataError` unless the first of these bars comes after all before, as in history."""
        if not len(self._last):
            return
        opened, closed = bars.opened_at[0], AT_EACH_CLOSE.decided_at(bars.closed_at)[0]
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

    def check_grid(self, bars: Bars) -> None:
        """`DataError` where a bar shorter than a day begins off the grid of those before it."""
        if bars.length_us >= DAY_US or not len(bars):
            return
        grid = min(bars.length_us, _HOUR_US)
        records = bars.records
        own = records["opened_at"][records["opened_at"] != records["session_open"]]
        if not len(own):  # the first of a session may have been cut by its opening
            return
        if self._phase is None:
            phases, counts = np.unique(own % grid, return_counts=True)
            self._phase = int(phases[counts.argmax()])
        elif len(bars) == 1 and int(own[0]) % grid != self._phase:
            raise DataError(
                f"A bar of {self._symbol} opens at {iso(bars.opened_at[0])}, off the grid of the "
                "bars before it: it is a live price, no whole bar. Give bars once they have closed."
            )

    def check_one(self, bar: Bars) -> None:
        """`DataError` for one more bar off the grid, or after a move that a study would refuse.

        A split shows in the bars after it: so they are looked at together, while it may.
        """
        self.check_grid(bar)
        if not len(self._recent):
            return
        before, now = float(self._recent["close"][-1]), float(bar.records["open"][0])
        if abs(math.log(now / before)) > _LARGE_MOVE:
            self._watched = _WATCHED
        if self._watched:
            self._watched -= 1
            records = np.concatenate([self._recent, bar.records])
            check_as_study(
                {self._symbol: Bars(self._symbol, bar.length_us, records)}, self._trained
            )

    def passed(self, bars: Bars) -> None:
        """Count bars that are taken, and remember the first and the newest."""
        self._seen += len(bars)
        kept = self._recent if len(self._recent) < 2 * _RECENT else self._recent[-_RECENT:]
        self._recent = np.concatenate([kept, bars.records[-_RECENT:]])
        if self._began_at is None:
            self._began_at = bars.opened_at[0]

    def take(self, features: Floats, decided_at: DecidedAt) -> None:
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
        """Of the newest decision; None before the training's end and while features warm up.

        `why` then gives the reason. Warns once where too few bars precede it.
        """
        self.why = None
        if self._last[0] < self._through:
            self.why = (
                f"The bar of {self._symbol} closed at {iso(self._last[0])}, before "
                f"{iso(self._through)}, through which the artifact was trained."
            )
            return None
        found = self._live.forecast(self._last)
        if found is None:
            self.why = self._incomplete()
            return None
        if not self._warned and self._began_at is not None:
            self._warned = True
            if lack := self._trained.lacks_history(self._symbol, self._began_at, self._seen):
                warn(lack)
        values = next(iter(found.values()))
        decisions = Decisions((self._symbol,), np.zeros(1, np.int32), self._last)
        seen = max(self._through, self._online.layers.trained_through)
        through = TrainedThrough(np.array([seen], "datetime64[us]"))
        return Forecast(decisions, self._target, values[None], through)

    def state(self) -> tuple[SymbolState, dict[str, Array]]:
        """All that it holds, for `restore`."""
        state = SymbolState(
            usable=self._live.usable,
            seen=self._seen,
            began_at=None if self._began_at is None else str(self._began_at),
            warned=self._warned,
            phase=self._phase,
            watched=self._watched,
            why=self.why,
        )
        return state, self._live.arrays() | {"recent": self._recent, "last": self._last}

    def restore(self, state: SymbolState, arrays: Mapping[str, Array]) -> None:
        """Take over what `state` gave of the same artifact's stream.

        Raises `KeyError` or `ValueError` for anything else.
        """
        for name, dtype in (("recent", BAR), ("last", np.dtype("datetime64[us]"))):
            if arrays[name].dtype != dtype or arrays[name].ndim != 1:
                raise ValueError(f"{name} of {arrays[name].dtype}")
        self._live.restore(arrays, state.usable)
        self._seen, self._warned, self._phase = state.seen, state.warned, state.phase
        self._began_at = None if state.began_at is None else as_time(state.began_at)
        self._watched, self.why = state.watched, state.why
        self._recent, self._last = arrays["recent"], DecidedAt(arrays["last"])

    def _incomplete(self) -> str:
        rows = self.features
        empty = ~np.isfinite(rows[-1]) if len(rows) else np.ones(0, bool)
        if empty.any():
            columns = self._trained.features.columns
            first = columns[int(np.argmax(empty))]
            return (
                f"{int(empty.sum())} of {len(empty)} features of {self._symbol} have no value yet, "
                f"{first} first: they warm up, or a series says nothing."
            )
        return (
            f"One forecast of {self._symbol} looks at {self._trained.lookback_bars} rows side by "
            f"side, and {self._live.usable} have come since the last gap or incomplete row."
        )


class Stream:
    """One symbol, bar by bar; features equal those of history to the bit."""

    def __init__(
        self, one_row: OneRowEnsemble, symbol: str, series: Mapping[str, Any] | None = None
    ) -> None:
        self.trained = trained = one_row.trained
        self.symbol = symbol
        self._stream = trained.live_features.stream(trained.length_us, symbol, series)
        self._online = OnlineEnsembles(trained.layers, trained.target)
        self._latest = Latest(one_row, symbol, self._online)

    @property
    def features(self) -> Floats:
        """(n, n_columns) the newest rows, as many as one forecast needs."""
        return self._latest.features

    def warm_up(self, bars: Bars) -> None:
        """Take bars without forecasting."""
        if bars.symbol != self.symbol:
            raise DataError(f"This stream is of {self.symbol}, the bars are of {bars.symbol}.")
        check_length({self.symbol: bars}, self.trained.length_us)
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

    def know_labels(self, decided_at: np.datetime64, y: Floats, known_at: np.datetime64) -> None:
        """The labels of a decision forecast here, now that all are known; next forecasts use them.

        For an ensemble that learns on; any other ignores them. Give labels in the order in which
        they become known.

        Parameters
        ----------
        decided_at : UTC, of the forecast
        y : (n_horizons,) as the study's label has them
        known_at : UTC, when the last of them was known
        """
        if self.trained.layers.updates:
            self._online.know(self.symbol, decided_at, y, known_at)

    def snapshot(self, folder: Path | str) -> None:
        """Write all that it holds as plain data; `Predictor.restore` goes on from it.

        The folder appears whole or not at all, in place of any before. It holds no code, belongs
        to this artifact, and names neither times of the clock nor the machine.
        """
        _write_state(self, {self.symbol: self._latest}, Path(folder))

    def update(self, bar: Bars | Mapping[str, Any]) -> Forecast | None:
        """The ensemble's forecast after one more bar.

        bar  `Bars` of length one, or a mapping with timestamp (stamped as in training), open,
             high, low, close and volume

        None while features warm up, where a series has no value, for bars that closed before
        training ended, and for bars outside the sessions it was trained on, which are left out
        as they were in training; `why` then gives the reason. Raises `DataError` for a bar that
        is not valid, not newer than the last, of another symbol, or off the grid of those before.
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
        """As `Predictor.verdict`."""
        return self.trained.edge

    def _take(self, bars: Bars) -> None:
        if not len(bars):
            return
        self._latest.check_newer(bars)
        self._latest.passed(bars)
        fresh = self._stream.update(bars.records)
        self._latest.take(fresh, AT_EACH_CLOSE.decided_at(bars.closed_at))


class PanelStream:
    """All symbols together, for features across symbols; equal to those of history to the bit."""

    def __init__(self, one_row: OneRowEnsemble, series: Mapping[str, Any] | None = None) -> None:
        self.trained = trained = one_row.trained
        symbols = trained.bars.symbols
        length_us = trained.length_us
        self._stream = trained.live_features.panel_stream(symbols, length_us, series)
        self._online = OnlineEnsembles(trained.layers, trained.target)
        self._latest = {symbol: Latest(one_row, symbol, self._online) for symbol in symbols}

    def warm_up(self, panel: Panel) -> None:
        """Take bars of all symbols without forecasting."""
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
            self._latest[symbol].take(fresh[symbol], AT_EACH_CLOSE.decided_at(bars.closed_at))

    def know(self, series: str, row: Mapping[str, Any]) -> None:
        """One more row of a series, as in `Stream.know`."""
        self._stream.know(series, row)

    def know_labels(
        self, symbol: str, decided_at: np.datetime64, y: Floats, known_at: np.datetime64
    ) -> None:
        """The labels of one symbol's decision, as in `Stream.know_labels`."""
        self._own(symbol)
        if self.trained.layers.updates:
            self._online.know(symbol, decided_at, y, known_at)

    def snapshot(self, folder: Path | str) -> None:
        """As `Stream.snapshot`."""
        _write_state(self, self._latest, Path(folder))

    def update(self, bars: Mapping[str, Bars | Mapping[str, Any]]) -> dict[str, Forecast | None]:
        """The ensemble's forecast for each symbol that has a bar, after all bars of one moment.

        bars  by symbol, each as in `Stream.update`; all must close at one moment

        None as in `Stream.update`; `why` gives the reason. Raises `DataError` for bars of
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
            self._latest[symbol].take(fresh[symbol], AT_EACH_CLOSE.decided_at(each.closed_at))
            found[symbol] = self._latest[symbol].forecast()
        return found

    @property
    def why(self) -> dict[str, str]:
        """Why symbols have no forecast at their newest bar, of those that have none."""
        return {symbol: each.why for symbol, each in self._latest.items() if each.why}

    @property
    def verdict(self) -> str:
        """As `Predictor.verdict`."""
        return self.trained.edge

    def _own(self, symbol: str) -> Latest:
        if symbol not in self._latest:
            raise DataError(f"Unknown symbol {symbol!r}. {did_you_mean(symbol, self._latest)}")
        return self._latest[symbol]


def restored(one_row: OneRowEnsemble, folder: Path) -> Stream | PanelStream:
    """The stream of a snapshot, of the same artifact."""
    trained = one_row.trained
    state = StreamState.read(folder, trained.manifest_sha256, trained.layers)
    n_columns, symbol = len(trained.features.columns), trained.bars.symbols[0]
    check_ensembles(state.layers, trained.target, n_columns, symbol, folder)
    # The snapshot holds what is known of each series; tables give their columns alone.
    nothing = {name: _no_rows(spec) for name, spec in trained.features.series.items()}
    found: Stream | PanelStream
    if state.kind == "symbol":
        (symbol,) = state.symbols
        found = Stream(one_row, symbol, nothing)
        latest = {symbol: found._latest}
    else:
        found = PanelStream(one_row, nothing)
        latest = found._latest
    if latest.keys() != state.symbols.keys():
        raise DataError(
            f"{folder} is a snapshot of a stream of {', '.join(state.symbols)}; this artifact is "
            f"of {', '.join(latest)}. Restore it by its own artifact."
        )
    try:
        found._stream.restore(state.part(_FEATURES))
        found._online.layers = state.layers
        found._online.restore(state.part(_WAITING))
        for symbol, own in latest.items():
            own.restore(state.symbols[symbol], state.part(f"symbol/{symbol}/"))
    except (KeyError, ValueError, IndexError) as error:
        raise StorageError(
            f"{folder} does not hold a stream's state: {error!r}. Start afresh from history."
        ) from error
    return found


def _write_state(stream: Stream | PanelStream, latest: Mapping[str, Latest], folder: Path) -> None:
    arrays = {f"{_FEATURES}{name}": each for name, each in stream._stream.snapshot().items()}
    arrays |= {f"{_WAITING}{name}": each for name, each in stream._online.arrays().items()}
    symbols = {}
    for symbol, own in latest.items():
        symbols[symbol], more = own.state()
        arrays |= {f"symbol/{symbol}/{name}": each for name, each in more.items()}
    kind: Literal["symbol", "panel"] = "symbol" if isinstance(stream, Stream) else "panel"
    trained = stream.trained
    state = StreamState(kind, symbols, arrays, stream._online.layers)
    state.write(folder, trained.manifest_sha256, trained.layers)


def _no_rows(spec: Series) -> SeriesTable:
    """A table of a series of which nothing is known."""
    return SeriesTable(
        spec.columns,
        () if spec.per_symbol else None,
        np.empty(0, np.int32),
        KnownAt(np.empty(0, "datetime64[us]")),
        np.empty((0, len(spec.columns))),
        NEVER,
    )
