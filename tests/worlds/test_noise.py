"""Noise: it cannot be forecast, and it has the moments that it states."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.worlds import NOISES, WORLDS, Noise, World, likeness

KINDS = ("martingale", "garch", "regime_volatility", "seasonal", "jumps", "fat_tails", "market")


def _average(values: Floats, window: int) -> Floats:
    total = np.cumsum(np.concatenate([np.zeros(window), values]))
    return np.asarray((total[window:] - total[:-window]) / window)


def _volume_says(bars: Bars) -> Floats:
    volume = bars.records["volume"]
    busy = volume > 1.5 * _average(volume, 50)
    return np.asarray(busy * np.sign(bars.close - bars.records["open"]))


def _by_the_clock(bars: Bars) -> Floats:
    r = bars.records
    passed = (r["closed_at"] - r["session_open"]) / (r["session_close"] - r["session_open"])
    return np.where(passed < 0.2, 1.0, np.where(passed > 0.99, -1.0, 0.0))


def _moves(bars: Bars) -> Floats:
    return np.diff(np.log(bars.close), prepend=np.log(bars.close[0]))


# The position held over the bar that follows, from what is known at each close.
STRATEGIES: dict[str, Callable[[Bars], Floats]] = {
    "always long": lambda bars: np.ones(len(bars)),
    "momentum": lambda bars: np.sign(_average(_moves(bars), 12)),
    "mean reversion": lambda bars: -np.sign(_moves(bars)),
    "moving averages": lambda bars: np.sign(_average(bars.close, 10) - _average(bars.close, 50)),
    "volume": _volume_says,
    "calendar": _by_the_clock,
    "low volatility": lambda bars: (_average(_moves(bars) ** 2, 20) < 2e-6).astype(float),
    "doji": lambda bars: np.where(bars.records["high"] > bars.close, 1.0, -1.0),
}


@pytest.fixture(scope="module")
def markets() -> dict[str, list[Bars]]:
    """Six worlds of each noise."""
    return {
        kind: [
            WORLDS.parse({"world": kind, "seed": 50 * place + seed}).bars_of("W0001")
            for seed in range(6)
        ]
        for place, kind in enumerate(KINDS)
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_simple_strategy_earns_on_noise(strategy: str, markets: dict[str, list[Bars]]) -> None:
    """Profits before costs are zero within their error, in each kind and over all of them.

    In a martingale the profits of any rule are uncorrelated, so plain standard errors hold.
    """
    scores = []
    for worlds in markets.values():
        parts = []
        for bars in worlds:
            held = STRATEGIES[strategy](bars)[60:-1]
            parts.append(held * (bars.close[61:] / bars.close[60:-1] - 1.0))
        profit = np.concatenate(parts)
        scores.append(profit.mean() / (profit.std() / np.sqrt(len(profit))))
    assert np.abs(scores).max() < 3.5
    assert abs(np.mean(scores)) * np.sqrt(len(scores)) < 3.0


def test_a_rule_with_look_ahead_earns(markets: dict[str, list[Bars]]) -> None:
    """The check above can fail."""
    bars = markets["market"][0]
    profit = np.sign(_moves(bars))[1:] * (bars.close[1:] / bars.close[:-1] - 1.0)
    assert profit.mean() / (profit.std() / np.sqrt(len(profit))) > 50


@pytest.mark.parametrize("kind", KINDS)
def test_variance_is_what_the_calendar_says(kind: str) -> None:
    """Moves over their scale have mean 0 and variance 1 over many worlds; so has the driver's."""
    shares = []
    for seed in range(30):
        world = WORLDS.parse({"world": kind, "seed": 900 + seed, "bars": 10_000})
        own = world.components_of("W0001")
        shares.append(((own.move / own.scale) ** 2).mean())
    error = np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert abs(np.mean(shares) - 1.0) < 3.5 * error
    assert error < 0.05


def test_daily_volatility_is_that_of_sessions() -> None:
    world = WORLDS.parse(
        {"world": "seasonal", "bars": 78 * 2000, "horizons": [1], "start": "2000-01-01"}
    )
    r = world.bars_of("W0001").records
    last = np.diff(r["session"], append=-1) != 0
    daily = np.diff(np.log(r["close"][last]))
    gaps = np.log(r["open"][1:][last[:-1]] / r["close"][:-1][last[:-1]])
    assert daily.std() == pytest.approx(0.01, rel=0.06)
    assert gaps.var() / daily.var() == pytest.approx(world.noise.overnight, rel=0.15)


def test_each_noise_has_its_property() -> None:
    facts = {
        kind: likeness(WORLDS.parse({"world": kind, "calendar": "24/7"}).bars_of("W0001"))
        for kind in KINDS
    }
    plain = facts["martingale"]
    assert abs(plain.acf_size[:20]).max() < 0.04
    assert facts["garch"].acf_size[0] > 0.08
    assert facts["fat_tails"].acf_size[0] < 0.04
    assert facts["regime_volatility"].acf_size[50] > 0.05
    assert facts["seasonal"].size_by_hour.max() > 1.4
    assert plain.size_by_hour.max() < 1.15
    assert facts["jumps"].excess_kurtosis > 3
    assert abs(plain.excess_kurtosis) < 0.3
    assert facts["fat_tails"].tail_index < 5.5 < plain.tail_index


def test_symbols_have_the_given_correlation() -> None:
    made = WORLDS.parse({"world": "fat_tails", "symbols": 2, "correlation": 0.6}).make()
    one, two = (np.diff(np.log(bars.close)) for bars in made.panel.values())
    # Student's t has a scale of its own for each symbol, which takes something off.
    assert 0.45 < np.corrcoef(one, two)[0, 1] < 0.6
    alone = WORLDS.parse({"world": "fat_tails", "symbols": 2}).make()
    one, two = (np.diff(np.log(bars.close)) for bars in alone.panel.values())
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03


def test_wild_settings_still_give_prices() -> None:
    noise = Noise(
        daily_volatility=0.1, arch=0.3, garch=0.69, regime_ratio=10, tails=2.1,
        jumps=0.1, jump_size=20, seasonality=3,
    )  # fmt: skip
    world: World = WORLDS.parse(
        {
            "world": "martingale",
            "noise": noise,
            "bar": "1d",
            "horizons": [1],
            "bars": 5000,
            "start": "1990-01-01",
        }
    )
    r = world.bars_of("W0001").records
    assert (r["low"] > 0).all()
    assert (r["high"] >= np.maximum(r["open"], r["close"])).all()
    assert (r["low"] <= np.minimum(r["open"], r["close"])).all()


def test_presets_are_noises_with_a_fourth_moment() -> None:
    """So that the standard errors of squared returns exist; He, Teraesvirta (1999)."""
    for noise in NOISES.values():
        tails = 3.0 if noise.tails is None else 3.0 * (noise.tails - 2) / (noise.tails - 4)
        jumps = (1 + noise.jumps * (noise.jump_size**4 - 1)) / (
            1 + noise.jumps * (noise.jump_size**2 - 1)
        ) ** 2
        assert noise.garch**2 + 2 * noise.arch * noise.garch + noise.arch**2 * tails * jumps < 1
