"""Live features of one symbol or of several, bar by bar, with snapshots of all their state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from barstack.bars import BAR
from barstack.core.arrays import Array, Floats
from barstack.core.errors import DataError, did_you_mean
from barstack.core.times import format_duration, iso

from ._engine import BarStream, fill_series
from ._feature import Feature
from ._series import SeriesStream
from ._view import NO_MARKET, MarketState


class FeatureStream:
    """All features of one symbol: those of its bars, then the columns of series."""

    def __init__(
        self, features: Sequence[Feature], bar_length_us: int, series: SeriesStream
    ) -> None:
        self.columns = (*(each.name for each in features), *series.columns)
        self._features = tuple(features)
        self._length_us = bar_length_us
        self._bars = BarStream(features, bar_length_us)
        self._series = series

    def update(self, records: Array, market: Floats = NO_MARKET) -> Floats:
        """Features after each of the next bars.

        records  (n_bars,) of dtype `BAR`, later than all given before
        market   (n_bars, 4) columns of `MARKET`
        returns  (n_bars, n_columns)

        Raises `DataError` for a bar that is not newer than the one before.
        """
        self.check_later(records)
        out = np.empty((len(records), len(self.columns)))
        self._bars.update_into(out, records, market)
        fill_series(out[:, len(self._features) :], self._series, records)
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
        if len(records) == 1 and closed_at[0] > newest:  # the common case, live
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
        """One more row of a series, used by decisions from its `known_at` on.

        row  as in the series' table: known_at, symbol where rows are about one, and the numbers
        """
        self._series.know(name, row)

    def snapshot(self) -> dict[str, Array]:
        """Copies of all state, as plain arrays; `restore` continues from them to the same bits."""
        held = {name: array.copy() for name, array in self._bars.arrays().items()}
        return held | self._series.snapshot() | {"made_of": self._made_of()}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Take over the state of `snapshot` of a stream of the same features.

        Raises `DataError`, and stays unchanged, for any other state.
        """
        self.check_snapshot(arrays)
        for name, array in self._bars.arrays().items():
            array[:] = arrays[name]
        self._series.restore(arrays)

    def check_snapshot(self, arrays: Mapping[str, Array]) -> None:
        """`DataError` unless a snapshot is complete and of the same features and bar length."""
        own = self.snapshot()
        _check_names(arrays, own)
        for theirs, ours in zip_longest(arrays["made_of"], own["made_of"], fillvalue="nothing"):
            if theirs != ours:
                raise DataError(
                    f"This snapshot is of {theirs} where this stream has {ours}. Restore it into a "
                    "stream of its own features and bars, or start afresh from history."
                )
        _check_forms(arrays, own)
        for name, known_at in arrays.items():
            if name.startswith("known_at_"):
                rows = len(arrays[name.replace("known_at", "known")])
                if len(known_at) != rows:
                    raise DataError(
                        f"This snapshot has {len(known_at):,} rows of {name!r} for {rows:,} of "
                        "their values. It was damaged; start afresh from history."
                    )

    def _made_of(self) -> npt.NDArray[np.str_]:
        """What the state belongs to: bar length, then each feature and series by name and id, as an
        edited formula keeps its name but not its meaning."""
        features = [f"{each.name} (id {each.id})" for each in self._features]
        series = [f"{name} (id {each.id})" for name, each in self._series.specs.items()]
        return np.array([f"{format_duration(self._length_us)} bars", *features, *series])


class FeaturePanelStream:
    """Features of several symbols: one stream for each, and the market between them."""

    def __init__(self, streams: Mapping[str, FeatureStream]) -> None:
        self._number = {symbol: number for number, symbol in enumerate(sorted(streams))}
        self._streams = dict(streams)
        self._market = MarketState(len(self._number))
        self._closed_at = np.iinfo(np.int64).min

    def update(self, bars: Mapping[str, Array]) -> dict[str, Floats]:
        """Features of each symbol that has a bar, after all bars of one moment.

        bars     by symbol: (1,) of dtype `BAR`, all closing at one moment, later than the last
        returns  by symbol: (1, n_columns)

        Raises `DataError` for bars of different moments, or of one already passed: comparing
        symbols requires the bars of all of them.
        """
        self._check_later(bars)
        moments = {int(moment) for each in bars.values() for moment in each["closed_at"]}
        if len(moments) != 1 or any(len(each) != 1 for each in bars.values()):
            found = ", ".join(iso(np.datetime64(moment, "us")) for moment in sorted(moments))
            found = found or "none"
            raise DataError(
                f"A panel takes one bar of each symbol, all closing at one moment, got {found}. "
                "Wait for all bars of a moment, then give them together."
            )
        return self._feed(bars)

    def feed(self, bars: Mapping[str, Array]) -> dict[str, Floats]:
        """Features of many bars each, (n_bars, n_columns) by symbol: history.

        Raises `DataError` for bars that are not newer than those before.
        """
        self._check_later(bars)
        return self._feed(bars)

    def _check_later(self, bars: Mapping[str, Array]) -> None:
        for symbol, records in bars.items():
            if symbol not in self._number:
                raise DataError(f"Unknown symbol {symbol!r}. {did_you_mean(symbol, self._number)}")
            self._streams[symbol].check_later(records)

    def _feed(self, bars: Mapping[str, Array]) -> dict[str, Floats]:
        if not bars:
            return {}
        symbols = [symbol for symbol in self._number if symbol in bars]
        lengths = [len(bars[symbol]) for symbol in symbols]
        number = np.repeat([self._number[symbol] for symbol in symbols], lengths)
        records = np.concatenate([bars[symbol] for symbol in symbols])
        if len(records) and records["closed_at"].min() <= self._closed_at:
            raise DataError(
                f"A bar closed at {iso(np.datetime64(int(records['closed_at'].min()), 'us'))}, and "
                f"this stream is at {iso(np.datetime64(self._closed_at, 'us'))}. Give all bars of "
                "a moment together, later ones later."
            )
        market = self._market.update(records["closed_at"], number, records["close"])
        self._closed_at = max([self._closed_at, *records["closed_at"].tolist()])
        parts = np.split(market, np.cumsum(lengths)[:-1])
        return {
            symbol: self._streams[symbol].update(bars[symbol], own)
            for symbol, own in zip(symbols, parts, strict=True)
        }

    def know(self, name: str, row: Mapping[str, Any]) -> None:
        """One more row of a series, used by decisions from its `known_at` on."""
        for stream in self._streams.values():
            stream.know(name, row)

    def snapshot(self) -> dict[str, Array]:
        """Copies of all state, as plain arrays; `restore` continues from them to the same bits."""
        held = {name: array.copy() for name, array in self._own_arrays().items()}
        for symbol, stream in self._streams.items():
            held |= {f"{symbol}/{name}": array for name, array in stream.snapshot().items()}
        return held

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Take over the state of `snapshot` of a stream of the same features and symbols.

        Raises `DataError`, and stays unchanged, for any other state.
        """
        _check_names(arrays, self._own_arrays())
        theirs = arrays["symbols"].tolist()
        if theirs != list(self._number):
            raise DataError(
                f"This snapshot is of symbols {', '.join(theirs) or 'unknown'}, this stream of "
                f"{', '.join(self._number)}. Restore it into a stream of its own symbols."
            )
        _check_forms(arrays, self._own_arrays())
        own = {symbol: _of_symbol(symbol, arrays) for symbol in self._streams}
        for symbol, stream in self._streams.items():
            stream.check_snapshot(own[symbol])
        for name, array in self._market.arrays().items():
            array[:] = arrays[f"market_{name}"]
        self._closed_at = int(arrays["closed_at"][0])
        for symbol, stream in self._streams.items():
            stream.restore(own[symbol])

    def _own_arrays(self) -> dict[str, Array]:
        """State other than that of the symbols' streams."""
        held = {f"market_{name}": array for name, array in self._market.arrays().items()}
        held["closed_at"] = np.array([self._closed_at])
        return held | {"symbols": np.array(list(self._number))}


def _of_symbol(symbol: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    prefix = f"{symbol}/"
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _check_names(arrays: Mapping[str, Array], own: Mapping[str, Array]) -> None:
    """`DataError` where a snapshot lacks an array, or has something else under its name."""
    for name, expected in own.items():
        if name not in arrays:
            raise DataError(
                f"This snapshot has no {name!r}. Take one with snapshot() of this version, or "
                "start afresh from history."
            )
        given, form = arrays[name], (expected.dtype.kind, expected.ndim)
        if not isinstance(given, np.ndarray) or (given.dtype.kind, given.ndim) != form:
            raise DataError(_misfit(name, given, expected))


def _check_forms(arrays: Mapping[str, Array], own: Mapping[str, Array]) -> None:
    """`DataError` unless arrays have this stream's types and shapes."""
    for name, expected in own.items():
        given = arrays[name]
        # Texts are as wide as the widest of them, and of a series any number of rows may be known.
        widths = given.dtype.kind == "U" or given.dtype == expected.dtype
        free = int(name.startswith("known_"))
        if not widths or given.shape[free:] != expected.shape[free:]:
            raise DataError(_misfit(name, given, expected))


def _misfit(name: str, given: object, expected: Array) -> str:
    got = f"an object of type {type(given).__name__}"
    if isinstance(given, np.ndarray):
        got = f"{given.dtype} of shape {given.shape}"
    return (
        f"{name!r} in this snapshot is {got}, and must be {expected.dtype} of shape "
        f"{expected.shape}. Take one with snapshot() of this version, or start afresh from history."
    )
