"""Barriers found by search: scored as said, on training holdings alone, the same every time."""

import math
from typing import Any

import numpy as np
import pytest
from tests.labels.slow_barriers import slow_triple_barrier

from barstack.bars import Bars
from barstack.core.errors import ConfigError, DataError
from barstack.labels import LABELS
from barstack.labels._genetic import GeneticBarriers, _Holdings
from barstack.labels._paths import OBJECTIVES, WORST, exponential_variance, score_candidates
from barstack.testing import walk

BARS = walk(500, missing=0.05)
TRAINING = np.arange(300)
CANDIDATES = np.array(
    [[1.0, 1.0, 12.0, 20.0], [0.3, 2.0, 5.0, 8.0], [2.5, 0.25, 12.0, 30.0], [0.01, 3.0, 1.0, 5.0]]
)


def search(**settings: Any) -> Any:
    return LABELS.parse(
        {"label": "genetic_barriers", "horizons": [12], "span": [5, 30], "candidates": 400}
        | {"max_gap": "9d"}
        | settings
    )


def scores(label: GeneticBarriers, candidates: Any, bars: Bars = BARS) -> Any:
    """As the search sees them."""
    return scored(label, candidates, holdings_of(label, bars))


def holdings_of(label: GeneticBarriers, bars: Bars) -> _Holdings:
    return label._holdings({bars.symbol: bars}, label.horizons[0], TRAINING)


def scored(label: GeneticBarriers, candidates: Any, holdings: _Holdings) -> Any:
    found = np.empty(len(candidates))
    objective = OBJECTIVES.index(label.objective)
    score_candidates(candidates, objective, label.cost_bps * 1e-4, *holdings, found)
    return found


def slow_score(label: GeneticBarriers, candidate: Any) -> Any:
    """Mean, deviation and entropy of holdings that count by their uniqueness, step by step."""
    upper, lower, limit, span = candidate
    outcomes = slow_triple_barrier(
        BARS,
        label.horizons[0].content(),
        upper=upper,
        lower=lower,
        span=int(span),
        limit_bars=int(limit),
    )
    closed = BARS.records["closed_at"].tolist()
    first = label.span[1]
    held: list[tuple[range, Any]] = []
    for row in TRAINING[first:]:
        outcome = outcomes[row]
        if outcome.known_at is not None:
            held.append((range(row + 1, closed.index(outcome.known_at) + 1), outcome))
    open_in = [sum(bar in span for span, _ in held) for bar in range(len(closed))]
    weights = [sum(1 / open_in[bar] for bar in span) / len(span) for span, _ in held]
    net = [outcome.returns - label.cost_bps * 1e-4 for _, outcome in held]
    total = sum(weights)
    mean = sum(w * r for w, r in zip(weights, net, strict=True)) / total
    if label.objective == "mean_net":
        return mean
    if label.objective == "sharpe":
        variance = sum(w * (r - mean) ** 2 for w, r in zip(weights, net, strict=True)) / total
        return mean / math.sqrt(variance) * math.sqrt(total)
    shares = [0.0, 0.0, 0.0]
    for weight, earned, (_, outcome) in zip(weights, net, held, strict=True):
        worthless = outcome.value == 2 and earned <= 0
        shares[1 if worthless else outcome.value] += weight / total
    return -sum(share * math.log(share) for share in shares if share) / math.log(3)


@pytest.mark.parametrize("horizon", [12, "1d"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_scores_are_those_of_the_slow_reference(objective: str, horizon: str | int) -> None:
    label = search(objective=objective, horizons=[horizon], cost_bps=8)
    expected = [slow_score(label, candidate) for candidate in CANDIDATES]
    np.testing.assert_allclose(scores(label, CANDIDATES), expected, rtol=1e-9)


def test_what_is_learned_is_a_triple_barrier_within_the_ranges() -> None:
    label = search(horizons=[12, "3h"], upper=[0.5, 1.5], lower=[0.4, 0.8], overnight=False)
    fitted: Any = label.fit(BARS, TRAINING)
    assert fitted.registered_as == ("label", "triple_barrier")
    assert (fitted.target, fitted.overnight, fitted.fitted) == (label.target, False, False)
    for column, most in enumerate((12, 6)):
        assert 0.5 <= fitted.upper[column] <= 1.5
        assert 0.4 <= fitted.lower[column] <= 0.8
        assert 5 <= fitted.span[column] <= 30
        assert 1 <= fitted.limit_bars[column] <= most


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_search_beats_as_many_tries_at_random(objective: str) -> None:
    label = search(objective=objective, candidates=2000)
    fitted: Any = label.fit(BARS, TRAINING)
    best = np.column_stack([fitted.upper, fitted.lower, fitted.limit_bars, fitted.span])
    rng = np.random.default_rng(0)
    tried = rng.uniform([0.25, 0.25, 1, 5], [3.0, 3.0, 12.99, 30.99], (2000, 4))
    tried[:, 2:] = np.floor(tried[:, 2:])
    assert scores(label, best)[0] >= scores(label, tried).max()


def test_one_seed_finds_one_thing() -> None:
    assert search(seed=5).fit(BARS, TRAINING) == search(seed=5).fit(BARS, TRAINING)
    assert search(seed=5).fit(BARS, TRAINING) != search(seed=6).fit(BARS, TRAINING)


def test_costs_push_the_upper_barrier_out() -> None:
    cheap, dear = (
        search(objective="balance", cost_bps=cost).fit(BARS, TRAINING) for cost in (0, 250)
    )
    assert dear.upper[0] > cheap.upper[0]


def test_symbols_are_searched_together_and_kept_apart() -> None:
    """Neither volatility nor a holding runs from one symbol's end into the next's beginning."""
    other = walk(500, seed=7, symbol="OTHER")
    panel = {"OTHER": other, "WALK": BARS}
    label = search(objective="mean_net")
    rows = np.concatenate([TRAINING, len(other) + TRAINING])
    joined = label._holdings(panel, label.horizons[0], rows)
    alone = [holdings_of(label, bars) for bars in (other, BARS)]
    assert len(joined.rows) == sum(len(each.rows) for each in alone)
    np.testing.assert_array_equal(np.flatnonzero(joined.starts), [0, len(other)])
    apart = []
    for each in (*alone, joined):
        apart.append(np.empty(len(each.closes)))
        exponential_variance(each.squares, each.starts, 20, apart[-1])
    np.testing.assert_array_equal(np.concatenate(apart[:2]), apart[2])
    one, two = (scored(label, CANDIDATES, each) for each in alone)
    both = scored(label, CANDIDATES, joined)
    assert ((np.minimum(one, two) < both) & (both < np.maximum(one, two))).all()


def test_where_nothing_moves_nothing_is_found_out() -> None:
    records = BARS.records.copy()
    for price in ("open", "high", "low", "close"):
        records[price] = 50.0
    flat = Bars("WALK", BARS.length_us, records)
    np.testing.assert_array_equal(scores(search(), CANDIDATES, flat), WORST)
    with pytest.raises(DataError, match="prices do not move"):
        search().fit(flat, TRAINING)


def test_rows_that_are_too_few_are_refused() -> None:
    with pytest.raises(DataError, match="Only 10 of 40 training rows have a holding over 12 bars"):
        search().fit(BARS, np.arange(40))


@pytest.mark.parametrize("setting", ["upper", "lower", "span"])
def test_truth_is_no_end_of_a_range(setting: str) -> None:
    with pytest.raises(ConfigError, match=rf"{setting}: Write .least, most., both numbers"):
        search(**{setting: [True, 2]})


@pytest.mark.parametrize("wrong", [{"upper": [2, 1]}, {"span": [0, 9]}, {"candidates": 10}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        search(**wrong)
