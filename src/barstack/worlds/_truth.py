"""The truth about a world: its best forecasts, and how good they are.

Figures are in closed form, by an integral, or simulated.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy

from barstack.bars import Panel
from barstack.core.arrays import Floats, Rows
from barstack.core.columns import at_horizon
from barstack.core.decisions import Decisions
from barstack.core.horizon import Horizon

from ._bar_times import BarTimes
from ._noise import Noise, Streams, clipped_deviation
from ._process import Process
from ._signal import Signal

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Estimate:
    """A figure, its method, and its standard error, 0 if exact."""

    value: float
    how: Literal["exact", "simulated"] = "exact"
    se: float = 0.0


@dataclass(frozen=True)
class Figure:
    """How good the best forecast of one horizon is, over all worlds of the same fields but `seed`.

    r2                    share of squared returns explained
    directional_accuracy  share of moves with the correct sign
    ic                    correlation with returns
    """

    horizon: str
    r2: Estimate
    directional_accuracy: Estimate
    ic: Estimate


@dataclass(frozen=True)
class Realised:
    """Scores of the best forecast on the bars that were made, at one horizon."""

    horizon: str
    n_decisions: int
    r2: float | None
    directional_accuracy: float | None
    ic: float | None


@dataclass(frozen=True, eq=False)
class Truth:
    """Best forecasts of one world, decided at every bar's close.

    decisions  (n_rows,) symbol by symbol
    horizons   names as in a label's target
    forecast   (n_rows, n_horizons) expected return given all bars so far, as a fraction

    >>> from barstack.worlds import WORLDS
    >>> made = WORLDS.parse({"world": "martingale", "bars": 50, "horizons": [1]}).make()
    >>> bool((made.truth.forecast == 0.0).all())  # of which the best forecast is none
    True
    """

    world: Process
    decisions: Decisions
    horizons: tuple[str, ...]
    forecast: Floats

    def __len__(self) -> int:
        return len(self.decisions)

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """How good the best forecast is at each horizon, computed on first use.

        They describe the process on this calendar, not these bars. In a world with a leader they
        describe the other symbols.
        """
        return tuple(
            Figure(horizon, *known)
            for horizon, known in zip(self.horizons, figures_of(self.world), strict=True)
        )

    def realised(self, panel: Panel) -> tuple[Realised, ...]:
        """Scores of the forecasts on these bars of the world, over all forecastable symbols."""
        times = self.world.bar_times()
        found = []
        for place, horizon in enumerate(self.world.horizons):
            leave = times.exits(horizon)
            rows = np.flatnonzero(leave < self.world.bars)
            forecasts, returns = [], []
            for code, symbol in enumerate(self.decisions.symbols):
                if symbol not in self.world.forecastable:
                    continue
                close = panel[symbol].close
                returns.append(close[leave[rows]] / close[rows] - 1.0)
                own = self.forecast[self.decisions.symbol_code == code, place]
                forecasts.append(own[rows])
            name = self.horizons[place]
            found.append(_realised(name, np.concatenate(forecasts), np.concatenate(returns)))
        return tuple(found)

    def table(self) -> pl.DataFrame:
        """decided_at, symbol and a column `return_1h` for each horizon."""
        import polars as pl  # noqa: PLC0415 (only for those who store the truth)

        columns: dict[str, Any] = {
            "decided_at": self.decisions.decided_at,
            "symbol": self.decisions.symbol,
        }
        columns |= {
            at_horizon("return", name): self.forecast[:, h] for h, name in enumerate(self.horizons)
        }
        return pl.DataFrame(columns).with_columns(pl.col("decided_at").dt.replace_time_zone("UTC"))

    def to_json(self) -> dict[str, Any]:
        """The world and its figures as plain data."""
        return {
            "world": self.world.content(),
            "id": self.world.id,
            "forecastable": list(self.world.forecastable),
            "figures": [asdict(figure) for figure in self.figures],
        }


def _realised(horizon: str, forecast: Floats, returns: Floats) -> Realised:
    """Scores as in evaluation, against a forecast of 0."""
    if not len(returns) or not np.ptp(forecast):
        return Realised(horizon, len(returns), None, None, None)
    moved = returns != 0.0
    right = 0.5 + 0.5 * np.sign(forecast[moved]) * np.sign(returns[moved])
    return Realised(
        horizon=horizon,
        n_decisions=len(returns),
        r2=1.0 - float(((returns - forecast) ** 2).sum() / (returns**2).sum()),
        directional_accuracy=float(right.mean()),
        ic=float(np.corrcoef(forecast, returns)[0, 1]),
    )


_GOOD_ENOUGH = 2.5e-4  # standard error at which the simulation ends
_MOST_BARS = 16_000_000  # simulated at most
_LONG_ENOUGH = 20_000  # bars at a time: starting a world costs as much as thousands of them
_FEWEST_WORLDS = 24  # simulated at least, as their scatter is the standard error
_NODES = 48


def figures_of(world: Process) -> list[tuple[Estimate, Estimate, Estimate]]:
    """(R², directional accuracy, information coefficient) of the best forecast at each horizon.

    They average over the decisions of this calendar whose holding ends within the bars. With f
    the forecast and R the return, R² = E[f²] / E[R²] and the correlation is its root, as the best
    forecast is uncorrelated with its error. Both are sums of known variances. They neglect
    compounding, which changes them by about the variance of the return: at a daily volatility of
    1 %, by one part in ten thousand.
    """
    # Independent of seed and other symbols, so that worlds that differ in these share the result.
    symbols = 2 if world.follows_leader else 1
    plain = {"seed": 0, "symbols": symbols, "correlation": 0.0, "price": 100.0, "volume": 1e4}
    return list(_figures(world.model_copy(update=plain)))


@lru_cache(maxsize=512)
def _figures(world: Process) -> tuple[tuple[Estimate, Estimate, Estimate], ...]:
    times = world.bar_times()
    signal = world.signal(times)
    if signal is None:
        return tuple((Estimate(0.0), Estimate(0.5), Estimate(0.0)) for _ in world.horizons)
    noise = np.concatenate([[0.0], np.cumsum(times.scale(world.noise)[0] ** 2)])
    exits = [_exits(times, horizon) for horizon in world.horizons]
    explained = [signal.forecast_variance(leave) for leave in exits]
    whole = [
        signal.path_variance(leave) + noise[leave + 1] - noise[1 : len(leave) + 1]
        for leave in exits
    ]
    r2 = [float(f.sum() / r.sum()) for f, r in zip(explained, whole, strict=True)]
    accuracy: list[Estimate | None] = []
    for leave, f, r in zip(exits, explained, whole, strict=True):
        if world.noise.gaussian and signal.law == "gaussian":
            # Sheppard (1899): probability that two correlated Gaussians have equal signs.
            accuracy.append(Estimate(float(np.mean(0.5 + np.arcsin(np.sqrt(f / r)) / np.pi))))
        elif (leave - np.arange(len(leave)) == 1).all() and _can_integrate(world.noise, signal):
            accuracy.append(Estimate(_one_bar_accuracy(world.noise, signal, f, r - f)))
        else:
            accuracy.append(None)
    simulated = _simulated_accuracy(world, signal, exits) if None in accuracy else []
    return tuple(
        (Estimate(r2[h]), accuracy[h] or simulated[h], Estimate(float(np.sqrt(r2[h]))))
        for h in range(len(exits))
    )


def _exits(times: BarTimes, horizon: Horizon) -> Rows:
    """Exits of the decisions whose exit is within the bars; of all, if there is none."""
    leave = times.exits(horizon)
    known = leave[leave < times.bars]
    return known if len(known) else leave


def _can_integrate(noise: Noise, signal: Signal) -> bool:
    return noise.arch == 0 and signal.law != "noise"


def _one_bar_accuracy(noise: Noise, signal: Signal, forecast: Floats, rest: Floats) -> float:
    """E[1/2 + P(|move| < |forecast|) / 2], as moves are symmetric and independent of the forecast.

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


def _simulated_accuracy(world: Process, signal: Signal, exits: list[Rows]) -> list[Estimate]:
    """Simulated with other seeds on the same calendar, each one draw of every horizon's accuracy.

    A short world runs through its times in many rounds, of which the draw is the mean: successive
    rounds are as good as separate worlds, except for the dependence at their borders.

    Antithetic moves: changing the sign of all moves N of a holding is as likely as not and leaves
    forecast f and expected return G unchanged. Averaged over both, the sign of f is right in
    1/2 + 1/2 sign(f) sign(G) [|G| > |N|] of cases, with far less variance than counting one.
    """
    found: list[Floats] = []
    n = len(world.bar_times().records)
    rounds = max(_LONG_ENOUGH // n, 1)
    while True:
        name = f"simulated {len(found)}"
        own = world.components_of(name, Streams(0, name), rounds)
        leader = own
        if world.follows_leader:
            leader = world.components_of(name, Streams(0, f"leader of {name}"), rounds)
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
        Estimate(float(value), "simulated", float(error))
        for value, error in zip(draws.mean(axis=0), se, strict=True)
    ]


def _right(driver: Floats, expected: Floats, moved: Floats, leave: Rows) -> float:
    """Share of correct signs; the first three arguments are (rounds, n_bars)."""
    rows = len(leave)
    known = expected[:, leave] - expected[:, :rows]
    surprise = np.abs(moved[:, leave] - moved[:, :rows])
    agree = np.sign(driver[:, :rows]) * np.sign(known) * (np.abs(known) > surprise)
    return float(0.5 + 0.5 * agree.mean())
