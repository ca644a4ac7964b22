"""A whole panel at once, on several threads: the same streams, each over part of the columns."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from barstack.bars import Bars, Panel
from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError

from ._bar_stream import BarStream
from ._series_stream import SeriesStream
from ._stream import fill_series
from ._view import NO_MARKET

if TYPE_CHECKING:
    from ._feature_set import Feature


# Fewer values than this are computed sooner than threads are started.
_WORTH_THREADS = 1_000_000
_LINE_COLUMNS = 8  # float64 in a cache line of 64 bytes


def compute(
    features: Sequence[Feature],
    panel: Panel,
    market: Mapping[str, Floats],
    series: Mapping[str, SeriesStream],
    n_columns: int,
    threads: int | None,
) -> Floats:
    """(n_rows, n_columns) features of all bars, symbol after symbol, then columns of series.

    market  by symbol, what the others do; empty where no feature asks
    series  by symbol, before its first decision
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
    _run(tasks, threads)
    return out


def _task(
    features: Sequence[Feature], bars: Bars, market: Floats, out: Floats, part: int, parts: int
) -> Callable[[], None]:
    # Neighbouring columns share a cache line, so threads take turns by lines: two that write one
    # line wait for each other.
    line = min(_LINE_COLUMNS, -(-len(features) // parts))
    only = [column for column in range(len(features)) if column // line % parts == part]
    stream = BarStream(features, bars.length_us, only)
    return lambda: stream.update_into(out, bars.records, market)


def _run(tasks: list[Callable[[], None]], threads: int) -> None:
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            task()
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()


def _processors() -> int:
    """How many this process may use, which on Linux can be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
