"""Positions follow signals by a strategy, the same in one call and bar by bar."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barstack.bars import Bars
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, LeakError
from barstack.core.forecast import Forecast, Target
from barstack.core.times import DecidedAt, KnownAt, TrainedThrough
from barstack.portfolio import (
    Holdings,
    Signals,
    Sizer,
    Strategy,
    holdings_of,
    unit_positions,
)
from barstack.testing import walk

SIZINGS = ("equal", "conviction", "volatility", "kelly", "risk_parity")


def made(seed: int, symbols: int = 2, count: int = 120) -> tuple[dict[str, Bars], Signals]:
    rng = np.random.default_rng(seed)
    panel = {
        f"S{number}": walk(bars=count, seed=seed + number, symbol=f"S{number}")
        for number in range(symbols)
    }
    decided, known, signal = {}, [], []
    for symbol, bars in panel.items():
        rows = np.sort(rng.choice(count - 15, 40, replace=False))
        decided[symbol] = DecidedAt(bars.closed_at[rows])
        known.append(bars.closed_at[rows + rng.integers(1, 12, 40)])
        signal.append(rng.normal(0.0, 0.01, 40))
    return panel, Signals(
        Decisions.concatenate(decided), np.concatenate(signal), KnownAt(np.concatenate(known))
    )


@pytest.mark.parametrize("hold", ["horizon", "latest"])
@pytest.mark.parametrize("sizing", SIZINGS)
def test_bar_by_bar_is_the_same_to_the_bit(sizing: Any, hold: Any) -> None:
    panel, signals = made(3)
    strategy = Strategy(sizing=sizing, hold=hold, enter=0.002, full=0.02, kelly_bars=5)
    whole = Sizer(strategy, list(panel)).advance(panel, signals)
    closes = np.unique(np.concatenate([own.closed_at for own in panel.values()]))
    found, sizer = [], Sizer(strategy, list(panel))
    for now in closes:
        again = Sizer(strategy, list(panel))
        again.set_state(sizer.state())
        sizer = again
        news = {
            symbol: own[int(np.argmax(own.closed_at == now)) :][:1]
            for symbol, own in panel.items()
            if (own.closed_at == now).any()
        }
        (rows,) = np.nonzero(signals.decisions.decided_at == now)
        known = signals.known_at
        assert known is not None
        own_signals = Signals(
            signals.decisions.take(rows), signals.signal[rows], KnownAt(known[rows])
        )
        found += sizer.advance(news, own_signals if len(rows) else None)
    assert len(whole) > 20
    assert found == whole


def test_holding_to_the_horizon_is_the_unit_rule() -> None:
    panel, signals = made(7, symbols=1)
    bars = panel["S0"]
    changes = Sizer(Strategy(), ["S0"]).advance(panel, signals)
    assert signals.known_at is not None
    holdings: Holdings = holdings_of(bars.closed_at, signals.decisions.decided_at, signals.known_at)
    expected = unit_positions(holdings, np.sign(signals.signal))
    rows = np.arange(holdings.entry.min(), holdings.exit.max())
    times = np.array([at for at, _, _ in changes])
    weights = np.array([weight for _, _, weight in changes])
    place = np.searchsorted(times, bars.closed_at[rows].astype(np.int64), side="right") - 1
    np.testing.assert_allclose(weights[place], expected, atol=1e-12)


def test_hysteresis() -> None:
    bars = walk(bars=10)
    signal = np.array([0.5, 2.0, 0.7, 0.3, -0.6, -1.5, -0.5, 0.6])
    signals = Signals(Decisions.concatenate({"WALK": DecidedAt(bars.closed_at[:8])}), signal)
    strategy = Strategy(hold="latest", enter=1.0, leave=0.5)
    changes = Sizer(strategy, ["WALK"]).advance(bars, signals)
    at = {int(time.astype(np.int64)): row for row, time in enumerate(bars.closed_at)}
    assert [(at[time], weight) for time, _, weight in changes] == [
        (1, 1.0), (3, 0.0), (5, -1.0), (6, 0.0),
    ]  # fmt: skip


def test_a_volatility_target_is_met() -> None:
    """The weight times the volatility a year is the aim, with daily bars of known deviation."""
    panel, _ = made(1, symbols=1, count=3000)
    bars = panel["S0"]
    strategy = Strategy(hold="latest", sizing="volatility", volatility=0.1, volatility_bars=2000,
                        most=10.0)  # fmt: skip
    signals = Signals(Decisions.concatenate({"S0": DecidedAt(bars.closed_at[[2999]])}), np.ones(1))
    ((_, _, weight),) = Sizer(strategy, ["S0"]).advance(bars, signals)
    returns = np.diff(np.log(bars.close))
    years = float((bars.closed_at[-1] - bars.closed_at[0]) / np.timedelta64(1, "D")) / 365.25
    volatility = np.sqrt((returns**2).sum() / years)
    assert abs(weight * volatility - 0.1) < 0.01


def test_kelly_is_mean_over_variance() -> None:
    bars = walk(bars=500)
    strategy = Strategy(hold="latest", sizing="kelly", kelly=1.0, kelly_bars=4,
                        volatility_bars=10_000, most=1e9)  # fmt: skip
    signals = Signals(
        Decisions.concatenate({"WALK": DecidedAt(bars.closed_at[[499]])}), np.array([0.001])
    )
    ((_, _, weight),) = Sizer(strategy, ["WALK"]).advance(bars, signals)
    variance = (np.diff(np.log(bars.close)) ** 2).mean()
    assert np.isclose(weight, 0.001 / (4 * variance), rtol=1e-3)


def test_risk_parity_gives_equal_risk() -> None:
    panel, _ = made(5, symbols=3, count=400)
    now = panel["S0"].closed_at[399]
    signals = Signals(
        Decisions.concatenate({symbol: DecidedAt(np.array([now])) for symbol in panel}), np.ones(3)
    )
    strategy = Strategy(hold="latest", sizing="risk_parity", gross=0.9, volatility_bars=10_000)
    weights = {
        symbol: weight for _, symbol, weight in Sizer(strategy, list(panel)).advance(panel, signals)
    }
    assert np.isclose(sum(weights.values()), 0.9)
    risks = [
        weights[symbol] * np.sqrt((np.diff(np.log(own.close)) ** 2).mean())
        for symbol, own in panel.items()
    ]
    assert np.allclose(risks, risks[0], rtol=1e-2)


def test_crossed_forecasts_are_refused() -> None:
    bars = walk(bars=4)
    decisions = Decisions.concatenate({"WALK": DecidedAt(bars.closed_at[:2])})
    forecast = Forecast(
        decisions,
        Target("return", ("4h",)),
        np.zeros((2, 1, 1)),
        TrainedThrough(bars.closed_at[[3, 3]]),
        "crossed",
    )
    with pytest.raises(LeakError, match="crossed"):
        Signals.of(forecast, "4h")


def test_abstention_and_rules() -> None:
    bars = walk(bars=4)
    decisions = Decisions.concatenate({"WALK": DecidedAt(bars.closed_at[:3])})
    values = np.array([0.01, -0.02, 0.03]).reshape(3, 1, 1)
    through = TrainedThrough(np.full(3, "2020-01-01", "M8[us]"))
    forecast = Forecast(decisions, Target("return", ("4h",)), values, through)
    low, high = np.array([0.005, -0.03, -0.01]), np.array([0.02, -0.01, 0.05])
    sure = Signals.of(forecast, "4h", interval=(low, high)).signal
    assert sure.tolist() == [0.01, -0.02, 0.0]
    meta = Signals.of(forecast, "4h", rule_side=np.array([-1.0, 1.0, 0.0])).signal
    assert meta.tolist() == [-0.01, 0.0, 0.0]


def test_contradictions_are_refused() -> None:
    with pytest.raises(ConfigError, match="above enter"):
        Strategy(enter=0.1, leave=0.2, hold="latest")
    with pytest.raises(ConfigError, match="hold latest"):
        Strategy(enter=0.1, leave=0.05)
