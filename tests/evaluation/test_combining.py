"""Whether combining helps and which members do, against slow and obvious computations."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import scipy.stats
from tests.evaluation.evaluations import SUPPORTED, evaluation_with

from barstack import Run
from barstack.core.arrays import Floats
from barstack.core.forecast import EVERY_TASK, REGIMES, Target, Task
from barstack.ensembles import Ensemble, Stacked, walk_forward
from barstack.ensembles.average import Average
from barstack.evaluation import Evaluation, Gain
from barstack.evaluation._case import Outcomes
from barstack.evaluation._diebold_mariano import diebold_mariano, holm
from barstack.evaluation._diversity import correlations, disagreement, effective_number
from barstack.evaluation._findings import Weights
from barstack.evaluation._gains import adjusted, gains_at
from barstack.evaluation._importances import importances, inputs_of
from barstack.evaluation._losses import losses
from barstack.evaluation._references import best_so_far, equal_weights
from barstack.evaluation._shapley import Coalitions, shapley_exact, shapley_sampled
from barstack.evaluation._standard_errors import TimeBlocks, blocks_of
from barstack.evaluation._weights import Fits, order_kept, regime_weights, stability_of, weights_of
from barstack.testing import small_stacked

RNG = np.random.default_rng(5)
TIMES = np.datetime64("2026-01-05", "us") + np.arange(400) * np.timedelta64(1, "h")


def slow_loss(values: Floats, y: float, target: Target) -> float:
    """Of one row, as the literature writes it."""
    if target.task == "return":
        return float((y - values[0]) ** 2)
    if target.task == "direction":
        return -float(np.log(values[0] if y == 1.0 else 1.0 - values[0]))
    if target.task == "three_class":
        return -float(np.log(values[int(y)]))
    pinball = [
        level * (y - q) if y >= q else (1.0 - level) * (q - y)
        for level, q in zip(target.levels, values, strict=True)
    ]
    return float(np.mean(pinball))


@pytest.mark.parametrize("task", EVERY_TASK)
def test_losses_are_those_of_each_row(task: Task) -> None:
    stacked = small_stacked(task, rows=40)
    assert stacked.y is not None
    values, y = stacked.forecasts[:, :, 0].swapaxes(0, 1), stacked.y[:, 0]
    expected = [
        [slow_loss(row, label, stacked.target) for row, label in zip(member, y, strict=True)]
        for member in values
    ]
    np.testing.assert_allclose(losses(values, y, stacked.target), expected)


def slow_test(series: Floats, span: int) -> tuple[float, float]:
    """Diebold, Mariano (1995) with Harvey, Leybourne, Newbold (1997), term by term."""
    n, mean = len(series), sum(series) / len(series)
    variance = 0.0
    for lag in range(-(span - 1), span):
        for t in range(abs(lag), n):
            variance += (series[t] - mean) * (series[t - abs(lag)] - mean) / n
    plain = mean / (variance / n) ** 0.5
    corrected = plain * ((n + 1 - 2 * span + span * (span - 1) / n) / n) ** 0.5
    return corrected, 2.0 * float(scipy.stats.t.sf(abs(corrected), n - 1))


@pytest.mark.parametrize("span", [1, 2, 5])
def test_diebold_mariano_is_the_published_formula(span: int) -> None:
    noise = RNG.normal(0.1, 1.0, 60 + span)
    series = np.convolve(noise, np.ones(span), "valid")[:60]
    found = diebold_mariano(series, TIMES[:60], span)
    assert found is not None
    statistic, p_value = slow_test(series, span)
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(p_value)


def test_rows_of_one_time_are_one_observation() -> None:
    """A copy of a symbol adds no evidence."""
    one = RNG.normal(0.2, 1.0, 50)
    once = diebold_mariano(one, TIMES[:50], 2)
    twice = diebold_mariano(np.repeat(one, 2), np.repeat(TIMES[:50], 2), 2)
    assert once is not None
    assert twice is not None
    assert twice.n_times == 50
    assert twice.statistic == pytest.approx(once.statistic)


def test_overlapping_losses_of_no_difference_are_rarely_told_apart() -> None:
    span, n, refused = 4, 240, 0
    for _ in range(400):
        series = np.convolve(RNG.normal(size=n + span - 1), np.ones(span), "valid")
        found = diebold_mariano(series, TIMES[:n], span)
        assert found is not None
        refused += found.p_value < 0.05
    assert refused <= 36  # 5 % of 400, and three standard errors
    blind = [scipy.stats.ttest_1samp(np.repeat(RNG.normal(size=60), 4), 0).pvalue < 0.05
             for _ in range(200)]  # fmt: skip
    assert sum(blind) > 36  # what the test would do that overlooks the overlap


def test_no_test_where_there_is_nothing_to_test() -> None:
    assert diebold_mariano(np.zeros(50), TIMES[:50], 1) is None
    assert diebold_mariano(RNG.normal(size=20), TIMES[:20], 10) is None


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.02, 0.5]) == [0.03, 0.04, 0.5]
    assert holm([0.01], tried=20) == [0.2]
    assert holm([]) == []


@pytest.mark.parametrize("task", EVERY_TASK)
def test_shapley_values_are_means_over_all_orders(task: Task) -> None:
    stacked = small_stacked(task, rows=60)
    assert stacked.y is not None
    values, y, target = stacked.forecasts[:, :, 0], stacked.y[:, 0], stacked.target
    nobody = losses(values.mean(axis=(0, 1))[None].repeat(60, 0), y, target)

    def lost(members: tuple[int, ...]) -> float:
        if not members:
            return float(nobody.sum())
        return float(losses(values[:, list(members)].mean(axis=1), y, target).sum())

    expected = np.zeros(4)
    orders = list(permutations(range(4)))
    for order in orders:
        for place, member in enumerate(order):
            expected[member] += lost(order[:place]) - lost(order[: place + 1])
    made = Coalitions(values, y, nobody, target, TimeBlocks(np.arange(60) // 10, 6))
    found = shapley_exact(made).sum(axis=1)
    np.testing.assert_allclose(found, expected / len(orders), rtol=1e-9, atol=1e-12)
    assert found.sum() == pytest.approx(lost(()) - lost((0, 1, 2, 3)))


def test_sampled_shapley_values_agree_with_exact_ones() -> None:
    values = RNG.normal(size=(200, 8, 1)) * np.arange(1, 9)[:, None] * 0.2
    y = values[:, 0, 0] + RNG.normal(size=200)
    made = Coalitions(
        values, y, y**2, Target("return", ("1h",)), TimeBlocks(np.arange(200) // 20, 10)
    )
    exact = shapley_exact(made).sum(axis=1)
    found, error = shapley_sampled(made, 400, seed=3)
    assert (np.abs(found.sum(axis=1) - exact) < 4.0 * error).all()
    assert found.sum() == pytest.approx(exact.sum())  # each order shares out the whole
    again, _ = shapley_sampled(made, 400, seed=3)
    np.testing.assert_array_equal(again, found)


@pytest.mark.parametrize("r", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_effective_number_of_equally_correlated_members(n: int, r: float) -> None:
    matrix = np.full((n, n), r) + (1.0 - r) * np.eye(n)
    assert effective_number(matrix) == pytest.approx(n / (1.0 + (n - 1) * r**2))
    values = np.linalg.eigvalsh(matrix)
    assert effective_number(matrix) == pytest.approx(values.sum() ** 2 / (values**2).sum())


def test_a_member_that_never_changes_counts_for_none() -> None:
    columns = RNG.normal(size=(500, 3))
    columns[:, 1] = 0.25
    assert effective_number(correlations(columns)) == pytest.approx(2.0, abs=0.02)
    assert effective_number(correlations(np.ones((10, 2)))) is None


def test_disagreement_counts_opposite_sides() -> None:
    signals = RNG.integers(-1, 2, size=(50, 4)).astype(float)
    expected = [
        [np.mean([abs(a - b) / 2.0 for a, b in zip(one, two, strict=True)]) for two in signals.T]
        for one in signals.T
    ]
    np.testing.assert_allclose(disagreement(signals), expected)


@pytest.mark.parametrize("task", EVERY_TASK)
def test_the_best_member_so_far_is_chosen_on_known_rows_of_earlier_folds(task: Task) -> None:
    stacked = small_stacked(task)
    assert stacked.fold is not None
    assert stacked.y is not None
    assert stacked.known_at is not None
    values, choices = best_so_far(stacked)
    for fold in (1, 2):
        begins = min(stacked.decisions.decided_at[stacked.fold == fold])
        for place, horizon in enumerate(stacked.target.horizons):
            lost = np.zeros(4)
            for row in range(len(stacked)):
                if stacked.fold[row] < fold and max(stacked.known_at[row]) <= begins:
                    for member in range(4):
                        numbers = stacked.forecasts[row, member, place]
                        lost[member] += slow_loss(numbers, stacked.y[row, place], stacked.target)
            best = int(np.argmin(lost))
            (choice,) = (c for c in choices if (c.fold, c.horizon) == (fold, horizon))
            assert choice.member == stacked.members[best]
            own = stacked.fold == fold
            np.testing.assert_array_equal(values[own, place], stacked.forecasts[own, best, place])


def test_the_choice_knows_nothing_of_later_outcomes() -> None:
    stacked = small_stacked("return")
    assert stacked.y is not None
    assert stacked.fold is not None
    begins = stacked.decisions.decided_at[stacked.fold == 2].min()
    later = ~(stacked.all_known_at <= begins)
    # So far out on the side of the worst member that any one of them would make it the best.
    side = np.sign(stacked.forecasts[:, 3, :, 0] - stacked.forecasts[:, 0, :, 0])
    altered = np.where(later[:, None], 1e6 * side, stacked.y)
    before, after = best_so_far(stacked), best_so_far(replace(stacked, y=altered))
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1] == after[1]


def realised_of(stacked: Stacked, place: int = 0) -> Outcomes:
    assert stacked.y is not None
    assert stacked.returns is not None
    times = stacked.decisions.decided_at
    return Outcomes(
        name=stacked.target.horizons[place],
        y=stacked.y[:, place],
        returns=stacked.returns[:, place],
        decided_at=times,
        overlap=2,
        blocks=blocks_of(times, 2),
    )


@pytest.mark.parametrize("task", EVERY_TASK)
def test_gains_are_differences_of_mean_losses(task: Task) -> None:
    stacked = small_stacked(task)
    assert stacked.y is not None
    good, equal = stacked.forecasts[:, 0, 0], equal_weights(stacked)[:, 0]
    found = gains_at(realised_of(stacked), stacked.target, {"a": good}, {"b": equal, "c": good})
    gain, none = adjusted(found)
    ours, theirs = (
        np.mean([slow_loss(v, y, stacked.target) for v, y in zip(x, stacked.y[:, 0], strict=True)])
        for x in (good, equal)
    )
    assert gain.gain == pytest.approx(1.0 - ours / theirs)
    assert (none.gain, none.p_value, none.gain_se) == (0.0, None, None)
    assert "exactly as well" in none.sentence


def test_a_gain_is_claimed_only_where_it_is_distinguished() -> None:
    gain = Gain(ensemble="nnls", horizon="1h", against="equal_weights", loss="squared error",
                n_decisions=100, gain=0.002, gain_se=0.0005, statistic=4.0, p_value=0.001,
                ic_gain=None, ic_gain_se=None)  # fmt: skip
    (alone,) = adjusted([gain])
    assert alone.distinguished
    assert "beats equal weights by 0.20 ± 0.05 % of its squared error" in alone.sentence
    assert "not distinguishable" not in alone.sentence
    (among,) = adjusted([gain], tried=100)
    assert not among.distinguished
    assert "not distinguishable from no gain (p 0.100 counting 100" in among.sentence
    (worse,) = adjusted([replace(gain, gain=-0.002)])
    assert "loses to equal weights" in worse.sentence


def fits_of(ensemble: Ensemble, stacked: Stacked) -> Fits:
    return dict(walk_forward(ensemble, stacked)[1].items())


def test_importance_is_none_where_a_member_has_no_weight() -> None:
    class First(Average):
        def fit(self, stacked: Stacked) -> Floats:
            return np.eye(1, len(stacked.members)).repeat(len(stacked.target.horizons), 0)

    stacked = small_stacked("return")
    fits = fits_of(First(), stacked)
    found = list(importances("first", fits, stacked))
    assert {each.member for each in found} == set(stacked.members)
    for each in found:
        if each.member == "good":
            assert each.rise > 0.1
            assert each.rise_se is not None
            assert each.rise > 3.0 * each.rise_se
        else:
            assert each.rise == 0.0


def test_inputs_may_be_ensembles() -> None:
    stacked = small_stacked("return")
    below, _ = walk_forward(Average(), stacked)
    found = inputs_of(("poor", "below"), stacked, {"below": below})
    assert found is not None
    assert found.fold is not None
    assert set(found.fold) == {1, 2}
    np.testing.assert_array_equal(found.member(1), below.forecast.values)
    rows = stacked.decisions.find(found.decisions)
    np.testing.assert_array_equal(found.member(0), stacked.member(2)[rows])
    assert inputs_of(("poor", "elsewhere"), stacked, {}) is None


class Gated(Average):
    """The first member where the market rises, the last elsewhere."""

    def weights(self, learned: Floats) -> Any:
        return None

    def explain(self, learned: Floats, stacked: Stacked) -> dict[str, Floats]:
        rises = stacked.context["regimes"][:, 0]
        found = np.zeros((len(stacked), len(stacked.members)))
        found[:, 0], found[:, -1] = rises, 1.0 - rises
        return {"weights": found}


def test_weights_by_regime_are_means_where_the_regime_is_likely() -> None:
    stacked = small_stacked("return")
    state = RNG.integers(0, 2, len(stacked))
    stacked = replace(stacked, context={"regimes": np.eye(len(REGIMES))[state]})
    fits = fits_of(Gated(), stacked)
    found = {(each.regime, each.horizon): each for each in regime_weights("gated", fits, stacked)}
    assert {regime for regime, _ in found} == set(REGIMES[:2])
    for horizon in stacked.target.horizons:
        rises, falls = (found[regime, horizon] for regime in REGIMES[:2])
        assert rises.weights == {"good": 1.0, "fair": 0.0, "poor": 0.0, "noise": 0.0}
        assert falls.weights == {"good": 0.0, "fair": 0.0, "poor": 0.0, "noise": 1.0}
        assert rises.share + falls.share == pytest.approx(1.0)
    assert stacked.fold is not None
    over_time = weights_of("gated", fits, stacked, stacked.target)
    (first,) = (w for w in over_time if (w.fold, w.horizon) == (1, "1h"))
    assert first.weights["good"] == pytest.approx((state[stacked.fold == 1] == 0).mean())


def test_steady_weights_are_kept() -> None:
    def fold(number: int, a: float, b: float) -> Weights:
        return Weights("e", "1h", number, {"x": a, "y": b})

    (steady,) = stability_of([fold(1, 0.5, 0.5), fold(2, 2.0, 2.0)])
    assert steady.value == pytest.approx(1.0)  # only their proportions count
    (moved,) = stability_of([fold(1, 1.0, 0.0), fold(2, 0.0, 3.0), fold(3, 0.0, 1.0)])
    assert moved.value == pytest.approx(0.5)
    assert order_kept("1h", [np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 9.0])]) is not None
    reversed_ = order_kept("1h", [np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])])
    assert reversed_ is not None
    assert reversed_.value == pytest.approx(-1.0)


def test_a_run_finds_all_of_it(finished: Run) -> None:
    found = finished.evaluation
    against = {gain.against for gain in found.gains}
    assert against == {"best_so_far", "equal_weights", "zero", "historical_mean"}
    assert {each.member for each in found.contributions} == {"ridge", "strong"}
    assert {each.ensemble for each in found.importances} == set(finished.study.ensembles)
    by_role = {score.role for score in found.scores}
    assert by_role == {"ensemble", "member", "benchmark", "naive"}
    # Of equal weights, the Shapley values share out the skill against the naive forecast.
    for horizon in found.horizons:
        (r2,) = (s.r2 for s in found.scores if (s.name, s.horizon) == ("average", horizon))
        shares = sum(each.shapley for each in found.contributions if each.horizon == horizon)
        assert shares == pytest.approx(r2)
    assert Evaluation.from_json(found.to_json()) == found


def test_an_evaluation_from_before_is_read() -> None:
    content = evaluation_with([SUPPORTED], []).to_json()
    for name in ("gains", "fold_gains", "choices", "diversity", "contributions", "importances",
                 "regime_weights", "stability"):  # fmt: skip
        del content[name]
    assert Evaluation.from_json(content).gains == []
