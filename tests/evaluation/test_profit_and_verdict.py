"""What following forecasts earns, worked out by hand, and what the verdict says of it."""

from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.evaluations import SUPPORTED, evaluation_with

from barstack.bars import BAR, Bars
from barstack.core.decisions import Decisions
from barstack.core.forecast import Forecast
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.times import DecidedAt, KnownAt, TrainedThrough
from barstack.evaluation import HorizonVerdict, judge
from barstack.evaluation._case import make_case
from barstack.evaluation._naive import baseline, naive_forecasts
from barstack.evaluation._profit import follow, net_edge
from barstack.evaluation._verdict import _sentence
from barstack.labels import LABELS
from barstack.labels._meta import Side
from barstack.portfolio import side_of
from barstack.testing import walk
from barstack.tracking import OutOfFold


def bars_of(close: list[float]) -> Bars:
    records = np.zeros(len(close), BAR)
    records["opened_at"] = np.arange(len(close)) * 3_600_000_000
    records["closed_at"] = records["opened_at"] + 3_600_000_000
    for price in ("open", "high", "low", "close"):
        records[price] = close
    return Bars("X", 3_600_000_000, records)


def held(bars: Bars, rows: list[int], horizon: int) -> tuple[Decisions, KnownAt]:
    closed_at = bars.closed_at
    decided_at = AT_EACH_CLOSE.decided_at(closed_at)[rows]
    decisions = Decisions(("X",), np.zeros(len(rows), np.int32), DecidedAt(decided_at))
    return decisions, KnownAt(closed_at[np.array(rows) + horizon])


def test_one_bar_positions_earn_the_next_bar_and_pay_for_every_change() -> None:
    bars = bars_of([100.0, 110.0, 99.0, 99.0, 108.9])
    decisions, known_at = held(bars, [0, 1, 2, 3], 1)
    profit = follow({"X": bars}, decisions, np.array([1.0, -1.0, 0.0, 1.0]), known_at, 10.0)
    np.testing.assert_allclose(profit.gross, [0.1, 0.1, 0.0, 0.1])
    # The last is bought and, with the last bar, sold.
    np.testing.assert_allclose(profit.turnover, [1.0, 2.0, 1.0, 2.0])
    np.testing.assert_allclose(profit.cost, np.array([1.0, 2.0, 1.0, 2.0]) * 0.001)
    np.testing.assert_allclose(profit.hold, [0.1, -0.1, 0.0, 0.1])
    steady = np.array([1.0, 0.0, 0.0, 0.25])  # mean positions so far
    ahead = np.array([0.025, 0.0, 0.05, 0.1])  # mean returns from here on
    beyond = ((profit.position - steady) * (profit.hold - ahead)).sum()
    np.testing.assert_allclose(profit.timing.sum(), beyond, atol=1e-15)


def test_overlapping_decisions_share_one_unit() -> None:
    bars = bars_of([100.0, 101.0, 102.0, 103.0, 104.0, 105.0])
    decisions, known_at = held(bars, [0, 1, 2], 3)
    profit = follow({"X": bars}, decisions, np.array([1.0, -1.0, -1.0]), known_at, 0.0)
    # Open over each bar: {+}, {+,-}, {+,-,-}, {-,-}, {-}.
    np.testing.assert_allclose(profit.position, [1.0, 0.0, -1 / 3, -1.0, -1.0])


def test_a_steady_position_has_no_timing_profit() -> None:
    bars = walk(300)
    decisions = AT_EACH_CLOSE.decisions({"WALK": bars}).take(np.arange(200))
    profit = follow(
        {"WALK": bars}, decisions, np.ones(200), KnownAt(bars.closed_at[4:204]), cost_bps=0.0
    )
    np.testing.assert_allclose(profit.timing, 0.0, atol=1e-15)
    assert profit.turnover.sum() == 2.0  # in and out
    assert net_edge(profit).bps == pytest.approx(0.0, abs=1e-12)


def test_a_pause_of_one_symbol_leaves_the_others_their_errors() -> None:
    panel = {name: walk(900, seed=i, symbol=name) for i, name in enumerate("ABC")}
    whole = panel["C"]
    kept = np.r_[0:500, 700:900]
    panel["C"] = Bars("C", whole.length_us, whole.records[kept])
    labels = LABELS.parse({"label": "return", "horizons": [1]}).compute(panel)
    every = np.arange(len(labels.decisions))
    through = TrainedThrough(labels.decisions.decided_at - np.timedelta64(1, "h"))
    zeros = np.zeros((len(every), 1, 1))
    forecast = Forecast(labels.decisions, labels.target, zeros, through)
    judged = OutOfFold(forecast, np.zeros(len(every), np.int64))
    case = make_case(panel, labels, judged, every, baseline(labels, every), cost_bps=1.0)
    assert case.horizons[0].overlap == 1
    assert case.horizons[0].blocks.count == 20


def test_believing_a_rule_takes_its_side_and_doubting_it_none() -> None:
    rule = Side(feature="rsi", above=60, below=40, against=True)
    bars = walk(600)
    label = LABELS.parse({"label": "meta", "horizons": [4], "side": rule, "cost_bps": 0.0})
    labels = label.compute(bars)
    rows = np.flatnonzero(labels.eligible & ~np.isnat(labels.all_known_at))
    believed = labels.values[rows]  # as if one knew
    assert labels.side is not None
    side = side_of(2.0 * believed - 1.0, labels.side[rows])
    np.testing.assert_array_equal(
        side[:, 0], np.where(believed[:, 0] == 1, rule.compute(bars)[rows], 0)
    )
    known_at = KnownAt(labels.known_at[rows, 0])
    gained = follow({"WALK": bars}, labels.decisions.take(rows), side[:, 0], known_at, 0.0).gross
    always = follow(
        {"WALK": bars}, labels.decisions.take(rows), labels.side[rows].astype(float), known_at, 0.0
    ).gross
    assert gained.sum() > max(always.sum(), 0.0)
    # The holdings that paid, each over its own bars, with the others' share of the money idle.
    assert (labels.returns[rows][believed == 1.0] > 0.0).all()


def test_a_symbol_that_ends_with_its_first_decision_earns_nothing() -> None:
    long, short = walk(40, symbol="LONG"), walk(40, symbol="SHORT")[:20]
    panel = {"LONG": long, "SHORT": short}
    times = {"LONG": DecidedAt(long.closed_at[19:30]), "SHORT": DecidedAt(short.closed_at[19:20])}
    decisions = Decisions.concatenate(times)
    known_at = KnownAt(np.full(len(decisions), np.datetime64("NaT", "us")))
    both = follow(panel, decisions, np.ones(len(decisions)), known_at, 1.0)
    alone = follow(
        {"LONG": long},
        Decisions.concatenate({"LONG": times["LONG"]}),
        np.ones(11),
        KnownAt(known_at[:11]),
        1.0,
    )
    np.testing.assert_array_equal(both.net, alone.net)


def test_naive_forecasts_use_what_was_known() -> None:
    bars = bars_of([100.0, 101.0, 100.0, 100.0, 104.0, 103.0])
    labels = LABELS.parse({"label": "return", "horizons": [2]}).compute(bars)
    rows = np.arange(6)
    naive = {each.name: each for each in naive_forecasts(labels, rows, baseline(labels, rows))}
    seen = labels.values[:4, 0]
    mean = naive["historical_mean"].values
    assert mean is not None
    # The label decided at bar 0 is known at bar 2, and so on.
    expected = [0.0, 0.0, *(seen[: n + 1].mean() for n in range(4))]
    np.testing.assert_allclose(mean[:, 0, 0], expected)
    np.testing.assert_array_equal(naive["last_sign"].signal[2:, 0], np.sign(seen))
    assert (naive["always_up"].signal == 1.0).all()
    assert (naive["zero"].signal == 0.0).all()


EVIDENCE = HorizonVerdict(
    horizon="4h",
    edge="unproven",
    net_edge_bps=1.0,
    net_edge_bps_se=1.0,
    t_value=1.0,
    p_value=0.16,
    p_adjusted=0.7,
    ic=None,
    ic_se=None,
    n_bars=1000,
    trades=True,
    bars_to_prove=[2_000, 12_000],
)


def test_the_verdict_is_one_sentence_without_statistics() -> None:
    cases = {
        "none": replace(EVIDENCE, edge="none"),
        "unproven": EVIDENCE,
        "few": replace(EVIDENCE, t_value=None, net_edge_bps_se=None),
        "supported": replace(EVIDENCE, edge="supported", p_adjusted=0.004),
    }
    said = {name: _sentence(each, 21, 1, 1750.0) for name, each in cases.items()}
    assert "about 7 times in 10" in said["unproven"]
    assert "between a year and 7 years more of bars" in said["unproven"]
    assert "21 things tried" in said["unproven"]
    assert "earned no more than simply holding" in said["none"]
    assert "too few bars" in said["few"]
    assert "about 4 times in 1,000" in said["supported"]
    for sentence in said.values():
        assert sentence.count(". ") == 0
        assert not {"p-value", "bps", "significant", "sigma"} & set(sentence.split())


def test_a_horizon_without_an_error_does_not_hide_behind_a_losing_one() -> None:
    losing = replace(SUPPORTED, net_edge_bps=-0.1, p_value=0.55)
    unknown = replace(SUPPORTED, horizon="1d", t_value=None, net_edge_bps_se=None, p_value=1.0)
    found = judge(evaluation_with([losing, unknown], []), trials=10)
    assert (found.edge, found.horizon) == ("unproven", "1d")
    assert "too few bars" in found.sentence


def test_forecasts_that_never_trade_have_no_edge() -> None:
    assert judge(evaluation_with([replace(SUPPORTED, trades=False)], []), trials=1).edge == "none"
