"""Whether worlds are what they say: oracles against the stated figures, on many worlds.

    python benchmarks/worlds.py [--seed N] [--worlds N] [--data DIR --calendar XNYS]

Each kind of signal meets each noise on `--worlds` seeds, none of them used in the tests. An
oracle with the true signal is scored at three horizons; how many standard errors each score lies
from the stated figure should have mean 0 and standard deviation 1 over all worlds. The profits of
simple strategies on worlds of noise are scored in the same way. With --data, the bars of a folder
are compared with the world `market`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from _benchmark import arguments, at_most, finish

from barstack.bars import PROVIDERS, Bars
from barstack.testing import z_scores
from barstack.worlds import NOISES, WORLDS, likeness

KINDS = ("linear", "interaction", "regime_dependent", "lead_lag", "decaying")
NOISE_KINDS = (
    "martingale",
    "garch",
    "regime_volatility",
    "seasonal",
    "jumps",
    "fat_tails",
    "market",
)
BARS = 20_000
FIRST_SEED = 1_000_000  # tests use smaller ones


def oracle_scores(worlds: int, seed: int) -> dict[str, list[float]]:
    """Scores of the oracle by figure, by kind and by noise."""
    scores: dict[str, list[float]] = defaultdict(list)
    for kind in KINDS:
        for noise in NOISES:
            for _ in range(worlds):
                seed += 1  # worlds of one seed would share their noise
                fields = {"world": kind, "noise": noise, "seed": seed, "bars": BARS, "r2": 0.02}
                made = WORLDS.parse(fields | {"horizons": [1, "1h", "1d"]}).make()
                for name, score in z_scores(made).items():
                    scores[name.split()[0]].append(score)
                    scores[f"kind {kind}"].append(score)
                    scores[f"noise {noise}"].append(score)
        print(f"{kind}: {worlds * len(NOISES)} worlds", flush=True)
    return scores


def strategy_scores(worlds: int, seed: int) -> list[float]:
    """Scores of the mean profit of simple strategies, each on each world of noise."""
    scores = []
    for kind in NOISE_KINDS:
        for _ in range(worlds):
            seed += 1
            fields = {"world": kind, "seed": seed, "bars": BARS, "horizons": [1]}
            for held, returns in _strategies(WORLDS.parse(fields).bars_of("W0001")):
                profit = held * returns
                scores.append(float(profit.mean() / (profit.std() / np.sqrt(len(profit)))))
    return scores


def _strategies(bars: Bars) -> list[tuple[Any, Any]]:
    close, r = bars.close, bars.records
    returns = close[1:] / close[:-1] - 1.0
    moves = np.diff(close, prepend=close[0])
    fast, slow = (np.convolve(close, np.ones(n) / n)[: len(close)] for n in (10, 50))
    busy = r["volume"] > 1.5 * np.convolve(r["volume"], np.ones(50) / 50)[: len(close)]
    held = [np.ones(len(close)), np.sign(moves), -np.sign(moves), np.sign(fast - slow)]
    held += [busy * np.sign(close - r["open"]), (r["closed_at"] == r["session_close"]) * 1.0]
    return [(each[60:-1], returns[60:]) for each in held]


def summary(scores: list[float]) -> dict[str, float]:
    """Mean and standard deviation, and the share beyond three."""
    z = np.array(scores)
    beyond = float((np.abs(z) > 3).mean())
    figures = {"mean": float(z.mean()), "sd": float(z.std()), "beyond_3": beyond}
    return {"n": len(z)} | {name: round(value, 4) for name, value in figures.items()}


def speed() -> dict[str, float]:
    """Bars made a second, of the plainest and of the richest noise; the best of three."""
    found: dict[str, float] = {}
    for noise in ("gaussian", "market"):
        fields = {"world": "linear", "noise": noise, "bars": 200_000, "horizons": [1]}
        seconds = []
        for seed in range(4):
            world = WORLDS.parse(fields | {"seed": seed})
            start = time.perf_counter()
            world.bars_of("W0001")
            seconds.append(time.perf_counter() - start)
        found[f"bars_per_s_{noise}"] = round(200_000 / min(seconds))
    return found


def compared(folder: Path, calendar: str, bar: str) -> dict[str, Any]:
    """Facts of real bars and of the world `market` on the same calendar."""
    source = {"provider": "files", "path": str(folder.resolve()), "calendar": calendar}
    real = list(PROVIDERS.parse(source).load().values())[:5]
    fields = {"world": "market", "calendar": calendar, "bar": bar, "horizons": [1]}
    made = WORLDS.parse(fields).bars_of("W0001")
    return {each.symbol: likeness(each).summary() for each in (made, *real)}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--worlds", type=int, default=10, help="of each kind and noise")
    parser.add_argument("--calendar", default="XNYS", help="of the bars in --data")
    parser.add_argument("--bar", default="5min", help="length of the bars in --data")
    options = parser.parse_args()
    seed = FIRST_SEED * (1 + options.seed)
    scores = oracle_scores(options.worlds, seed)
    oracle = {name: summary(each) for name, each in sorted(scores.items())}
    profits = summary(strategy_scores(options.worlds, seed + FIRST_SEED // 2))
    every = summary([score for name in ("r2", "ic", "accuracy", "bias") for score in scores[name]])
    figures: dict[str, Any] = {
        "worlds": options.worlds * len(KINDS) * len(NOISES),
        "oracle": oracle,
        "strategies": profits,
        **speed(),
    }
    if options.data:
        figures["likeness"] = compared(options.data, options.calendar, options.bar)
    for name, each in oracle.items():
        print(f"{name:24} {each}")
    print(f"{'strategies on noise':24} {profits}")
    bars = {
        "oracle_z_mean": at_most(abs(every["mean"]), 0.1),
        "oracle_z_sd": at_most(every["sd"], 1.15),
        "oracle_beyond_3": at_most(every["beyond_3"], 0.01),
        "strategy_z_mean": at_most(abs(profits["mean"]), 0.1),
        "strategy_z_sd": at_most(profits["sd"], 1.1),
    }
    finish("worlds", bars, figures)


if __name__ == "__main__":
    main()
