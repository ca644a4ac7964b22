"""The profit of choosing when: what it is, and that luck is called luck whatever came before."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.bars import BAR, Bars
from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.times import DecidedAt, KnownAt
from barstack.evaluation._profit import NetEdge, Profit, follow, net_edge, timing_of
from barstack.evaluation._standard_errors import timing_se

HOUR = 3_600_000_000


def profit_of(timing: Floats, cost: float | Floats = 0.0) -> Profit:
    n_bars = len(timing)
    time = np.arange(n_bars).astype("datetime64[h]").astype("datetime64[us]")
    zeros = np.zeros(n_bars)
    return Profit(time, zeros, zeros + cost, zeros, timing, zeros, zeros)


def edge_of(position: Floats, returns: Floats, cost: float | Floats = 0.0) -> NetEdge:
    return net_edge(profit_of(timing_of(position, returns), cost))


def market(seed: int, n_bars: int = 400) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    position = np.repeat(rng.choice([-1.0, 0.0, 1.0], n_bars // 4), 4)
    return position, 0.01 * rng.standard_t(3, n_bars)


def test_it_is_what_its_definition_says_bar_by_bar() -> None:
    position, returns = market(0, 60)
    total = sum(
        (position[t] - position[: t + 1].mean()) * (returns[t] - returns[t:].mean())
        for t in range(60)
    )
    assert timing_of(position, returns).sum() == pytest.approx(total, rel=1e-12)
    # As weights on returns: known at each bar's start, and without any drift in their sum.
    weights = np.array([timing_of(position, np.eye(60)[t]).sum() for t in range(60)])
    assert weights.sum() == pytest.approx(0.0, abs=1e-12)
    later = position.copy()
    later[31:] = -1.0
    changed = np.array([timing_of(later, np.eye(60)[t]).sum() for t in range(60)])
    np.testing.assert_allclose(changed[:31], weights[:31], atol=1e-14)


def test_no_statistic_with_these_properties_lies_closer_to_position_times_return() -> None:
    # Of all sums of a[t, s] * position[s] * return[t] with s <= t that are zero for a steady
    # position and for a steady return, that with the smallest squared distance to a = 1.
    n = 12
    rows, columns = np.tril_indices(n)
    constraints = np.zeros((2 * n, len(rows)))
    constraints[rows, np.arange(len(rows))] = 1.0
    constraints[n + columns, np.arange(len(rows))] = 1.0
    target = (rows == columns).astype(float)
    nearest = target - np.linalg.pinv(constraints) @ constraints @ target
    ours = np.array(
        [timing_of(np.eye(n)[s], np.eye(n)[t]).sum() for t, s in zip(rows, columns, strict=True)]
    )
    np.testing.assert_allclose(ours, nearest, atol=1e-12)


def test_a_steady_position_has_no_timing_and_no_error() -> None:
    _, returns = market(1)
    for steady in (1.0, -1.0, 1 / 3):
        edge = edge_of(np.full(400, steady), returns)
        assert (edge.bps_se, edge.p_value) == (None, 1.0)
        assert edge.bps == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.01, 0.01), st.floats(1e-3, 1e3))
def test_drift_mirror_and_scale_change_nothing(seed: int, drift: float, scale: float) -> None:
    position, returns = market(seed)
    edge = edge_of(position, returns)
    drifting = edge_of(position, returns + drift)
    mirrored = edge_of(-position, -returns)
    scaled = edge_of(position, scale * returns)
    leaning = edge_of(position + 0.5, returns)
    for other in (drifting, mirrored, scaled, leaning):
        assert other.p_value == pytest.approx(edge.p_value, rel=1e-6)
    assert scaled.bps == pytest.approx(scale * edge.bps, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-6, 1e-3))
def test_costs_only_raise_the_p_value(seed: int, cost: float) -> None:
    position, returns = market(seed)
    turnover = np.abs(np.diff(position, prepend=0.0))
    free, dear = edge_of(position, returns), edge_of(position, returns, cost * turnover)
    assert dear.p_value > free.p_value
    assert dear.bps_se == free.bps_se
    assert dear.bps == pytest.approx(free.bps - 1e4 * cost * turnover.mean())


def test_the_error_is_plain_numpy() -> None:
    timing = timing_of(*market(2, 1000))
    blocks = timing.reshape(100, 10).mean(axis=1)  # 1000 ** (1 / 3) bars each
    by_blocks = blocks.std(ddof=1) / 10.0
    by_bars = np.sqrt((timing**2).sum()) / 1000
    se, count = timing_se(timing)
    assert se == pytest.approx(max(by_bars, by_blocks))
    assert count == 100


def test_too_few_bars_have_no_error() -> None:
    assert timing_se(np.ones(11))[0] is None
    assert timing_se(np.zeros(0)) == (None, 0)
    assert timing_se(market(3, 16)[1])[0] is not None


def test_one_huge_return_within_the_test_proves_nothing() -> None:
    # One block dominates, so t cannot exceed about 1.
    for seed in range(50):
        position, returns = market(seed)
        returns[200] += 5.0
        position[200] = 1.0
        assert edge_of(position, returns).p_value > 0.1


def test_symbols_may_come_in_any_order() -> None:
    panel = {name: walk_with(seed, lambda close: None) for seed, name in enumerate("ABC")}
    times = {name: DecidedAt(bars.closed_at[300:600]) for name, bars in panel.items()}
    sides = {name: market(seed, 300)[0] for seed, name in enumerate("ABC")}

    def edge(order: str) -> NetEdge:
        decisions = Decisions.concatenate({name: times[name] for name in order})
        side = np.zeros(len(decisions))
        for code, name in enumerate(decisions.symbols):
            side[decisions.symbol_code == code] = sides[name]
        known_at = KnownAt(decisions.decided_at + np.timedelta64(HOUR, "us"))
        return net_edge(follow(panel, decisions, side, known_at, 1.0))

    assert edge("CAB").p_value == pytest.approx(edge("ABC").p_value, rel=1e-9)


def walk_with(seed: int, change: Callable[[Floats], None], n_bars: int = 900) -> Bars:
    close = 100.0 * np.exp(np.cumsum(0.004 * np.random.default_rng(seed).normal(size=n_bars)))
    change(close)
    records = np.zeros(n_bars, BAR)
    records["opened_at"] = np.arange(n_bars) * HOUR
    records["closed_at"] = records["opened_at"] + HOUR
    for price in ("open", "high", "low", "close"):
        records[price] = close
    return Bars("X", HOUR, records)


def one_bar(factor: float) -> Callable[[Floats], None]:
    def change(close: Floats) -> None:
        close[200] *= factor

    return change


def for_good(factor: float) -> Callable[[Floats], None]:
    def change(close: Floats) -> None:
        close[200:] *= factor

    return change


@pytest.mark.parametrize(
    "change", [one_bar(1.5), one_bar(5.0), one_bar(100.0), for_good(2.5), for_good(0.4)]
)
def test_one_past_event_makes_no_skill(change: Callable[[Floats], None]) -> None:
    # Long in the first half of the test and short in the second, and the other way round.
    p_values = []
    for seed in range(100):
        bars = walk_with(seed, change)
        decisions = Decisions(("X",), np.zeros(440, np.int32), DecidedAt(bars.closed_at[450:890]))
        known_at = KnownAt(bars.closed_at[453:893])
        first = np.where(np.arange(440) < 220, 1.0, -1.0)
        for side in (first, -first):
            p_values.append(net_edge(follow({"X": bars}, decisions, side, known_at, 0.0)).p_value)
    assert np.mean(np.array(p_values) < 0.05) < 0.10
    assert np.mean(np.array(p_values) < 0.01) < 0.03


def rejections(rule: Callable[[Floats, int], Floats], drift: float = 0.0) -> tuple[float, float]:
    """Shares of walks in which a rule that knows nothing is proven at 5 % and at 1 %.

    rule   positions by the sum of past returns and the number of bars that are judged
    drift  t-value of the mean over the bars that are judged
    """
    found = []
    for seed in range(1000):
        returns = np.random.default_rng(seed).normal(size=900)
        returns[300:] += drift / np.sqrt(600)
        past = np.cumsum(returns) - returns
        found.append(edge_of(rule(past, 600), 0.01 * returns[300:]).p_value)
    p_values = np.array(found)
    return float((p_values < 0.05).mean()), float((p_values < 0.01).mean())


def _growing(past: Floats, n: int) -> Floats:
    return (np.arange(n) > n / 2).astype(float)


def _against_the_sample(past: Floats, n: int) -> Floats:
    return -np.sign(past[-n:])


def _against_slow_swings(past: Floats, n: int) -> Floats:
    return -np.sign(past[-n:] - past[-n - 200 : -200])


def _against_the_trend_line(past: Floats, n: int) -> Floats:
    # More with time, less the higher the price stands. The larger p-value of position x return and
    # of their covariance, each right for one of the two, is below 5 % in 19 % of drifting walks.
    lean = (past[-n] - past[-n:]) / np.sqrt(n) / 2
    return np.asarray(np.clip(lean + 2 * np.arange(n) / n - 1, -1, 1))


def _rarely(past: Floats, n: int) -> Floats:
    draws = np.random.default_rng(abs(int(1e6 * past[-1]))).uniform(-1.0, 1.0, n)
    return np.where(np.abs(draws) < 0.03, np.sign(draws), 0.0)


def _out_after_a_gain(past: Floats, n: int) -> Floats:
    started = past[-n:].reshape(-1, 50)
    return np.where(started - started[:, :1] <= 0.5, 1.0, 0.0).ravel()


@pytest.mark.parametrize("drift", [0.0, 2.0])
@pytest.mark.parametrize(
    "rule",
    [
        _growing,
        _against_the_sample,
        _against_slow_swings,
        _against_the_trend_line,
        _rarely,
        _out_after_a_gain,
    ],
)
def test_rules_that_know_nothing_are_not_proven(
    rule: Callable[[Floats, int], Floats], drift: float
) -> None:
    at_5, at_1 = rejections(rule, drift)
    assert at_5 < 0.078  # four standard errors of 1,000 walks above 5 %
    assert at_1 < 0.023  # and above 1 %


def test_returns_that_go_together_are_allowed_for() -> None:
    found = []
    for seed in range(600):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=(2, 1040))
        returns = 0.01 * (noise[0, 40:] + 0.5 * noise[0, 39:-1])
        position = np.sign(np.convolve(noise[1], np.ones(41), "valid"))
        found.append(edge_of(position, returns).p_value < 0.05)
    assert np.mean(found) < 0.085


@pytest.mark.parametrize(("memory", "least"), [(0.0, 0.85), (0.9, 0.8)])
def test_a_planted_signal_is_found(memory: float, least: float) -> None:
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        signal = rng.normal(size=1000)
        for t in range(1, 1000):
            signal[t] = memory * signal[t - 1] + np.sqrt(1 - memory**2) * signal[t]
        returns = 0.01 * (0.12 * signal + rng.normal(size=1000))
        found.append(edge_of(np.sign(signal), returns).p_value < 0.05)
    assert np.mean(found) > least
