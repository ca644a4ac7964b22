"""The engine: features of bars, live bar by bar or over history, and of a whole panel on threads.

History is the same stream as live, given everything at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from barstack.bars import BAR, Bars, Panel, check_higher, no_bar_forming
from barstack.core.arrays import Array, Floats, Ints
from barstack.core.errors import BarstackError, ConfigError
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.times import ClosedAt, parse_duration

from ._block import compiled
from ._feature import Feature
from ._native import Native, error_at
from ._series import SeriesStream
from ._view import NO_MARKET, REAL, WHOLE, initial_view, view

# Bars per pass of features on longer bars: enough to spread the cost, few enough for the cache.
_BLOCK_BARS = 8000
# Fewer values than this are computed faster than threads are started.
_WORTH_THREADS = 1_000_000
_LINE_COLUMNS = 8  # float64 in a cache line of 64 bytes


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

    def update_into(self, out: Floats, records: Array, market: Floats) -> None:
        """Write the features after each of the next bars.

        out      (n_bars, at least n_features), which may be part of another array
        records  (n_bars,) of dtype `BAR`, later than all given before
        market   (n_bars, 4) columns of `MARKET`, or `NO_MARKET`
        """
        records = np.ascontiguousarray(records, BAR)
        market = np.ascontiguousarray(market)
        for timeframe in self._timeframes:
            timeframe.update(records, market, out)

    def use_memory(self, place: int, memory: Floats) -> None:
        """Put the state of feature number `place` of the first timeframe into zeros elsewhere."""
        self._timeframes[0].use_memory(place, memory)

    def arrays(self) -> dict[str, Array]:
        """All state that changes from bar to bar, by name."""
        return {
            f"{place}_{name}": array
            for place, timeframe in enumerate(self._timeframes)
            for name, array in timeframe.arrays().items()
        }


class _Timeframe:
    """The columns on bars of one length: the stream's own, or longer."""

    def __init__(
        self, timeframe: str | None, features: dict[int, Feature], bar_length_us: int
    ) -> None:
        own = list(features.values())
        self._columns = np.array(list(features))
        self._kernels = [each.kernel for each in own]
        self._loops = [each.kernel.loop for each in own]
        self._params = np.zeros((len(own), max(len(each.values) for each in own)))
        for place, each in enumerate(own):
            self._params[place, : len(each.values)] = each.values
        # All states are in one array, each from one border to the next.
        self._borders = np.cumsum([0, *(each.kernel.memory_for(each.values) for each in own)])
        self._memory = np.zeros(self._borders[-1])
        self._states = np.split(self._memory, self._borders[1:-1])
        self._in_block = all(isinstance(loop, Native) for loop in self._loops)
        self._code = np.array([getattr(loop, "address", 0) for loop in self._loops])
        self._last = initial_view()
        self._latest = np.full(len(features), np.nan)  # values after the newest longer bar
        self._forming = no_bar_forming()
        self._length_us = 0
        if timeframe is not None:
            self._length_us = parse_duration(timeframe)
            check_higher(bar_length_us, self._length_us)

    def use_memory(self, place: int, memory: Floats) -> None:
        self._states[place] = memory
        self._in_block = False

    def arrays(self) -> dict[str, Array]:
        states = {f"state_{place}": state for place, state in enumerate(self._states)}
        return states | {"last": self._last, "latest": self._latest, "forming": self._forming}

    def update(self, records: Array, market: Floats, out: Floats) -> None:
        """Write this timeframe's columns of `out`, (n_bars, all columns)."""
        if not self._length_us:
            self._fill(records, market, self._columns, out)
            return
        for start in range(0, len(records), _BLOCK_BARS):
            block = slice(start, start + _BLOCK_BARS)
            out[block, self._columns] = self._on_longer_bars(records[block])

    def _on_longer_bars(self, records: Array) -> Floats:
        """Values after each longer bar that closes among these, repeated until the next."""
        # One longer bar more than there are bars may close: the one that was forming.
        closed = np.zeros(2 * len(records), BAR)
        known_at_row = np.empty(2 * len(records), np.int64)
        count = compiled("aggregate")(self._forming, records, self._length_us, closed, known_at_row)
        values = np.empty((1 + count, len(self._latest)))
        values[0] = self._latest
        self._fill(closed[:count], NO_MARKET, np.arange(len(self._latest)), values[1:])
        self._latest[:] = values[-1]
        newest = np.searchsorted(known_at_row[:count], np.arange(len(records)), side="right")
        return values[newest]

    def _fill(self, records: Array, market: Floats, columns: Ints, out: Floats) -> None:
        failed = np.zeros(1, np.int64)  # number of the loop that raised
        state = (self._last, records, market, self._code, self._borders, self._memory)
        try:
            if not self._in_block:
                self._fill_one_by_one(records, market, columns, out, failed)
            elif raised := compiled("update")(*state, self._params, columns, out, failed):
                raise error_at(raised)
        except BarstackError:
            raise
        except Exception as error:  # whatever the step raises
            kernel = self._kernels[failed[0]]
            way_out = "Let its step return a number at every bar, np.nan where it has none."
            if isinstance(error, IndexError):
                way_out = "Let it stay within its memory, or declare more."
            with kernel.naming_package():
                raise ConfigError(
                    f"Feature {kernel.name!r} raises {type(error).__name__}: {error}. {way_out}"
                ) from error

    def _fill_one_by_one(
        self, records: Array, market: Floats, columns: Ints, out: Floats, failed: Ints
    ) -> None:
        """The same from Python, for loops that are not machine code, and states elsewhere."""
        whole = np.zeros((len(WHOLE), len(records)), np.int64)
        real, values = np.zeros((len(REAL), len(records))), np.empty(len(records))
        view(self._last, records, market, whole, real)
        for place, loop in enumerate(self._loops):
            failed[0] = place
            loop(self._states[place], whole, real, values, self._params[place])
            out[:, columns[place]] = values


def compute(
    features: Sequence[Feature],
    panel: Panel,
    market: Mapping[str, Floats],
    series: Mapping[str, SeriesStream],
    n_columns: int,
    threads: int | None,
) -> Floats:
    """(n_rows, n_columns) features of all bars, symbol after symbol, then columns of series.

    market   by symbol, columns of `MARKET`; empty if no feature needs them
    series   by symbol, before its first decision
    threads  at most so many; by default the processors that this process may use
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"threads must be 1 or more, got {threads}.")
    out = np.empty((sum(len(bars) for bars in panel.values()), n_columns))
    if threads is None:
        threads = _processors() if out.size >= _WORTH_THREADS else 1
    parts = min(-(-threads // len(panel)), len(features))  # of each symbol's columns
    tasks = []
    start = 0
    for symbol, bars in panel.items():
        rows = out[start : start + len(bars)]
        start += len(bars)
        others = market.get(symbol, NO_MARKET)
        tasks += [_task(features, bars, others, rows, part, parts) for part in range(parts)]
        fill_series(rows[:, len(features) :], series[symbol], bars.records)
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            task()
    else:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(task) for task in tasks]:
                done.result()
    return out


def _task(
    features: Sequence[Feature], bars: Bars, market: Floats, out: Floats, part: int, parts: int
) -> Callable[[], None]:
    # Adjacent columns share a cache line, and two threads that write one line wait for each other:
    # threads take columns by lines.
    line = min(_LINE_COLUMNS, -(-len(features) // parts))
    only = [column for column in range(len(features)) if column // line % parts == part]
    stream = BarStream(features, bars.length_us, only)
    return lambda: stream.update_into(out, bars.records, market)


def _processors() -> int:
    """How many this process may use, on Linux possibly fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def fill_series(out: Floats, series: SeriesStream, records: Array) -> None:
    """Write the columns of series, (n_bars, their number), for the decisions at each close."""
    closed_at = np.ascontiguousarray(records["closed_at"]).view("datetime64[us]")
    start = 0
    for block in series.update(AT_EACH_CLOSE.decided_at(ClosedAt(closed_at))):
        out[:, start : start + block.shape[1]] = block
        start += block.shape[1]
