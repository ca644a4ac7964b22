"""Do 95 % intervals cover the truth in 95 of 100 worlds, where labels overlap and bars depend?

    python benchmarks/intervals.py [--seed N] [--worlds N] [--quick]

Worlds of 2,000 bars in which a persistent signal has an information coefficient near 0.1 with the
next return: every combination of

    overlap    labels of 1, 12 and 78 bars, a decision at each bar
    dynamics   ar1: returns with a memory of 0.15; garch: persistence 0.95; seasonal: half of a
               day's bars are twice as volatile
    symbols    1, and 20 whose returns correlate by 0.3

and for each of them directional accuracy, IC, Sharpe ratio and net edge (half a basis point paid
for a unit), by the product's own errors and quantiles. The truth is that of a long history of the
same process, 250 times as long. That of the net edge is the mean over 250 further worlds of the
same length: it takes off a steady position's profit by means over the bars themselves, so that
where signals persist it lies below the long-run figure by design (`kept_of_net_edge`, near 1).
Coverage is pooled over all worlds of a level; each level has 2,000 or more.

    least_coverage, most_coverage   over levels and figures

Results are kept part by part, so that a run that was stopped goes on.
"""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.signal
from _benchmark import arguments, at_least, at_most, finish
from _kept import Kept

from barstack.evaluation import _metrics as metrics
from barstack.evaluation._profit import timing_of
from barstack.evaluation._standard_errors import blocks_of, reach, timing_se
from barstack.evaluation.measures._measure import of_sums
from barstack.evaluation.measures._ranks import ratio_of_sums

Floats = npt.NDArray[np.float64]
N_BARS, BATCH, BURN = 2_000, 20, 300
OVERLAPS, DYNAMICS, SYMBOLS = (1, 12, 78), ("ar1", "garch", "seasonal"), (1, 20)
FIGURES = ("directional_accuracy", "ic", "sharpe", "net_edge")
SIGNAL_MEMORY, IC, COMMON, COST_BPS, SCALE = 0.97, 0.1, 0.3, 0.5, 0.001
LONG = 250  # lengths of a world, in the history that has the truth
TIMES = np.datetime64("2015-01-01", "us") + np.arange(N_BARS) * np.timedelta64(1, "h")


def simulate(
    dynamics: str, worlds: int, symbols: int, n_bars: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """(worlds, symbols, n_bars) signal at each bar's start, and the bar's return."""
    shape = (worlds, symbols, n_bars + BURN)
    common = rng.normal(size=(worlds, 1, n_bars + BURN))
    shocks = np.sqrt(1.0 - COMMON) * rng.normal(size=shape) + np.sqrt(COMMON) * common
    steps = rng.normal(size=shape) * np.sqrt(1.0 - SIGNAL_MEMORY**2)
    signal = scipy.signal.lfilter([1.0], [1.0, -SIGNAL_MEMORY], steps)
    if dynamics == "garch":
        variance, noise = np.ones(shape[:2]), np.empty(shape)
        for bar in range(shape[2]):
            noise[..., bar] = np.sqrt(variance) * shocks[..., bar]
            variance = 0.05 + 0.08 * noise[..., bar] ** 2 + 0.87 * variance
    elif dynamics == "ar1":
        noise = scipy.signal.lfilter([1.0], [1.0, -0.15], shocks)
    else:
        noise = shocks * np.where(np.arange(shape[2]) % 24 < 12, 1.0, 2.0)
    returns = SCALE * (IC * signal + noise)
    return signal[..., BURN:], returns[..., BURN:]


def parts_of(signal: Floats, returns: Floats, overlap: int) -> dict[str, Floats]:
    """Labels, positions and profits of one world, of (symbols, n_bars) arrays."""
    n_bars = returns.shape[1]
    sums = np.concatenate([np.zeros((len(returns), 1)), np.cumsum(returns, axis=1)], axis=1)
    labels = sums[:, overlap:] - sums[:, : n_bars + 1 - overlap]
    side = np.concatenate([np.zeros((len(returns), 1)), np.cumsum(np.sign(signal), axis=1)], axis=1)
    open_ = np.minimum(np.arange(1, n_bars + 1), overlap)
    first = np.maximum(np.arange(1, n_bars + 1) - overlap, 0)
    position = (side[:, 1:] - side[:, first]) / open_
    cost = COST_BPS * 1e-4 * np.abs(np.diff(position, prepend=0.0, axis=1))
    return {
        "signal": signal[:, : labels.shape[1]],
        "labels": labels,
        "position": position,
        "cost": cost,
        "net": (position * returns - cost).mean(axis=0),
    }


def truth(dynamics: str, symbols: int, overlap: int, seed: int, length: int) -> dict[str, float]:
    rng = np.random.default_rng([seed, 9, DYNAMICS.index(dynamics), symbols, overlap])
    signal, returns = simulate(dynamics, 1, symbols, length * N_BARS, rng)
    parts = parts_of(signal[0], returns[0], overlap)
    hits = np.sign(parts["signal"]) == np.sign(parts["labels"])
    net = parts["net"]
    edges = []
    for _ in range(length // 5):
        worlds = simulate(dynamics, 5, symbols, N_BARS, rng)
        edges += [
            edge_of(parts_of(*pair, overlap), pair[1])[0] for pair in zip(*worlds, strict=True)
        ]
    return {
        "directional_accuracy": float(hits.mean()),
        "ic": float(np.corrcoef(parts["signal"].ravel(), parts["labels"].ravel())[0, 1]),
        "sharpe": float(net.mean() / net.std()),
        "net_edge": float(np.mean(edges)),
        "long_run": float(net.mean()),
    }


def edge_of(parts: dict[str, Floats], returns: Floats) -> tuple[float, float, int]:
    """The net edge of a world, its error, and how many blocks stand behind that."""
    pairs = zip(parts["position"], returns, strict=True)
    timing = np.mean([timing_of(*pair) for pair in pairs], axis=0)
    se, count = timing_se(timing)
    return float((timing - parts["cost"].mean(axis=0)).mean()), se or 0.0, count


def covered(
    signal: Floats, returns: Floats, overlap: int, true: dict[str, float]
) -> dict[str, bool]:
    """For each figure, whether the interval of one world covers the truth."""
    parts = parts_of(signal, returns, overlap)
    n_labels = parts["labels"].shape[1]
    times = np.tile(TIMES[:n_labels], len(returns))
    blocks = blocks_of(times, overlap)
    x, y = parts["signal"].ravel(), parts["labels"].ravel()
    hits = of_sums(metrics.mean_of_sums, metrics.mean_terms(metrics.hits(x, y)), blocks)
    ic = of_sums(metrics.ic_of_sums, metrics.ic_terms(x, y), blocks)
    net = parts["net"]
    terms = np.stack([np.ones(N_BARS), net, net**2], axis=1)
    sharpe = of_sums(ratio_of_sums, terms, blocks_of(TIMES, 1))
    edge, se, count = edge_of(parts, returns)
    found = {
        name: each.low is not None and each.high is not None and each.low <= true[name] <= each.high
        for name, each in (("directional_accuracy", hits), ("ic", ic), ("sharpe", sharpe))
    }
    return found | {"net_edge": abs(edge - true["net_edge"]) <= reach(count) * se}


def cell(overlap: int, dynamics: str, symbols: int, seed: int, worlds: int, length: int) -> Any:
    """Number of worlds, and of those whose interval covers the truth, by figure."""
    kept = Kept("intervals", ("evaluation",))
    key: list[Any] = [overlap, dynamics, symbols, seed, length]
    if [*key, "truth"] not in kept:
        kept[[*key, "truth"]] = truth(dynamics, symbols, overlap, seed, length)
    true = kept[[*key, "truth"]]
    totals = dict.fromkeys(FIGURES, 0)
    for batch in range(-(-worlds // BATCH)):
        if [*key, batch] not in kept:
            place = [seed, batch, OVERLAPS.index(overlap), DYNAMICS.index(dynamics), symbols]
            signal, returns = simulate(
                dynamics, BATCH, symbols, N_BARS, np.random.default_rng(place)
            )
            each = [covered(*pair, overlap, true) for pair in zip(signal, returns, strict=True)]
            kept[[*key, batch]] = {name: sum(one[name] for one in each) for name in FIGURES}
        for name, count in kept[[*key, batch]].items():
            totals[name] += count
    ratio = true["net_edge"] / true["long_run"]
    return {"worlds": BATCH * -(-worlds // BATCH), "kept_of_net_edge": ratio} | totals


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--worlds", type=int, default=340, help="of each of the 18 combinations")
    parser.add_argument("--quick", action="store_true", help="20 worlds, and no bar to meet")
    options = parser.parse_args()
    worlds, length = (BATCH, 25) if options.quick else (options.worlds, LONG)
    cells = {}
    for overlap, dynamics, symbols in product(OVERLAPS, DYNAMICS, SYMBOLS):
        found = cell(overlap, dynamics, symbols, options.seed, worlds, length)
        cells[overlap, dynamics, symbols] = found
        shares = {name: round(found[name] / found["worlds"], 3) for name in FIGURES}
        print(f"{overlap:3} {dynamics:9} {symbols:3}", shares, flush=True)
    levels: dict[str, dict[str, float]] = {}
    for place, level in (
        (p, v) for p, values in enumerate((OVERLAPS, DYNAMICS, SYMBOLS)) for v in values
    ):
        own = [each for key, each in cells.items() if key[place] == level]
        count = sum(each["worlds"] for each in own)
        name = ("overlap", "dynamics", "symbols")[place]
        levels[f"{name} {level}"] = {"worlds": count} | {
            each: round(sum(one[each] for one in own) / count, 4) for each in FIGURES
        }
        print(f"{name} {level}:", levels[f"{name} {level}"], flush=True)
    shares_of = [level[name] for level in levels.values() for name in FIGURES]
    bars = {
        "least_coverage": at_least(min(shares_of), 0.93),
        "most_coverage": at_most(max(shares_of), 0.97),
    }
    figures = {
        "levels_of_accuracy_ic_sharpe_edge": levels,
        "combinations": {
            " ".join(map(str, key)): [round(each[name] / each["worlds"], 4) for name in FIGURES]
            for key, each in cells.items()
        },
        "kept_of_net_edge": {
            " ".join(map(str, key)): round(each["kept_of_net_edge"], 3)
            for key, each in cells.items()
        },
    }
    if options.quick:
        print(json.dumps({"benchmark": "intervals", "bars": bars, "figures": figures}))
        return
    finish("intervals", bars, figures)


if __name__ == "__main__":
    main()
