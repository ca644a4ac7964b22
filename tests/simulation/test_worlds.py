"""On markets whose truth is known: nothing is earned on a martingale, and costs are exact."""

from __future__ import annotations

import numpy as np
import pytest

from barstack.bars import BAR, Bars
from barstack.core.decisions import Decisions
from barstack.core.times import DecidedAt, KnownAt
from barstack.evaluation._profit import follow
from barstack.portfolio import Holdings, holdings_of, unit_positions
from barstack.simulation import Costs, Fills, Settings, Targets, simulate_targets
from barstack.testing import walk

MINUTE = 60_000_000
START = 1_767_600_000_000_000 // MINUTE * MINUTE


def martingale(seed: int, count: int, inner: int = 30, volatility: float = 0.001) -> Bars:
    """Bars of an arithmetic walk with steps of a normal law, so that no rule earns anything.

    inner  steps within each bar, of which open, high, low and close are seen
    """
    rng = np.random.default_rng(seed)
    steps = 100.0 + np.cumsum(rng.normal(0.0, 100.0 * volatility / inner**0.5, count * inner))
    path = np.concatenate([[100.0], steps])
    rows = np.arange(count)[:, None] * inner + np.arange(inner + 1)[None, :]
    inside = path[rows]
    records = np.zeros(count, BAR)
    records["opened_at"] = START + np.arange(count) * MINUTE
    records["closed_at"] = records["opened_at"] + MINUTE
    records["session_open"], records["session_close"] = START, START + count * MINUTE
    records["open"], records["close"] = inside[:, 0], inside[:, -1]
    records["high"], records["low"] = inside.max(axis=1), inside.min(axis=1)
    records["volume"] = 1e6
    return Bars("M", MINUTE, records)


@pytest.mark.parametrize("kind", ["market", "close"])
def test_on_200_martingales_the_mean_result_is_minus_the_costs(kind: str) -> None:
    """Orders at prices that do not depend on what follows: exactly fair before costs."""
    gross = []
    for seed in range(200):
        bars = martingale(seed, 400)
        rng = np.random.default_rng(10_000 + seed)
        rows = np.sort(rng.choice(390, 60, replace=False))
        # A rule that looks at the past, as any rule may.
        side = np.sign(bars.close[rows] - bars.close[np.maximum(rows - 5, 0)])
        targets = Targets.of("M", bars.closed_at[rows], 10.0 * side, kind=kind)
        costs = Costs(commission_bps=2, half_spread_bps=1, slippage_bps=1, commission_per_unit=0.01)
        found = simulate_targets(bars, targets, Settings(unit="units", costs=costs))
        paid = sum(found.totals[name] for name in ("commission", "spread", "slippage", "impact"))
        assert paid > 0
        gross.append(found.equity - found.settings.capital + paid)
    mean, se = np.mean(gross), np.std(gross, ddof=1) / len(gross) ** 0.5
    assert abs(mean) < 3 * se
    assert se > 0


def test_on_200_martingales_stops_and_targets_invent_no_profit() -> None:
    """The pessimistic rules may lose, and must never win: the mean is at most 0 within its error.

    Between the steps of the walk prices jump, so a stop fills a little better than it could, by
    about half a step: that much is allowed for.
    """
    gross, fills = [], 0
    for seed in range(200):
        bars = martingale(seed, 400, inner=100)
        rng = np.random.default_rng(20_000 + seed)
        rows = np.sort(rng.choice(390, 40, replace=False))
        side = rng.choice([-1.0, 1.0], 40)
        targets = Targets.of("M", bars.closed_at[rows], side, stop=0.002, take=0.002, trail=0.003)
        found = simulate_targets(bars, targets, Settings(unit="units"), bracket=False)
        gross.append(found.equity - found.settings.capital)
        fills += len(found.fills)
    step = 100.0 * 0.001 / 100**0.5
    mean, se = np.mean(gross), np.std(gross, ddof=1) / len(gross) ** 0.5
    assert mean < 3 * se + 0.6 * step * fills / 200


def test_planted_worlds_give_the_sharpe_ratio_of_the_closed_form() -> None:
    """Returns r = a s + e with a sign s that is known before: position s, one bar, cost c each way.

    The mean of a bar is a - c x (mean change of position) and its variance that of e, so the ratio
    follows; prices are arithmetic, so nothing compounds.
    """
    edge, noise, cost_bps, count = 0.10, 1.0, 2.0, 4000
    ratios = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        side = rng.choice([-1.0, 1.0], count)
        moves = edge * side + noise * rng.normal(size=count)
        close = 10_000.0 + np.cumsum(moves)
        records = np.zeros(count, BAR)
        records["opened_at"] = START + np.arange(count) * MINUTE
        records["closed_at"] = records["opened_at"] + MINUTE
        records["session_close"] = START + count * MINUTE
        records["open"] = np.concatenate([[10_000.0], close[:-1]])
        records["close"] = close
        records["high"] = np.maximum(records["open"], close)
        records["low"] = np.minimum(records["open"], close)
        bars = Bars("P", MINUTE, records)
        # The side of bar t + 1 is decided at the close of bar t and filled at the open of t + 1.
        targets = Targets.of("P", bars.closed_at[:-1], side[1:])
        found = simulate_targets(
            bars,
            targets,
            Settings(unit="units", capital=1e6, costs=Costs(commission_bps=cost_bps / 100)),
        )
        earned = np.diff(found.curve["equity"])
        ratios.append(earned.mean() / earned.std(ddof=1))
    each_way = 10_000.0 * cost_bps / 100 * 1e-4
    # The position changes by 2 half of the time: mean cost c, variance c^2.
    mean, variance = edge - each_way, noise**2 + each_way**2
    closed_form = mean / variance**0.5
    se = np.std(ratios, ddof=1) / len(ratios) ** 0.5
    assert abs(np.mean(ratios) - closed_form) < 3 * se
    assert se < 0.01


def test_the_profit_of_a_verdict_is_met_to_rounding() -> None:
    """Same decisions, one figure of cost: equity of the simulator and `follow` of the verdict."""
    panel = {
        name: walk(bars=700, seed=seed, symbol=name, missing=missing)
        for name, seed, missing in (("A", 1, 0.0), ("B", 2, 0.05), ("C", 3, 0.2))
    }
    rng = np.random.default_rng(5)
    decided, known, sides = {}, [], []
    for symbol, bars in sorted(panel.items()):
        rows = np.sort(rng.choice(len(bars) - 20, 150, replace=False))
        decided[symbol] = DecidedAt(bars.closed_at[rows])
        known.append(bars.closed_at[rows + rng.integers(1, 15, 150)])
        sides.append(rng.choice([-1.0, 0.0, 1.0], 150))
    decisions = Decisions.concatenate(decided)
    known_at, side = KnownAt(np.concatenate(known)), np.concatenate(sides)
    cost_bps = 3.0
    profit = follow(panel, decisions, side, known_at, cost_bps)

    symbols, times, positions = [], [], []
    for code, symbol in enumerate(decisions.symbols):
        own = decisions.symbol_code == code
        holdings: Holdings = holdings_of(
            panel[symbol].closed_at, DecidedAt(decisions.decided_at[own]), KnownAt(known_at[own])
        )
        position = unit_positions(holdings, side[own])
        rows = np.arange(holdings.entry.min(), holdings.exit.max() + 1)
        symbols += [symbol] * len(rows)
        times.append(panel[symbol].closed_at[rows])
        positions.append(np.append(position, 0.0) / len(panel))
    found = simulate_targets(
        panel,
        Targets.of(symbols, np.concatenate(times), np.concatenate(positions)),
        Settings.of_verdict(cost_bps),
    )
    assert np.isclose(found.equity - 1.0, profit.net.sum(), rtol=0, atol=1e-12)
    paid = found.totals["commission"]
    assert np.isclose(paid, profit.cost.sum(), rtol=0, atol=1e-12)
    # Bar by bar before costs, at the closes of the verdict.
    gross = found.curve["equity"] + found.curve["costs"]
    at = np.searchsorted(found.time, profit.time)
    assert np.allclose(gross[at] - 1.0, np.cumsum(profit.gross), rtol=0, atol=1e-12)
    assert len(found.fills) > 300


def test_a_bar_that_nobody_decided_on_earns_nothing() -> None:
    bars = walk(bars=200)
    found = simulate_targets(
        bars, Targets.of("WALK", bars.closed_at[100], 1.0), Settings(fills=Fills(at_end="carry"))
    )
    assert found.time[0] == bars.closed_at[100]
    assert found.curve["equity"][0] == found.settings.capital
    assert found.held
    assert any("still held" in note for note in found.notes)
