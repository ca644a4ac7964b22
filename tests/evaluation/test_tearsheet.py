"""Figures of the tearsheet agree with other libraries, with closed forms and with each other."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.core.errors import DataError
from barstack.evaluation.tearsheet import ratios_of, tearsheet, value_at_risk
from barstack.evaluation.tearsheet._tearsheet import daily_returns
from barstack.simulation import Costs, Settings, Simulation, Targets, simulate_targets
from barstack.testing import walk


def simulation(seed: int = 0, symbols: int = 2, **settings_: object) -> Simulation:
    rng = np.random.default_rng(seed)
    panel = {
        f"S{number}": walk(bars=1500, seed=seed + number, symbol=f"S{number}")
        for number in range(symbols)
    }
    names, times, positions = [], [], []
    for symbol, bars in panel.items():
        rows = np.sort(rng.choice(1400, 80, replace=False))
        names += [symbol] * 80
        times.append(bars.closed_at[rows])
        positions.append(rng.choice([-1.0, 0.0, 1.0], 80) / symbols)
    targets = Targets.of(names, np.concatenate(times), np.concatenate(positions), stop=0.02)
    given_ = Settings(**{"costs": Costs(commission_bps=2.0, half_spread_bps=1.0)} | settings_)
    return simulate_targets(panel, targets, given_)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([252.0, 365.0]))
def test_ratios_agree_with_empyrical(seed: int, a_year: float) -> None:
    # Its own requirements contradict those of yfinance: pip install --no-deps empyrical-reloaded.
    empyrical = pytest.importorskip("empyrical")
    rng = np.random.default_rng(seed)
    returns = rng.normal(0.0005, 0.01, int(rng.integers(30, 800)))
    own = ratios_of(returns, a_year)
    more = {"annualization": a_year}
    for found, other in (
        (own.total, empyrical.cum_returns_final(returns)),
        (own.annual, empyrical.annual_return(returns, **more)),
        (own.volatility, empyrical.annual_volatility(returns, **more)),
        (own.sharpe, empyrical.sharpe_ratio(returns, **more)),
        (own.calmar, empyrical.calmar_ratio(returns, **more)),
        (own.drawdown, -empyrical.max_drawdown(returns)),
        (own.sortino, empyrical.sortino_ratio(returns, **more)),
    ):
        assert found == pytest.approx(other, rel=1e-9)
    risk = value_at_risk(returns, 0.05)
    assert risk["historical"] == pytest.approx(-empyrical.value_at_risk(returns, 0.05))


def test_normal_returns_have_the_value_at_risk_of_their_law() -> None:
    returns = np.random.default_rng(0).normal(0.0, 0.01, 200_000)
    found = value_at_risk(returns, 0.05)
    for name in ("historical", "parametric"):
        assert found[name] == pytest.approx(0.016449, rel=0.02)
        assert found[f"{name}_cvar"] == pytest.approx(0.020627, rel=0.02)


def test_filtered_risk_follows_volatility() -> None:
    rng = np.random.default_rng(1)
    calm, wild = rng.normal(0.0, 0.005, 500), rng.normal(0.0, 0.02, 100)
    after_wild = value_at_risk(np.concatenate([calm, wild]))
    after_calm = value_at_risk(np.concatenate([wild, calm]))
    assert after_wild["filtered"] > 2 * after_calm["filtered"]


def test_parts_add_up() -> None:
    done = simulation()
    found = tearsheet(done)
    net = done.equity - done.settings.capital
    assert sum(row["net"] for row in found.by_symbol) == pytest.approx(net, abs=1e-6)
    assert sum(row["net"] for row in found.by_hour) == pytest.approx(net, abs=1e-6)
    compounded = np.prod([1.0 + row["return"] for row in found.months]) - 1.0
    assert compounded == pytest.approx(net / done.settings.capital)
    assert found.summary["total"] == pytest.approx(net / done.settings.capital)
    costs = found.costs
    assert costs["before_costs"] == pytest.approx(net + (costs["paid"] or 0.0))
    number, rate = found.trades["number"], found.trades["win_rate"]
    assert number == len(done.trades)
    assert rate == pytest.approx(((done.trades["gross"] - done.trades["cost"]) > 0).mean())


def test_costs_are_ordered_and_company_is_there() -> None:
    found = tearsheet(simulation())
    rows = {row["name"]: row for row in found.beside}
    free, own, twice = (rows[name]["total"] for name in ("without costs", "strategy",
                                                         "at twice the costs"))  # fmt: skip
    assert free > own > twice
    assert any("random" in name for name in rows)
    assert "buy and hold" in rows
    assert len(found.stress) == 6
    spread = next(row for row in found.stress if row["name"] == "spread x5")
    assert spread["total"] < own


def test_buy_and_hold_is_the_market() -> None:
    done = simulation(symbols=1, costs=Costs())
    own = next(row for row in tearsheet(done, quick=True).beside if row["name"] == "buy and hold")
    bars = done.panel["S0"]
    first = int(np.searchsorted(bars.closed_at, done.targets.decisions.decided_at.min()))
    weight = bars.records["open"][first + 1] / bars.close[first]
    expected = (bars.close[-1] - bars.records["open"][first + 1]) / bars.close[first]
    assert weight > 0
    assert own["total"] == pytest.approx(expected)


def test_it_is_the_same_again_and_plain_data() -> None:
    one, other = tearsheet(simulation()), tearsheet(simulation())
    assert one == other
    assert json.loads(json.dumps(one.to_json(), allow_nan=False))["title"] == one.title


def test_too_short_is_refused() -> None:
    bars = walk(bars=10)
    done = simulate_targets(bars, Targets.of("WALK", bars.closed_at[2], 1.0))
    with pytest.raises(DataError, match="three or more"):
        tearsheet(done)


def test_days_begin_with_the_capital() -> None:
    done = simulation()
    days, returns = daily_returns(done)
    assert len(days) == len(returns)
    assert np.prod(1.0 + returns) * done.settings.capital == pytest.approx(done.equity)
