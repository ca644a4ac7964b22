"""Whether counting a study's trials by how alike they are keeps its level, and what it gains.

    python benchmarks/family.py [--seed N] [--worlds N]

Worlds without an edge, cost 0: hourly bars with clustered volatility (GARCH) or fat tails, 600 or
2,400 of them. A study has 2, 12 or 60 trials: rules that hold a position for 1 or 12 bars, whose
forecasts correlate by 0, 0.6, 0.95 or 0.995, some of them with opposite signs. The best of them is
judged by its p-value for all, by the product's own profit, p-value and `family_of`. A world is
called proven where that is below 5 %.

`reject_5` is the worst share of worlds so called over the levels of all factors, each the mean of
its cells; `cells_beyond` counts cells above 5 % by more than chance. `power_gain` is how many times
as often an edge is proven as when each trial counts whole, in worlds in which all trials of 12 have
a part of one edge and correlate by 0.95; there the level is at most that of single trials.
"""

from __future__ import annotations

import multiprocessing
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product

import numpy as np
import scipy.stats
from _benchmark import arguments, at_least, at_most, finish

from barstack.evaluation import adjusted_p_value, family_of
from barstack.evaluation._profit import Profit, net_edge, timing_of

LEVEL = 0.05
KINDS, BARS, TRIALS = ("garch", "fat tails"), (600, 2_400), (2, 12, 60)
ALIKE, HELD = (0.0, 0.6, 0.95, 0.995), (1, 12)
EDGE_R = 0.05  # correlation of forecast and return of the common part
Cell = tuple[str, int, int, float, int]


def returns_of(kind: str, n_bars: int, rng: np.random.Generator) -> np.ndarray:
    """Returns that cannot be predicted."""
    if kind == "fat tails":
        return 0.004 * rng.standard_t(3, n_bars)
    shocks, found, variance = rng.standard_normal(n_bars), np.empty(n_bars), 1.0
    for bar in range(n_bars):
        found[bar] = np.sqrt(variance) * shocks[bar]
        variance = 0.02 + 0.08 * found[bar] ** 2 + 0.9 * variance
    return 0.004 * found


def judged(cell: Cell, seed: int, *, edge: bool = False) -> tuple[bool, bool]:
    """Whether the best of a world's trials is called proven: by the family, and by each whole."""
    kind, n_bars, n_trials, alike, held = cell
    name = f"{kind} {n_bars} {n_trials} {alike} {held} {edge}"
    rng = np.random.default_rng([seed, *name.encode()])
    returns = returns_of(kind, n_bars, rng)
    n_decisions = -(-n_bars // held)
    common = rng.standard_normal(n_decisions)
    if edge:
        ahead = np.add.reduceat(returns, np.arange(0, n_bars, held))
        common += EDGE_R * np.sqrt(held) * ahead / ahead.std()
    time = np.datetime64("2026-01-05", "us") + np.arange(n_bars) * np.timedelta64(1, "h")
    nothing = np.zeros(n_bars)
    profits = []
    for trial in range(n_trials):
        own = np.sqrt(alike) * common + np.sqrt(1.0 - alike) * rng.standard_normal(n_decisions)
        sign = -1.0 if trial % 4 == 3 and not edge else 1.0
        position = np.repeat(sign * np.sign(own), held)[:n_bars]
        timing = timing_of(position, returns)
        gross = position * returns
        profits.append(Profit(time, gross, nothing, returns, timing, position, nothing))
    p_value = min(net_edge(profit).p_value for profit in profits)
    family = family_of([time] * n_trials, [profit.timing for profit in profits])
    return (
        adjusted_p_value(p_value, n_trials, family) < LEVEL,
        adjusted_p_value(p_value, n_trials) < LEVEL,
    )


def shares(cell: Cell, seed: int, worlds: int, edge: bool = False) -> tuple[float, float]:
    """Of worlds called proven, by the family and by each whole."""
    found = [judged(cell, seed * 1_000_003 + world, edge=edge) for world in range(worlds)]
    return float(np.mean([one for one, _ in found])), float(np.mean([other for _, other in found]))


def main() -> None:
    """Run all cells and print the result."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--worlds", type=int, default=200, help="for each cell")
    given = parser.parse_args()
    cells: list[Cell] = list(product(KINDS, BARS, TRIALS, ALIKE, HELD))
    powered: list[Cell] = [(kind, 2_400, 12, 0.95, held) for kind, held in product(KINDS, HELD)]
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        run = partial(shares, seed=given.seed, worlds=given.worlds)
        null = dict(zip(cells, pool.map(run, cells), strict=True))
        edges = list(pool.map(partial(run, edge=True), powered))
    levels: dict[str, list[float]] = defaultdict(list)
    names = ("kind", "bars", "trials", "alike", "held")
    for cell, (by_family, _) in null.items():
        for name, value in zip(names, cell, strict=True):
            levels[f"{name} {value}"].append(by_family)
    means = {name: round(float(np.mean(own)), 4) for name, own in levels.items()}
    chance = scipy.stats.binom.isf(0.01 / len(cells), given.worlds, LEVEL) / given.worlds
    power, whole = np.mean(edges, axis=0)
    for name, share in means.items():
        print(f"{name:14} {100 * share:5.2f} %")
    finish(
        "family",
        {
            "reject_5": at_most(max(means.values()), 0.06),
            "cells_beyond": at_most(int(sum(one > chance for one, _ in null.values())), 0),
            "power_gain": at_least(round(float(power / max(whole, 1e-9)), 3), 1.1),
        },
        {
            "worlds": given.worlds * len(cells),
            "levels": means,
            "whole_level": round(float(np.mean([other for _, other in null.values()])), 4),
            "power": round(float(power), 4),
            "power_each_whole": round(float(whole), 4),
        },
    )


if __name__ == "__main__":
    main()
