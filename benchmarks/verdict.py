"""How often the verdict is wrong where there is no edge, and what honesty costs where there is one.

    python benchmarks/verdict.py [--seed N] [--worlds N] [--quick] [--data DIR --calendar XNYS]

Worlds without an edge, cost 0: every kind of market meets every share of bars that only teach,
horizon, number of symbols and side; by the product's own labels, models, profit and p-value.

    kinds    martingale, garch, fat tails; one event in the past (a bar of x1.5, x5 or x100 that
             comes back, a fall of 60 % that stays); a drift with a t-value of 2 over all bars.
             With --data, also the bars of a folder with their returns' signs drawn by lot
    sides    random; one that trends over the test, with and against the drift of the past; momentum
             of 5 bars; one that leans against the market's course while it trends; the signs of a
             ridge and of LightGBM's directions, trained on what was known when the test began

`null_reject_5` and `null_reject_1` are the worst shares of worlds called proven at 5 % and 1 % over
the levels of all factors, each the mean of its cells; `cells_beyond` counts cells above 5 % by more
than chance. `power_kept` is the share of worlds with a planted signal whose edge is proven, over
the same share by the statistic of before, which estimated drift from all bars that came before.
Stopped, the benchmark goes on where it was.
"""

from __future__ import annotations

import json
import multiprocessing
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.signal
import scipy.stats
from _benchmark import arguments, at_least, at_most, finish
from _kept import ROOMS, Kept

from barstack.bars import PROVIDERS, Bars, Panel
from barstack.core.arrays import Floats
from barstack.core.times import KnownAt
from barstack.datasets import Dataset
from barstack.evaluation._profit import Profit, follow, net_edge, timing_of
from barstack.evaluation._standard_errors import blocks_of, overlap_of, timing_se
from barstack.evaluation._verdict import LEVEL
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS, LabelTable
from barstack.models import MODELS, train
from barstack.worlds import WORLDS

TAUGHT, HORIZONS, SYMBOLS = (0.05, 0.5), (1, 12, 48), (1, 8)
BARS, BARS_TO_LEARN = 1_200, 3_000  # a twentieth must leave rows to fit on and to stop by
HOURS: dict[str, Any] = {"bar": "1h", "calendar": "24/7", "horizons": [1]}
NOISE = {"garch": "garch", "fat tails": "fat_tails"}  # all other kinds are martingales
EVENTS = {"one bar x1.5": 1.5, "one bar x5": 5.0, "one bar x100": 100.0, "fall of 60 %": 0.4}
KINDS = ("martingale", *NOISE, *EVENTS, "drift")
RULES = ("random", "trend with drift", "trend against drift", "momentum", "trend and lean")
LEARNERS: dict[str, dict[str, Any]] = {
    "ridge": {"label": "return", "model": {"model": "ridge"}},
    "lightgbm": {"label": "direction", "model": {"model": "lightgbm", "trees": 20}},
}
FEATURES = ("rsi", "body", "relative_volume", "bollinger_position")
BATCH, QUARTER = 25, 4  # worlds; batches that hold also what is costly or beyond the usual
POWER_BARS, R2, COSTS_BPS, POWER_HORIZONS = 3_000, (0.01, 0.03), (0.0, 1.0), (1, 12)
MEMORIES, WALKS = (0.0, 0.9, 0.97, 0.99), 2_000
Key = tuple[str, int, str, float, int, str, int]  # folder, seed, kind, taught, symbols, who, batch


def null_counts(key: Key, calendar: str) -> dict[str, list[int]]:
    """By side and horizon: worlds, those proven at 5 % and at 1 %, and so by what was before."""
    folder, seed, kind, taught, symbols, who, batch = key
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * 6)
    for number in range(batch * BATCH, (batch + 1) * BATCH):
        # A generator for each world; sides draw from one of their own.
        source = np.random.SeedSequence([seed, number, *kind.encode(), int(1000 * taught), symbols])
        world_seed, side_seed = source.spawn(2)
        n_bars = BARS if who == "rules" else BARS_TO_LEARN
        first = int(taught * n_bars)
        seed_of_world = int(world_seed.generate_state(1)[0])
        if kind == "signs":
            panel = drawn(folder, calendar, symbols, n_bars, seed_of_world)
        else:
            panel = world(kind, symbols, n_bars, first, seed_of_world)
        rng = np.random.default_rng(side_seed)
        if who == "rules":
            labels = timed(panel, kind, symbols)
            rows = judged(labels, panel, first)
            rules = RULES if batch < QUARTER else RULES[:-1]
            sides = {rule: of_rule(rule, labels, rows, panel, first, rng) for rule in rules}
        else:
            labels, rows, side = of_learner(who, panel, first)
            sides = {who: side}
        for (name, side), (place, horizon) in product(sides.items(), enumerate(HORIZONS)):
            known_at = KnownAt(labels.known_at[rows, place])
            column = side if side.ndim == 1 else side[:, place]
            profit = follow(panel, labels.decisions.take(rows), column, known_at, 0.0)
            p_values = [net_edge(profit).p_value]
            if symbols == 1:
                p_values.append(
                    p_before(profit, next(iter(panel.values())), known_at, labels, rows)
                )
            each = counts[f"{name}, {horizon}"]
            each[0] += 1
            each[5] += len(p_values) > 1
            for start, p_value in zip((1, 3), p_values, strict=False):
                each[start] += p_value < 0.05
                each[start + 1] += p_value < 0.01
    return {name: [int(each) for each in found] for name, found in counts.items()}


def world(kind: str, symbols: int, n_bars: int, first: int, seed: int) -> Panel:
    """Bars without an edge. What happened once, happened before bar `first`."""
    fields = {
        "world": NOISE.get(kind, "martingale"),
        "symbols": symbols,
        "bars": n_bars,
        "seed": seed,
    }
    panel = WORLDS.parse(fields | {"bar": "1h", "calendar": "24/7", "horizons": [1]}).make().panel
    factor = np.ones(n_bars)
    if kind in EVENTS:
        stays = EVENTS[kind] < 1.0
        factor[first // 2 : None if stays else first // 2 + 1] = EVENTS[kind]
    changed = {}
    for symbol, bars in panel.items():
        if kind == "drift":
            deviation = np.diff(np.log(bars.close)).std()
            factor = np.exp(2.0 / np.sqrt(n_bars) * deviation * np.arange(n_bars))
        records = bars.records.copy()
        for name in ("open", "high", "low", "close"):
            records[name] *= factor
        changed[symbol] = Bars(symbol, bars.length_us, records)
    return changed


@cache
def real(folder: str, calendar: str) -> tuple[Bars, ...]:
    source = {"provider": "files", "path": str(Path(folder).resolve()), "calendar": calendar}
    return tuple(
        each for each in PROVIDERS.parse(source).load().values() if len(each) >= BARS_TO_LEARN
    )


def drawn(folder: str, calendar: str, symbols: int, n_bars: int, seed: int) -> Panel:
    """Stretches of real bars, the sign of each return drawn by lot: nothing can be foretold."""
    rng = np.random.default_rng(seed)
    source = real(folder, calendar)
    panel = {}
    first = None
    for number in range(symbols):
        bars = source[rng.integers(len(source))]
        start = rng.integers(len(bars) - n_bars + 1)
        records = bars.records[start : start + n_bars].copy()
        close = records["close"].copy()
        returns = (close[1:] / close[:-1] - 1.0) * rng.choice([-1.0, 1.0], n_bars - 1)
        path = close[0] * np.cumprod(np.concatenate([[1.0], np.maximum(1.0 + returns, 0.01)]))
        for name in ("open", "high", "low", "close"):
            records[name] *= path / close
        # All symbols on the clock of the first, so that their bars meet.
        first = records if first is None else first
        for name in ("opened_at", "closed_at", "session", "session_open", "session_close"):
            records[name] = first[name]
        panel[f"S{number}"] = Bars(f"S{number}", bars.length_us, records)
    return panel


_timed: dict[tuple[int, int], LabelTable] = {}


def timed(panel: Panel, kind: str, symbols: int) -> LabelTable:
    """Decisions and when their labels are known: the same in all worlds of one clock."""
    bars = next(iter(panel.values()))
    key = (symbols, len(bars))
    if kind == "signs" or key not in _timed:
        label = LABELS.parse({"label": "return", "horizons": list(HORIZONS)})
        _timed[key] = label.compute(panel)
    return _timed[key]


def judged(labels: LabelTable, panel: Panel, first: int) -> npt.NDArray[np.int64]:
    """Rows from bar `first` on whose labels are known at all horizons."""
    start = next(iter(panel.values())).closed_at[first]
    known = ~np.isnat(labels.all_known_at)
    return np.flatnonzero((labels.decisions.decided_at >= start) & known)


def of_rule(
    rule: str,
    labels: LabelTable,
    rows: npt.NDArray[np.int64],
    panel: Panel,
    first: int,
    rng: np.random.Generator,
) -> Floats:
    """(n_rows,) the side of a rule that knows nothing."""
    decisions = labels.decisions
    side = np.zeros(len(rows))
    for code, symbol in enumerate(decisions.symbols):
        own = decisions.symbol_code[rows] == code
        bars = panel[symbol]
        at = np.searchsorted(bars.closed_at, decisions.decided_at[rows[own]])
        price = np.log(bars.close)
        passed = (at - first) / (len(bars) - first)
        drift = np.sign(price[first] - price[0]) or 1.0
        if rule == "random":
            side[own] = rng.choice([-1.0, 1.0], len(at))
        elif rule == "momentum":
            side[own] = np.sign(price[at] - price[np.maximum(at - 5, 0)])
        elif rule == "trend and lean":
            usual = 1.5 * np.median(np.abs(np.diff(price[: first + 1])))
            scale = usual * np.sqrt(len(bars) - first)
            side[own] = np.clip((price[first] - price[at]) / scale / 2 + 2 * passed - 1, -1, 1)
        else:
            side[own] = np.where(passed < 0.5, -1.0, 1.0) * drift * (1 if "with" in rule else -1)
    return side


def of_learner(
    who: str, panel: Panel, first: int
) -> tuple[LabelTable, npt.NDArray[np.int64], Floats]:
    """Labels, rows that are judged, and (n_rows, n_horizons) the sign of a model's forecasts."""
    learner = LEARNERS[who]
    label = LABELS.parse({"label": learner["label"], "horizons": list(HORIZONS)})
    features = FeatureSet(features=tuple(Feature(feature=name) for name in FEATURES))
    dataset = Dataset(features.compute(panel), label.compute(panel))
    labels, start = dataset.labels, next(iter(panel.values())).closed_at[first]
    teaches = np.flatnonzero((labels.all_known_at <= start) & dataset.usable)
    rows = judged(labels, panel, first)
    rows = rows[dataset.usable[rows]]
    fitted = train(MODELS.parse(learner["model"]), dataset, teaches, seed=0)
    return labels, rows, np.sign(fitted.forecast(dataset.features, rows).signal)


def p_before(profit: Profit, bars: Bars, known_at: KnownAt, labels: LabelTable, rows: Any) -> float:
    """The p-value of one symbol's profit as it was before: with the drift of all bars so far."""
    every = bars.close[1:] / bars.close[:-1] - 1.0
    held = np.searchsorted(bars.closed_at, profit.time) - 1
    drift = (np.cumsum(every) / np.arange(1, len(bars)))[np.maximum(held - 1, 0)]
    drift = np.where(held > 0, drift, 0.0)
    steady = np.cumsum(profit.position) / np.arange(1, len(held) + 1)
    timing = profit.net - steady * profit.hold - (profit.position - steady) * drift
    overlap = overlap_of(labels.decisions.decided_at[rows], known_at)
    return jackknifed(timing, blocks_of(profit.time, overlap).count)


def jackknifed(timing: Floats, count: int) -> float:
    """p-value of a mean by leaving out one of `count` blocks after another."""
    if count < 5:
        return 1.0
    n_bars = len(timing)
    of_row = np.arange(n_bars) * count // n_bars
    left_out = (timing.sum() - np.bincount(of_row, timing)) / (n_bars - np.bincount(of_row))
    se = np.sqrt(((left_out - left_out.mean()) ** 2).sum() * (count - 1) / count)
    return float(scipy.stats.t.sf(timing.mean() / se, count - 1)) if se > 0.0 else 1.0


def power_counts(seed: int, r2: float, batch: int) -> dict[str, list[int]]:
    """By horizon and cost: linear worlds, those whose edge is proven, and so before."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * 3)
    n_bars, horizons = POWER_BARS, list(POWER_HORIZONS)
    for number in range(batch * BATCH, (batch + 1) * BATCH):
        fields = {"world": "linear", "r2": r2, "seed": 1_000_000 * (1 + seed) + number} | HOURS
        panel = WORLDS.parse(fields | {"bars": n_bars}).make().panel
        (bars,) = panel.values()
        features = FeatureSet(features=(Feature(feature="wick_balance"), Feature(feature="body")))
        label = LABELS.parse({"label": "return", "horizons": horizons})
        dataset = Dataset(features.compute(panel), label.compute(panel))
        labels, start = dataset.labels, bars.closed_at[n_bars // 2]
        teaches = np.flatnonzero((labels.all_known_at <= start) & dataset.usable)
        rows = judged(labels, panel, n_bars // 2)
        fitted = train(MODELS.parse({"model": "ridge"}), dataset, teaches, seed=0)
        side = np.sign(fitted.forecast(dataset.features, rows).signal)
        for (place, horizon), cost in product(enumerate(horizons), COSTS_BPS):
            known_at = KnownAt(labels.known_at[rows, place])
            decisions = labels.decisions.take(rows)
            profit = follow(panel, decisions, side[:, place], known_at, cost)
            each = counts[f"{horizon} bars, {cost:g} bp"]
            each[0] += 1
            each[1] += net_edge(profit).p_value < LEVEL
            each[2] += p_before(profit, bars, known_at, labels, rows) < LEVEL
    return {name: [int(each) for each in found] for name, found in counts.items()}


def power_by_memory(seed: int, worlds: int) -> dict[str, list[float]]:
    """Share proven and share before, for the true signal's sign over 1,000 bars that are judged.

    The signal's correlation with the next return is 0.1. The bars before are as many.
    """
    found = {}
    for memory in MEMORIES:
        rng = np.random.default_rng([seed, int(100 * memory)])
        counts = np.zeros(2)
        for _ in range(worlds):
            shocks = rng.normal(size=2_000) * np.sqrt(1.0 - memory**2)
            shocks[0] = rng.normal()
            signal = scipy.signal.lfilter([1.0], [1.0, -memory], shocks)
            returns = 0.1 * signal + np.sqrt(0.99) * rng.normal(size=2_000)
            position, own = np.sign(signal[1_000:]), returns[1_000:]
            timing = timing_of(position, own)
            se, count = timing_se(timing)
            counts[0] += scipy.stats.t.sf(timing.mean() / se, count - 1) < LEVEL
            drift = (np.cumsum(returns) / np.arange(1, 2_001))[999:-1]
            steady = np.cumsum(position) / np.arange(1, 1_001)
            before = position * own - steady * own - (position - steady) * drift
            counts[1] += jackknifed(before, 20) < LEVEL
        found[f"memory {memory:g}"] = [round(float(each), 3) for each in counts / worlds]
    return found


def both_at_once(seed: int, worlds: int) -> dict[str, float]:
    """Share proven of a side that leans while it trends, on walks with a drift of t = 2.

    By this statistic, and by the larger p-value of two: of (position - mean so far) x return, and
    of the covariance of position and return over the test.
    """
    rng = np.random.default_rng([seed, 2])
    counts, n_bars = np.zeros(2), 600
    for _ in range(worlds):
        returns = rng.normal(size=n_bars) + 2.0 / np.sqrt(n_bars)
        price = np.cumsum(returns) - returns
        passed = np.arange(n_bars) / n_bars
        position = np.clip(2 * passed - 1 - price / np.sqrt(n_bars) / 2, -1, 1)
        steady = np.cumsum(position) / np.arange(1, n_bars + 1)
        timing = timing_of(position, returns)
        se, count = timing_se(timing)
        counts[0] += scipy.stats.t.sf(timing.mean() / se, count - 1) < LEVEL
        parts = (
            (position - steady) * returns,
            (position - position.mean()) * (returns - returns.mean()),
        )
        counts[1] += (
            max(scipy.stats.norm.sf(x.sum() / np.sqrt((x**2).sum())) for x in parts) < LEVEL
        )
    now, two = counts / worlds
    return {"now": round(float(now), 3), "larger_of_two": round(float(two), 3)}


def keys(options: Any) -> Iterator[tuple[Any, ...]]:
    """What is to be computed: all cells a few worlds at a time, so that none waits for long."""
    folder = str(options.data or "")
    kinds = (*KINDS, "signs") if folder else KINDS
    for batch in range(-(-options.worlds // BATCH)):
        for kind, taught, symbols in product(kinds, TAUGHT, SYMBOLS):
            yield folder, options.seed, kind, taught, symbols, "rules", batch
            if batch < QUARTER:
                for who in LEARNERS:
                    yield folder, options.seed, kind, taught, symbols, who, batch
        if batch < 2 * QUARTER:
            for r2 in R2:
                yield "power", options.seed, r2, batch


def computed(calendar: str, key: tuple[Any, ...]) -> dict[str, list[int]]:
    """The counts that belong to a key."""
    return power_counts(*key[1:]) if key[0] == "power" else null_counts(key, calendar)


def collect(options: Any) -> dict[tuple[Any, ...], dict[str, list[int]]]:
    """Counts by key, computed or kept."""
    kept = Kept("verdict", (*ROOMS, "evaluation"))
    wanted = list(keys(options))
    left = [key for key in wanted if key not in kept]
    compute = partial(computed, options.calendar)
    if options.processes == 1:
        made: Any = map(compute, left)
    else:
        fresh = multiprocessing.get_context("spawn")
        made = ProcessPoolExecutor(options.processes, fresh).map(compute, left)
    for number, (key, counts) in enumerate(zip(left, made, strict=True), start=1):
        kept[key] = counts
        print(f"{number} of {len(left)}: {key}", flush=True)
    return {key: kept[key] for key in wanted}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--worlds", type=int, default=400, help="a cell; of models at most 100")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="25 worlds a cell, and no bar to meet")
    parser.add_argument("--calendar", default="XNYS", help="of the bars in --data")
    options = parser.parse_args()
    options.worlds = BATCH if options.quick else options.worlds
    counts = collect(options)
    cells: dict[tuple[Any, ...], Any] = defaultdict(lambda: np.zeros(6))
    power: dict[str, Any] = defaultdict(lambda: np.zeros(3))
    for key, found in counts.items():
        for name, each in found.items():
            if key[0] == "power":
                power[f"R² {key[2]:g}, {name}"] += each
            else:
                side, horizon = name.split(", ")
                cells[(key[2], key[3], key[4], side, int(horizon))] += each
    levels = of_levels(cells)

    def worst(place: int) -> float:
        return max(each[place] or 0.0 for each in levels.values())

    beyond = [
        cell
        for cell, each in cells.items()
        if scipy.stats.binom.sf(each[1] - 1, each[0], 0.05) < 0.01 / len(cells)
    ]
    proven = {
        name: [round(float(each[n] / each[0]), 3) for n in (1, 2)] for name, each in power.items()
    }
    slow = power_by_memory(options.seed, WALKS)
    total = sum(power.values())
    for name, level in levels.items():
        print(f"{name:30}", *("" if each is None else f"{each:7.4f}" for each in level))
    for name, shares in (proven | slow).items():
        print(f"{name:30}", *(f"{each:7.3f}" for each in shares))
    figures: dict[str, Any] = {
        "cells": len(cells),
        "worlds": int(sum(each[0] for each in cells.values())),
        "least_worlds_a_cell": int(min(each[0] for each in cells.values())),
        "levels_at_5_and_1_and_before": levels,
        "beyond": [list(cell) for cell in beyond],
        "worst_cells": [
            [*cell, round(float(each[1] / each[0]), 4)]
            for cell, each in sorted(cells.items(), key=lambda x: -x[1][1] / x[1][0])[:5]
        ],
        "power_now_and_before": proven,
        "power_by_memory": slow,
        "leaning_and_trending": both_at_once(options.seed, WALKS),
    }
    bars = {
        "null_reject_5": at_most(worst(0), 0.06),
        "null_reject_1": at_most(worst(1), 0.015),
        "cells_beyond": at_most(len(beyond), 0),
        "power_kept": at_least(round(float(total[1] / total[2]), 4), 0.97),
    }
    if options.quick:
        print(json.dumps({"benchmark": "verdict", "bars": bars, "figures": figures}))
        return
    finish("verdict", bars, figures)


def of_levels(cells: dict[tuple[Any, ...], Any]) -> dict[str, list[float | None]]:
    """By level of each factor: mean over cells of the shares proven at 5 % and 1 %, and before.

    What was before is of one symbol only.
    """
    found = {}
    names = ("kind", "taught", "symbols", "side", "horizon")
    for place, name in enumerate(names):
        for level in dict.fromkeys(cell[place] for cell in cells):
            every = [each for cell, each in cells.items() if cell[place] == level]
            alone = [each for each in every if each[5]]
            found[f"{name} {level}"] = [
                round(float(np.mean([each[n] / each[of] for each in own])), 4) if own else None
                for n, of, own in ((1, 0, every), (2, 0, every), (3, 5, alone), (4, 5, alone))
            ]
    return found


if __name__ == "__main__":
    main()
