"""How good the best forecast of a world is: in closed form, by an integral, or simulated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import scipy.stats

from barstack.core.arrays import Floats, Rows
from barstack.core.horizon import Horizon

from ._bar_times import BarTimes
from ._noise import Noise, clipped_deviation
from ._process import Process
from ._signal import Signal
from ._streams import Streams

_GOOD_ENOUGH = 2.5e-4  # standard error at which simulating ends
_MOST_BARS = 16_000_000  # simulated at most
_LONG_ENOUGH = 20_000  # bars at a time: beginning a world costs as much as thousands of them
_FEWEST_WORLDS = 24  # simulated at least, as their scatter is the standard error
_NODES = 48


@dataclass(frozen=True)
class Known:
    """A figure, how it was found, and its standard error, 0 where exact."""

    value: float
    how: Literal["exact", "simulated"] = "exact"
    se: float = 0.0


def figures_of(world: Process) -> list[tuple[Known, Known, Known]]:
    """(R², directional accuracy, information coefficient) of the best forecast at each horizon.

    They average over the decisions of this calendar whose holding ends within the bars. With f
    the forecast and R the return, R² = E[f²] / E[R²] and the correlation is its root, as the best
    forecast is uncorrelated with its error. Both are sums of known variances. They leave out
    that returns compound, which changes them by about the variance of the return: at a daily
    volatility of 1 %, by one part in ten thousand.
    """
    # Neither seed nor the other symbols have a say, so worlds that differ in them share the work.
    symbols = 2 if world.follows_leader else 1
    plain = {"seed": 0, "symbols": symbols, "correlation": 0.0, "price": 100.0, "volume": 1e4}
    return list(_figures(world.model_copy(update=plain)))


@lru_cache(maxsize=512)
def _figures(world: Process) -> tuple[tuple[Known, Known, Known], ...]:
    times = world.bar_times()
    signal = world.signal(times)
    if signal is None:
        return tuple((Known(0.0), Known(0.5), Known(0.0)) for _ in world.horizons)
    noise = np.concatenate([[0.0], np.cumsum(times.scale(world.noise)[0] ** 2)])
    exits = [_exits(times, horizon) for horizon in world.horizons]
    explained = [signal.forecast_variance(leave) for leave in exits]
    whole = [
        signal.path_variance(leave) + noise[leave + 1] - noise[1 : len(leave) + 1]
        for leave in exits
    ]
    r2 = [float(f.sum() / r.sum()) for f, r in zip(explained, whole, strict=True)]
    accuracy: list[Known | None] = []
    for leave, f, r in zip(exits, explained, whole, strict=True):
        if world.noise.gaussian and signal.law == "gaussian":
            # Sheppard (1899): signs of two Gaussians with correlation q agree that often.
            accuracy.append(Known(float(np.mean(0.5 + np.arcsin(np.sqrt(f / r)) / np.pi))))
        elif (leave - np.arange(len(leave)) == 1).all() and _can_integrate(world.noise, signal):
            accuracy.append(Known(_one_bar_accuracy(world.noise, signal, f, r - f)))
        else:
            accuracy.append(None)
    simulated = _simulated_accuracy(world, signal, exits) if None in accuracy else []
    return tuple(
        (Known(r2[h]), accuracy[h] or simulated[h], Known(float(np.sqrt(r2[h]))))
        for h in range(len(exits))
    )


def _exits(times: BarTimes, horizon: Horizon) -> Rows:
    """Exits of the decisions that see theirs; of all, where none does."""
    leave = times.exits(horizon)
    known = leave[leave < times.bars]
    return known if len(known) else leave


def _can_integrate(noise: Noise, signal: Signal) -> bool:
    return noise.arch == 0 and signal.law != "noise"


def _one_bar_accuracy(noise: Noise, signal: Signal, forecast: Floats, rest: Floats) -> float:
    """E[1/2 + P(|move| < |forecast|) / 2], as moves are symmetric and do not know the forecast.

    forecast, rest  (n_rows,) variances of the forecast and of the move
    """
    # Over |x| for a Gaussian x: Gauss-Legendre on [0, 8], beyond which lies 1e-15.
    nodes, weight = np.polynomial.legendre.leggauss(_NODES)
    nodes, weight = 4.0 * (nodes + 1.0), 4.0 * weight
    weight = weight * 2.0 * scipy.stats.norm.pdf(nodes)
    if signal.law == "product":
        nodes, weight = np.outer(nodes, nodes).ravel(), np.outer(weight, weight).ravel()
    ratio, count = np.unique(np.round(np.sqrt(forecast / rest), 12), return_counts=True)
    inside = np.zeros(len(ratio))
    levels = noise.regime_levels
    for level in levels:
        chance = _within(noise, ratio[:, None] * nodes / np.sqrt(level))
        inside += chance @ weight / len(levels)
    return float(0.5 + 0.5 * np.average(inside, weights=count))


def _within(noise: Noise, reach: Floats) -> Floats:
    """P(|z| < reach)."""
    law: Any = scipy.stats.norm() if noise.tails is None else scipy.stats.t(noise.tails)
    unit = 1.0 if noise.tails is None else clipped_deviation(noise.tails)
    usual = np.sqrt(1.0 + noise.jumps * (noise.jump_size**2 - 1.0)) * unit
    chance = (1.0 - noise.jumps) * (2.0 * law.cdf(reach * usual) - 1.0)
    if noise.jumps:
        chance += noise.jumps * (2.0 * law.cdf(reach * usual / noise.jump_size) - 1.0)
    return np.asarray(chance)


def _simulated_accuracy(world: Process, signal: Signal, exits: list[Rows]) -> list[Known]:
    """From worlds of other seeds on the same calendar, each one draw of every horizon's accuracy.

    A short world runs through its times in many rounds, of which the draw is the mean: one round
    after another is as good as worlds apart, but for what the last bars of one say of the next.

    Turning all moves N of a holding round is as likely as leaving them, and changes neither
    forecast f nor what was to be expected G. Averaged over both, the sign of f is right
    in 1/2 + 1/2 sign(f) sign(G) [|G| > |N|] of cases: far less scatter than counting one.
    """
    found: list[Floats] = []
    n = len(world.bar_times().records)
    rounds = max(_LONG_ENOUGH // n, 1)
    while True:
        name = f"simulated {len(found)}"
        own = world.parts_of(name, Streams(0, name), rounds)
        leader = own
        if world.follows_leader:
            leader = world.parts_of(name, Streams(0, f"leader of {name}"), rounds)
        driver = world.driver(own, leader).reshape(rounds, n)
        expected = np.cumsum([signal.expected(each) for each in driver], axis=1)
        moved = np.cumsum(own.move.reshape(rounds, n), axis=1)
        found.append(np.array([_right(driver, expected, moved, leave) for leave in exits]))
        if len(found) >= _FEWEST_WORLDS:
            draws = np.array(found)
            se = draws.std(axis=0, ddof=1) / np.sqrt(len(found))
            if (se < _GOOD_ENOUGH).all() or len(found) * rounds * n >= _MOST_BARS:
                break
    return [
        Known(float(value), "simulated", float(error))
        for value, error in zip(draws.mean(axis=0), se, strict=True)
    ]


def _right(driver: Floats, expected: Floats, moved: Floats, leave: Rows) -> float:
    """The share of right signs; the first three (rounds, n_bars)."""
    rows = len(leave)
    known = expected[:, leave] - expected[:, :rows]
    surprise = np.abs(moved[:, leave] - moved[:, :rows])
    agree = np.sign(driver[:, :rows]) * np.sign(known) * (np.abs(known) > surprise)
    return float(0.5 + 0.5 * agree.mean())
