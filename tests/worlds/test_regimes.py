"""The exact filter of hidden regimes: its densities, its probabilities, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from barstack.bars import Bars
from barstack.core.errors import ConfigError
from barstack.worlds import WORLDS
from barstack.worlds._regimes import log_density

FIELDS = {"world": "hidden_regimes", "bars": 20_000}


def one_bar(opened: float, close: float, reach: float) -> Bars:
    bars = WORLDS.parse(FIELDS | {"bars": 2}).bars_of("W0001")[:1]
    records = bars.records.copy()
    top, bottom = max(opened, close), min(opened, close)
    records["open"], records["close"] = opened, close
    records["high"], records["low"] = top + 0.3 * (reach - top + bottom), 0.0
    records["low"] = records["high"] - reach
    return replace(bars, records=records)


@pytest.mark.parametrize("deviation", [0.003, 0.01])
@pytest.mark.parametrize("body", [0.0, 0.004, -0.02])
def test_densities_of_ranges_integrate_to_that_of_open_and_close(
    deviation: float, body: float
) -> None:
    """Over all ranges beyond the body what is left is the density of two Gaussians."""
    share, opened = 0.2, 1.001
    parameters = (np.zeros(1), np.array([deviation]), np.array([share]), 1.0)

    def density(reach: float) -> float:
        return float(np.exp(log_density(one_bar(opened, opened + body, reach), *parameters)[0]))

    # The density is that of u1 + u2, which is twice the range.
    whole, _ = quad(density, abs(body), abs(body) + 12.0 * deviation, limit=200)
    moved, gap = opened + body - 1.0, opened - 1.0
    spread = np.sqrt(share * (1.0 - share)) * deviation
    wanted = np.exp(
        -0.5 * (moved / deviation) ** 2 - 0.5 * ((gap - share * moved) / spread) ** 2
    ) / (deviation * spread)
    assert 2.0 * whole == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("calendar", ["XNYS", "24/7"])
@pytest.mark.parametrize(("ratio", "length"), [(1.5, 50), (2.5, 200)])
def test_probabilities_are_shares(calendar: str, ratio: float, length: int) -> None:
    """Of bars held turbulent with a probability, that share is: the filter is exact."""
    noise = {"regime_ratio": ratio, "regime_bars": length}
    states, chances = [], []
    for seed in range(4):
        world = WORLDS.parse(FIELDS | {"calendar": calendar, "noise": noise, "seed": seed})
        truth = world.regimes_of("W0001")
        states.append(truth.state)
        chances.append(truth.filtered[:, 1])
    state, chance = np.concatenate(states), np.concatenate(chances)
    for low, high in [(0.0, 0.05), (0.05, 0.35), (0.35, 0.65), (0.65, 0.95), (0.95, 1.0)]:
        own = (chance >= low) & (chance <= high)
        away = (state[own] - chance[own]).mean()
        variance = (chance[own] * (1.0 - chance[own])).mean()
        # Neighbouring bars share their errors, some ten at a time.
        assert abs(away) < 3.5 * np.sqrt(10.0 * variance / own.sum())


def test_later_bars_change_nothing() -> None:
    world = WORLDS.parse(FIELDS | {"bars": 3_000})
    whole = world.regimes_of("W0001")
    short = world.model_copy(update={"bars": 1_700}).regimes_of("W0001")
    np.testing.assert_array_equal(short.filtered, whole.filtered[:1_700])
    np.testing.assert_array_equal(short.state, whole.state[:1_700])


def test_it_beats_what_sees_closes_alone_and_volume_tells_nothing() -> None:
    world = WORLDS.parse(FIELDS)
    bars, truth = world.bars_of("W0001"), world.regimes_of("W0001")
    best = truth.balanced_accuracy(truth.filtered)
    size = np.abs(np.diff(np.log(bars.close), prepend=0.0))
    for width in (5, 20, 60):
        smooth = np.convolve(size[1:], np.ones(width) / width)[: len(size)]
        by_size = np.column_stack([smooth < np.median(smooth), smooth >= np.median(smooth)])
        assert truth.balanced_accuracy(by_size.astype(float)) < best
    volume = np.log(bars.records["volume"])
    assert abs(np.corrcoef(volume, truth.state)[0, 1]) < 0.1


def test_where_volume_shows_regimes_they_are_certain() -> None:
    truth = WORLDS.parse({"world": "regime_volatility", "bars": 2_000}).regimes_of("W0001")
    np.testing.assert_array_equal(truth.filtered.argmax(axis=1), truth.state)
    assert truth.balanced_accuracy(truth.filtered) == 1.0


def test_worlds_without_regimes_are_refused() -> None:
    with pytest.raises(ConfigError, match="World 'garch' has no regimes"):
        WORLDS.parse("garch").regimes_of("W0001")
    for noise in ("market", "gaussian", {"regime_ratio": 2, "tails": 5}):
        with pytest.raises(ConfigError, match="its filter is known"):
            WORLDS.parse({"world": "hidden_regimes", "noise": noise})
