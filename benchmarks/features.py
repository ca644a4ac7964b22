"""Features: speed against pandas, TA-Lib and polars, one live bar, start, live = history.

    .venv/bin/python benchmarks/features.py
    .venv/bin/python benchmarks/features.py --data DIR --seed 7

`--data` takes a folder of parquet files in place of ../shared/data for the comparison of live with
history; the timings are on made-up bars of `--seed`. Times are medians after one run to warm up,
in memory that the process has touched before, on both sides. Ours run on all processors, as they
do by default, pandas as it does.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _benchmark import HERE, arguments, at_least, at_most, finish
from _pandas_features import ONLY_BY_LOOP, compute, differing, frame_of
from _peers import peers

from barstack.bars import BAR, PROVIDERS, Bars
from barstack.core.times import DAY_US
from barstack.features import FEATURES, Feature, FeatureSet, named_set

N_BARS = 1_000_000
WINDOW = 500
LIVE_BARS = 3_000
SHARED = HERE.parent.parent / "shared" / "data"
REAL = (  # folder, symbol, calendar
    ("us_equities_5m", "SPY", "XNYS"),
    ("us_equities_5m", "AAPL", "XNYS"),
    ("us_equities_1h_long", "SPY", "XNYS"),
    ("us_equities_1h_long", "AAPL", "XNYS"),
    ("fx_15m", "EURUSD", "24/7"),
    ("fx_1h_long", "EURUSD", "24/7"),
    ("crypto_5m", "BTCUSDT", "24/7"),
)
START = """
import sys
import numpy as np
from barstack.bars import Bars
from barstack.features import named_set
bars = Bars("MADE", 300_000_000, np.load(sys.argv[1]))
named_set("core107", bars.length_us).compute(bars)
"""


def made_up(seed: int, n_bars: int) -> Any:
    """Five-minute bars around the clock with changing volatility, in one piece."""
    rng = np.random.default_rng(seed)
    minute = 60_000_000
    records = np.zeros(n_bars, BAR)
    records["opened_at"] = np.arange(n_bars) * 5 * minute + 1_700_000_000_000_000 // DAY_US * DAY_US
    records["closed_at"] = records["opened_at"] + 5 * minute
    records["session"] = records["opened_at"] // DAY_US
    records["session_open"] = records["session"] * DAY_US
    records["session_close"] = records["session_open"] + DAY_US
    scale = 1e-3 * np.exp(0.3 * np.sin(np.arange(n_bars) / 5000.0))
    close = 100.0 * np.exp(np.cumsum(scale * rng.standard_t(5, n_bars)))
    opening = np.concatenate([[100.0], close[:-1]])
    reach = np.exp(np.abs(scale * rng.normal(size=(2, n_bars))))
    records["open"], records["close"] = opening, close
    records["high"] = np.maximum(opening, close) * reach[0]
    records["low"] = np.minimum(opening, close) / reach[1]
    records["volume"] = rng.lognormal(8, 1, n_bars).round()
    return Bars("MADE", 5 * minute, records)


def keep_memory() -> None:
    """Give no memory back to the system, which hands it out anew at a price that varies tenfold.

    Else a table of 0.8 GB costs as much to be given as to be computed, on a bad day.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


def median_s(work: Callable[[], Any], repeats: int = 5) -> float:
    """Median wall time, after one call to warm up."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def start_up() -> tuple[float, float]:
    """Seconds from no process to features of 300 bars: with nothing compiled, and cached."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        # Both the loops of features and what numba keeps beside the modules.
        environment = os.environ | {"BARSTACK_CACHE": folder, "NUMBA_CACHE_DIR": f"{folder}/numba"}
        file = f"{folder}/bars.npy"
        np.save(file, made_up(0, 300).records)
        for _ in range(4):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", START, file], env=environment, check=True)
            times.append(time.perf_counter() - begin)
    return times[0], statistics.median(times[1:])


def peak_above_output(features: Any, bars: Any) -> float:
    """GiB that `compute` needs at most beyond the table it gives."""
    libc, status = ctypes.CDLL(None), Path("/proc/self/status")
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)  # what has been freed is not to be found again
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on

    def kib(name: str) -> int:
        return int(status.read_text().split(f"{name}:")[1].split()[0])

    before = kib("VmRSS")
    table = features.compute(bars)
    return float((kib("VmHWM") - before) / 2**20 - table.values.nbytes / 2**30)


def live_us(features: Any, bars: Any) -> Any:
    """Microseconds of each of the last bars, one by one."""
    stream = features.stream(bars.length_us)
    stream.update(bars.records[:-LIVE_BARS])
    times = []
    for row in range(len(bars) - LIVE_BARS, len(bars)):
        begin = time.perf_counter()
        stream.update(bars.records[row : row + 1])
        times.append(time.perf_counter() - begin)
    return np.array(times) * 1e6


def all_features(bar_length_us: int) -> FeatureSet:
    """Every registered feature of one symbol, and the longer timeframe of core107."""
    every = [Feature(feature=name) for name in FEATURES.names()]
    longer = [each for each in named_set("core107", bar_length_us).features if each.timeframe]
    return FeatureSet(features=(*(each for each in every if not each.needs_market), *longer))


def unequal(features: Any, bars: Any) -> int:
    """Values that differ between bar by bar and all at once."""
    whole = features.compute(bars).values
    stream = features.stream(bars.length_us)
    rows = range(len(bars))
    live = np.concatenate([stream.update(bars.records[row : row + 1]) for row in rows])
    return int((whole.view(np.int64) != live.view(np.int64)).sum())


def real_bars(data: Path | None) -> list[Any]:
    """Real bars, or those the user gave, or made-up ones where there are none."""
    sources = [(SHARED / folder / f"{symbol}.parquet", where) for folder, symbol, where in REAL]
    if data is not None:
        sources = [(file, "24/7") for file in sorted(data.glob("*.parquet"))]
    found: list[Any] = []
    for file, calendar in sources:
        if file.is_file():
            source = {"provider": "files", "path": str(file), "calendar": calendar}
            found += PROVIDERS.parse(source).load().values()
    return found or [made_up(1, 30_000)]


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    os.environ["POLARS_MAX_THREADS"] = "1"  # read when polars is first used
    cold_s, warm_s = start_up()
    print(f"fresh process: {cold_s:.1f} s with nothing compiled, {warm_s:.2f} s cached", flush=True)

    bars = made_up(options.seed, N_BARS)
    core = named_set("core107", bars.length_us)
    core.compute(bars[:2000])
    above_gib = peak_above_output(core, bars)
    keep_memory()
    core_s = median_s(lambda: core.compute(bars))
    print(f"core107, {N_BARS:,} bars: {core_s:.2f} s", flush=True)

    frame = frame_of(bars)
    own = FeatureSet(
        features=tuple(
            each
            for each in core.features
            if each.timeframe is None and each.feature not in ONLY_BY_LOOP
        )
    )
    real = real_bars(options.data)
    others = {name for each in (bars[:50_000], *real[:1]) for name in differing(own, each)}
    ours_s = median_s(lambda: own.compute(bars))
    theirs = {}
    for each in own.features:
        theirs[each.name] = median_s(partial(compute, each, frame), 3)
        print(f"  pandas {each.name:32} {theirs[each.name] * 1e3:6.1f} ms", flush=True)
    pandas_s = sum(theirs.values())
    print(f"{len(theirs)} columns: pandas {pandas_s:.2f} s, ours {ours_s:.3f} s", flush=True)

    recent = bars[20_000 - LIVE_BARS - WINDOW : 20_000 - LIVE_BARS]
    window = frame_of(recent)
    window_us = 1e6 * median_s(lambda: [compute(each, window) for each in own.features], 21)
    ours_us, core_us = live_us(own, bars[:20_000]), live_us(core, bars[:20_000])
    print(
        f"one bar live: {np.median(core_us):.0f} us, p99 {np.percentile(core_us, 99):.0f} us; "
        f"pandas on {WINDOW} bars {window_us / 1e3:.1f} ms",
        flush=True,
    )

    compared, wrong = 0, 0
    for each in real:
        every = all_features(each.length_us)
        wrong += unequal(every, each)
        compared += len(each) * len(every.features)
        print(f"  live = history on {each!r}", flush=True)

    finish(
        "features",
        {
            "features_vs_pandas": at_least(pandas_s / ours_s, 20),
            "live_vs_window": at_least(window_us / float(np.median(ours_us)), 50),
            "bitwise_unequal": at_most(wrong, 0),
            "warm_start_s": at_most(warm_s, 2),
            "pandas_differs": at_most(len(others), 0),
        },
        {
            "bars": N_BARS,
            "core107_s": core_s,
            "columns_compared": len(theirs),
            "left_out": sorted(ONLY_BY_LOOP),
            "ours_s": ours_s,
            "pandas_s": pandas_s,
            "pandas_ms": {name: seconds * 1e3 for name, seconds in theirs.items()},
            "live_us_median": float(np.median(core_us)),
            "live_us_p99": float(np.percentile(core_us, 99)),
            "pandas_window_ms": window_us / 1e3,
            "values_compared": compared,
            "features_registered": len(FEATURES.names()),
            "cold_start_s": cold_s,
            "output_gib": N_BARS * len(core.features) * 8 / 2**30,
            "peak_above_output_gib": above_gib,
            "peers_ns": peers(bars, frame, median_s),
        },
    )


if __name__ == "__main__":
    main()
