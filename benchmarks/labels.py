"""Labels: the triple barrier against a slow reference on all real bars, and the search for one.

    .venv/bin/python benchmarks/labels.py
    .venv/bin/python benchmarks/labels.py --data DIR --seed 7

Every symbol of ../shared/data, or of the folder given with `--data`, is labelled by the product
and by the slow reference of the tests, a plain loop over decisions and bars; whatever differs in
a bit of class, return, `known_at` or eligibility is counted. For speed the same labels are also
made with pandas, one column operation for each bar of the horizon. Then 2,000 candidates are
searched on 20,000 made-up bars of `--seed`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _benchmark import HERE, arguments, at_least, at_most, finish

from barstack.bars import PROVIDERS, Bars
from barstack.core.times import DAY_US, format_duration
from barstack.labels import LABELS, TripleBarrier
from features import SHARED, made_up

sys.path.insert(0, str(HERE.parent))
from tests.bars.test_shared_data import FOLDERS
from tests.labels.slow_barriers import differing, slow_triple_barrier

HORIZON = 12  # bars
WIDTH, SPAN = 0.8, 100
SEARCHED_BARS = 20_000
CANDIDATES = 2_000


def real_bars(data: Path | None) -> Iterator[Bars]:
    """All real bars, symbol by symbol."""
    folders = [(SHARED / name, where) for name, where in FOLDERS.items()]
    for folder, (calendar, hours) in [(data, ("24/7", "regular"))] if data else folders:
        if not folder.is_dir():
            raise SystemExit(f"There are no real bars in {folder}. Name a folder with --data.")
        source = {"provider": "files", "path": str(folder), "calendar": calendar, "hours": hours}
        yield from PROVIDERS.parse(source).load().values()


def compare(bars: Bars) -> tuple[int, int]:
    """Labels compared, and how many differ, over several settings."""
    clock = format_duration(HORIZON * bars.length_us)
    settings: list[tuple[int | str, dict[str, Any]]] = [
        (HORIZON, {"upper": 0.8, "lower": 0.8}),
        (clock, {"upper": 1.5, "lower": 0.6, "span": 30, "limit_bars": 9}),
    ]
    if bars.length_us < DAY_US:  # a session of one bar holds nothing
        settings.append((HORIZON, {"unit": "bps", "upper": 25, "lower": 20, "overnight": False}))
    wrong = sum(
        differing(TripleBarrier(horizons=(horizon,), **more), bars, horizon, **more)
        for horizon, more in settings
    )
    return len(bars) * len(settings), wrong


def pandas_classes(bars: Bars, horizon: int) -> Any:
    """(n_bars,) classes by column operations: as many as the horizon has bars."""
    frame = pd.DataFrame({name: bars.records[name] for name in ("open", "high", "low", "close")})
    squares = pd.Series(np.log(frame.close / frame.close.shift()) ** 2)
    variance = squares[1:].ewm(span=SPAN, adjust=False, min_periods=SPAN).mean()
    width = np.sqrt(variance.reindex(frame.index)) * np.sqrt(horizon)
    above, below = frame.close * (1 + WIDTH * width), frame.close * (1 - WIDTH * width)
    classes = pd.Series(1.0, frame.index)
    open_ = pd.Series(True, frame.index)
    for ahead in range(1, horizon + 1):
        later = frame.shift(-ahead)
        down = open_ & ((later.open <= below) | ((later.open < above) & (later.low <= below)))
        up = open_ & ~down & ((later.open >= above) | (later.high >= above))
        classes[down], classes[up] = 0.0, 2.0
        open_ &= ~(down | up)
    unknown = open_ & (frame.index >= len(frame) - horizon)
    return classes.mask(unknown | width.isna()).to_numpy()


def speeds(bars: Bars, horizon: int) -> tuple[float, float, int]:
    """How many times faster than the loop and than pandas, and classes that pandas differs in."""
    label = TripleBarrier(horizons=(horizon,), upper=WIDTH, lower=WIDTH, span=SPAN)
    fast_s = min(seconds(lambda: label.outcome(bars, label.horizons[0])) for _ in range(7))
    slow_s = seconds(
        lambda: slow_triple_barrier(bars, horizon, upper=WIDTH, lower=WIDTH, span=SPAN)
    )
    pandas_s = min(seconds(lambda: pandas_classes(bars, horizon)) for _ in range(3))
    ours, theirs = label.outcome(bars, label.horizons[0]).value, pandas_classes(bars, horizon)
    unequal = ~((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))
    print(
        f"{bars!r}, {horizon} bars ahead: {fast_s * 1e3:.0f} ms, {slow_s / fast_s:.0f} x the loop, "
        f"{pandas_s / fast_s:.1f} x pandas, which differs in {unequal.sum()} classes",
        flush=True,
    )
    return slow_s / fast_s, pandas_s / fast_s, int(unequal.sum())


def seconds(work: Any) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def search_seconds(seed: int, horizon: int, objective: str) -> float:
    """Wall time of one search over all its candidates."""
    bars = made_up(seed, SEARCHED_BARS)
    recipe = {"label": "genetic_barriers", "objective": objective, "candidates": CANDIDATES}
    label = LABELS.parse(recipe | {"horizons": [horizon], "seed": seed})
    return seconds(lambda: label.fit(bars, np.arange(SEARCHED_BARS)))


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    symbols = compared = wrong = 0
    largest: Bars | None = None
    for bars in real_bars(options.data):
        labels, differ = compare(bars)
        symbols, compared, wrong = symbols + 1, compared + labels, wrong + differ
        if largest is None or len(bars) > len(largest):
            largest = bars
        print(f"{bars!r}: {labels:,} labels, {differ} differ", flush=True)
    assert largest is not None
    print(f"{symbols} symbols, {compared:,} labels compared, {wrong} differ", flush=True)

    speed = {horizon: speeds(largest, horizon) for horizon in (HORIZON, 4 * HORIZON)}

    search_seconds(options.seed, HORIZON, "balance")  # compiles
    searches = {}
    for horizon in (HORIZON, 4 * HORIZON):
        for objective in ("balance", "sharpe", "mean_net"):
            searches[f"{objective}_{horizon}"] = search_seconds(options.seed, horizon, objective)
            print(f"search {objective}, {horizon} bars: {searches[f'{objective}_{horizon}']:.1f} s")
    finish(
        "labels",
        {
            "labels_that_differ": at_most(wrong, 0),
            "times_faster_than_the_loop": at_least(min(each[0] for each in speed.values()), 20),
            "times_faster_than_pandas": at_least(min(each[1] for each in speed.values()), 1),
            "slowest_search_s": at_most(max(searches.values()), 30),
        },
        {
            "symbols": symbols,
            "labels_compared": compared,
            "times_faster_than_the_loop": {horizon: each[0] for horizon, each in speed.items()},
            "times_faster_than_pandas": {horizon: each[1] for horizon, each in speed.items()},
            "pandas_classes_that_differ": {horizon: each[2] for horizon, each in speed.items()},
            "search_s": searches,
        },
    )


if __name__ == "__main__":
    main()
