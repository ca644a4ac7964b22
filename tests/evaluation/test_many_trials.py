"""Tests of many trials against arch and phacker, with the same resamplings, and on noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import phacker.cscv
import phacker.stats
import pytest
from arch.bootstrap import MCS, SPA, StationaryBootstrap, StepM, optimal_block_length

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, DataError
from barstack.evaluation.significance import (
    block_length,
    confidence_set,
    counts_of,
    effective_trials,
    overfitting,
    resample,
    romano_wolf,
    spa,
    stationary_indices,
    step_m,
)

SEED, REPETITIONS, BLOCK = 5, 500, 10


def trials(kind: str, n_times: int = 400, n_trials: int = 12) -> Floats:
    """Returns of trials, the first of which may be good and half of which may be bad."""
    rng = np.random.default_rng(1)
    found = rng.normal(size=(n_times, n_trials))
    if kind == "alike":
        found = 0.3 * found + rng.normal(size=(n_times, 1))
    if kind == "serial":
        found += 0.5 * np.roll(found, 1, axis=0)
    found[:, 0] += 0.2
    if kind == "bad":
        found[:, 6:] -= 0.5
    return found


def as_arch_draws(n_times: int) -> Floats:
    """The resamplings that arch makes of this seed."""
    draws = StationaryBootstrap(BLOCK, np.arange(n_times), seed=SEED).bootstrap(REPETITIONS)
    return counts_of(np.array([each[0][0] for each in draws]))


@pytest.mark.parametrize("kind", ["independent", "alike", "serial", "bad"])
def test_spa_and_step_m_are_those_of_arch(kind: str) -> None:
    returns = trials(kind)
    ours = resample(returns, block=BLOCK, counts=as_arch_draws(len(returns)))
    options: dict[str, Any] = {"block_size": BLOCK, "reps": REPETITIONS, "seed": SEED}
    theirs = SPA(np.zeros(len(returns)), -returns, **options)
    theirs.compute()
    found = spa(ours, studentize=False)  # arch 8.0 never divides by standard errors
    # arch counts exceedances alone; ours is one more of both.
    for name in ("lower", "consistent", "upper"):
        over = getattr(found, name) * (REPETITIONS + 1) - 1
        assert over == pytest.approx(theirs.pvalues[name] * REPETITIONS)
    np.testing.assert_allclose(ours.se**2 * ours.shrinkage, theirs._loss_diff_var / len(returns))
    stepwise = StepM(np.zeros(len(returns)), -returns, size=0.1, **options)
    stepwise.compute()
    assert step_m(ours, 0.1, studentize=False).tolist() == stepwise.superior_models


@pytest.mark.parametrize("kind", ["independent", "alike", "serial", "bad"])
@pytest.mark.parametrize(("statistic", "method"), [("max", "max"), ("range", "R")])
def test_confidence_sets_are_those_of_arch(kind: str, statistic: Any, method: Any) -> None:
    returns = trials(kind)
    ours = resample(returns, block=BLOCK, counts=as_arch_draws(len(returns))).flipped()
    theirs = MCS(-returns, 0.1, REPETITIONS, BLOCK, method, seed=SEED)
    theirs.compute()
    expected = theirs.pvalues.Pvalue.sort_index().to_numpy()
    found = confidence_set(ours, statistic=statistic)
    over = np.where(found == 1.0, REPETITIONS, found * (REPETITIONS + 1) - 1)
    np.testing.assert_allclose(over, expected * REPETITIONS, atol=1e-6)


def test_equal_models_stay_together() -> None:
    returns = np.repeat(trials("independent")[:, :2], 2, axis=1)
    for statistic in ("max", "range"):
        found = confidence_set(resample(returns).flipped(), statistic=statistic)
        assert found[0] == found[1] == 1.0
        assert found[2] == pytest.approx(found[3], abs=0.02)


@pytest.mark.parametrize("n_times", [60, 400, 2500])
def test_block_lengths_are_those_of_arch(n_times: int) -> None:
    series = trials("serial", n_times, 30)
    series = np.cumsum(series, axis=0) * 0.1 + series  # some persistent, to the longest allowed
    for table in (series, series[:, :1]):
        theirs = np.maximum(optimal_block_length(table)["stationary"].to_numpy(), 0.0)
        assert block_length(table) == pytest.approx(max(theirs.mean(), 1.0), rel=1e-9)


def test_a_block_is_as_long_as_labels_overlap() -> None:
    noise = trials("independent", 2000)
    assert block_length(noise) < 10
    assert block_length(noise, span=50) == 100


def test_blocks_have_the_mean_length_and_every_row_the_same_chance() -> None:
    indices = stationary_indices(200, 3000, 8.0, seed=0)
    goes_on = (np.diff(indices, axis=1) % 200 == 1).mean()
    assert goes_on == pytest.approx(1.0 - (1.0 / 8.0) * (1.0 - 1.0 / 200.0), abs=0.002)
    counts = counts_of(indices)
    assert (counts.sum(axis=1) == 200).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(200), abs=0.15)


def test_the_variance_in_closed_form_is_that_of_the_resamplings() -> None:
    returns = trials("serial")
    found = resample(returns, repetitions=20_000, block=7.0)
    spread = (found.deviations**2).mean(axis=0)
    np.testing.assert_allclose(found.se**2 * found.shrinkage, spread, rtol=0.05)


def test_standard_errors_are_right_of_noise_and_of_overlapping_labels() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1000, 300))
    assert resample(noise).se.mean() == pytest.approx(1000**-0.5, rel=0.02)
    labels = np.apply_along_axis(lambda x: np.convolve(x, np.ones(12), "valid"), 0, noise)
    found = resample(labels, span=12)
    assert found.block >= 12
    assert found.se.mean() == pytest.approx(labels.mean(axis=0).std(), rel=0.1)


@pytest.mark.parametrize("kind", ["independent", "alike", "bad"])
@pytest.mark.parametrize("blocks", [4, 10])
def test_overfitting_is_that_of_phacker(kind: str, blocks: int) -> None:
    returns = trials(kind, 407)
    returns[:, 3] = 0.0  # never trades
    found = overfitting(returns, blocks=blocks)
    probability, logits = phacker.cscv.cscv_reference(returns, blocks)
    assert found.probability == pytest.approx(probability)
    np.testing.assert_allclose(np.sort(found.logits), np.sort(logits))
    assert found.loss == pytest.approx((found.outside < 0).mean())


def test_overfitting_of_noise_is_no_proof_of_anything() -> None:
    """On pure noise it often reads well below one half, which is why it is never a gate."""
    rng = np.random.default_rng(0)
    found = [overfitting(rng.normal(size=(500, 20)), blocks=8).probability for _ in range(200)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(found) < 0.35) > 0.1


def test_effective_trials() -> None:
    rng = np.random.default_rng(0)
    independent = rng.normal(size=(2000, 40))
    few = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 40)) + 0.01 * independent
    for series in (independent, few, few[:30]):
        found = effective_trials(series, resample(series))
        assert found.by_spectrum == pytest.approx(phacker.stats.n_eff(series / series.std(axis=0)))
        assert found.by_maximum <= 40
    assert effective_trials(independent, resample(independent)).by_maximum > 20
    assert effective_trials(few, resample(few)).by_maximum < 15
    rho = np.corrcoef(independent.T)
    mean = (rho.sum() - 40) / (40 * 39)
    by_correlation = effective_trials(independent, resample(independent)).by_correlation
    assert by_correlation == pytest.approx(mean + (1 - mean) * 40)


def test_p_values_of_every_trial_are_in_order_and_no_smaller_than_alone() -> None:
    found = resample(trials("serial"))
    p_values = romano_wolf(found)
    order = np.argsort(-found.t_values)
    assert (np.diff(p_values[order]) >= 0).all()
    assert p_values.min() == pytest.approx(spa(found).upper)
    for column in range(3):
        alone = resample(trials("serial")[:, [column]], block=found.block)
        assert p_values[column] >= romano_wolf(alone)[0] - 1e-9


@pytest.mark.parametrize("kind", ["independent", "alike", "bad"])
def test_stepdown_is_a_plain_loop_over_the_trials_that_are_left(kind: str) -> None:
    found = resample(trials(kind), repetitions=200)
    null = found.deviations / (found.se * np.sqrt(found.shrinkage) * found.ratios)
    left, highest = list(np.argsort(-found.t_values)), 0.0
    p_values = romano_wolf(found)
    while left:
        over = (null[:, left].max(axis=1) >= found.z_values[left[0]]).sum()
        highest = max(highest, (1 + over) / 201)
        assert p_values[left.pop(0)] == pytest.approx(highest)


def test_a_resampling_is_divided_by_its_own_error() -> None:
    returns = trials("serial")
    indices = stationary_indices(len(returns), 50, 5.0, seed=3)
    found = resample(returns, block=5.0, counts=counts_of(indices))
    for place, rows in enumerate(indices[:5]):
        np.testing.assert_allclose(
            found.deviations[place], (returns[rows] - returns.mean(0)).mean(0)
        )
        np.testing.assert_allclose(found.ratios[place], returns[rows].std(0) / returns.std(0))


def test_a_trial_that_never_holds_anything_is_never_significant() -> None:
    returns = trials("independent")
    returns[:, 4] = 0.0
    returns[:, 5] = 0.001
    p_values = romano_wolf(resample(returns))
    assert p_values[4] > 0.5
    assert p_values[5] > 0.5
    assert p_values[0] < 0.05


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_one_of_many_worthless_trials_is_rarely_called_good(correlation: float) -> None:
    """At most 5 % in the whole family, and hardly less where trials are alike."""
    wrong, worlds = 0, 200
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        noise = rng.standard_t(5, size=(300, 20))
        common = rng.standard_t(5, size=(300, 1))
        series = np.sqrt(1 - correlation) * noise + np.sqrt(correlation) * common
        found = resample(series, repetitions=300, seed=seed)
        wrong += romano_wolf(found).min() <= 0.05
    assert 0.015 < wrong / worlds < 0.08


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(DataError, match="no number at row 3"):
        resample(np.where(np.arange(100)[:, None] == 3, np.nan, np.ones((100, 2))))
    with pytest.raises(DataError, match="too few"):
        resample(np.ones((5, 2)))
    with pytest.raises(ConfigError, match="even number"):
        overfitting(np.ones((100, 2)), blocks=7)
    with pytest.raises(DataError, match="two trials or more"):
        overfitting(np.ones((100, 1)), blocks=4)
