"""Tests of one series or two: Sharpe ratios, conditional ability, shifts, long-run variances."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import phacker.stats
import pytest
import scipy.stats
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_hac

from barstack.core.errors import ConfigError, DataError
from barstack.evaluation._diebold_mariano import diebold_mariano
from barstack.evaluation.significance import (
    block_permutation_test,
    deflated_sharpe,
    giacomini_white,
    hac_se,
    luckiest_sharpe,
    path_distribution,
    paths_of,
    probabilistic_sharpe,
    sharpe_ratio,
    shift_test,
    shortest_record,
)

TIMES = np.datetime64("2026-01-05", "us") + np.arange(3000) * np.timedelta64(1, "h")


def test_sharpe_errors_are_those_of_phacker_and_of_simulation() -> None:
    rng = np.random.default_rng(0)
    returns = rng.standard_t(5, 800) + 0.1
    found = sharpe_ratio(returns)
    assert found.se == pytest.approx(phacker.stats.sharpe_se(returns[:, None])[0])
    for memory in (0.0, 0.4):
        shocks = rng.normal(size=(2000, 500)) + 0.1 * (1 - memory)
        series = np.array([scipy.signal.lfilter([1.0], [1.0, -memory], x)[50:] for x in shocks])
        each = [sharpe_ratio(x) for x in series]
        true = np.std([x.value for x in each])
        assert np.mean([x.se_serial for x in each]) == pytest.approx(true, rel=0.1)
        if memory:
            assert np.mean([x.se for x in each]) < 0.75 * true


def test_probabilistic_sharpe_is_the_confidence_it_claims() -> None:
    rng = np.random.default_rng(1)
    found = [probabilistic_sharpe(rng.standard_t(6, 300) + 0.1, 0.1 / 1.5**0.5) for _ in range(600)]
    assert scipy.stats.kstest(found, "uniform").pvalue > 0.01


def test_the_luckiest_of_worthless_trials() -> None:
    rng = np.random.default_rng(0)
    for trials in (10, 100, 1000):
        largest = rng.normal(size=(4000, trials)).max(axis=1).mean()
        assert luckiest_sharpe(trials, 0.5) == pytest.approx(0.5 * largest, rel=0.03)
    assert luckiest_sharpe(1, 0.5) == 0.0
    returns = rng.normal(0.1, 1.0, 500)
    assert deflated_sharpe(returns, 1, 0.05) == probabilistic_sharpe(returns)
    assert deflated_sharpe(returns, 100, 0.05) < probabilistic_sharpe(returns)
    with pytest.raises(ConfigError, match="1 trial or more"):
        luckiest_sharpe(0.0, 1.0)


def test_the_shortest_record_has_just_the_confidence() -> None:
    found = sharpe_ratio(np.random.default_rng(0).normal(0.1, 1.0, 500))
    n = shortest_record(found, confidence=0.9)
    se = found.se * math.sqrt(499 / (n - 1))
    assert scipy.stats.norm.cdf(found.value / se) == pytest.approx(0.9)
    assert shortest_record(found, against=1.0) == math.inf


def test_constant_returns_have_no_sharpe_ratio() -> None:
    with pytest.raises(DataError, match="that vary"):
        sharpe_ratio(np.full(100, 0.001))


def test_long_run_errors_are_those_of_statsmodels() -> None:
    rng = np.random.default_rng(0)
    series = scipy.signal.lfilter([1.0], [1.0, -0.5], rng.normal(size=500))
    for lags in (0, 3, 11):
        theirs = cov_hac(sm.OLS(series, np.ones(500)).fit(), nlags=lags, use_correction=True)
        assert hac_se(series, lags=lags)[0] == pytest.approx(math.sqrt(theirs[0, 0]))
    many = [
        scipy.signal.lfilter([1.0], [1.0, -0.5], rng.normal(size=600))[100:] for _ in range(400)
    ]
    true = np.std([x.mean() for x in many])
    assert np.mean([hac_se(x)[0] for x in many]) == pytest.approx(true, rel=0.12)


def test_giacomini_white_is_a_regression_on_what_is_known() -> None:
    rng = np.random.default_rng(0)
    known, differences = rng.normal(size=(2, 400))
    found = giacomini_white(differences, TIMES[:400], 1, known)
    assert found is not None
    # n times the uncentred R² of ones on the moments.
    moments = np.column_stack([np.ones(400), known]) * differences[:, None]
    fit = sm.OLS(np.ones(400), moments).fit()
    assert found.statistic == pytest.approx(399 * (1 - fit.ssr / 400))
    assert found.p_value == pytest.approx(scipy.stats.chi2.sf(found.statistic, 2))
    alone = giacomini_white(differences, TIMES[:400], 1, np.ones((400, 1)))
    plain = diebold_mariano(differences, TIMES[:400], 1)
    assert alone is not None
    assert plain is not None
    assert alone.instruments == 1
    assert alone.p_value == pytest.approx(plain.p_value, abs=0.01)


def test_giacomini_white_sees_what_means_do_not() -> None:
    rng = np.random.default_rng(2)
    calm = np.repeat(rng.choice([-1.0, 1.0], 60), 20)
    differences = 0.4 * calm + rng.normal(size=1200)
    differences -= differences.mean()
    plain = diebold_mariano(differences, TIMES[:1200], 1)
    found = giacomini_white(differences, TIMES[:1200], 1, calm)
    assert plain is not None
    assert found is not None
    assert plain.p_value > 0.9
    assert found.p_value < 1e-6


@pytest.mark.parametrize("span", [1, 12])
def test_giacomini_white_keeps_its_level(span: int) -> None:
    wrong = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        differences = np.convolve(rng.standard_t(6, 1000 + span - 1), np.ones(span), "valid")
        found = giacomini_white(differences, TIMES[:1000], span)
        assert found is not None
        wrong += found.p_value < 0.05
    assert 0.02 < wrong / 400 < (0.08 if span == 1 else 0.12)


def test_too_little_for_giacomini_white() -> None:
    assert giacomini_white(np.arange(10.0), TIMES[:10], 1) is None
    assert giacomini_white(np.ones(500), TIMES[:500], 1) is None
    with pytest.raises(DataError, match="must all be numbers"):
        giacomini_white(np.full(100, np.nan), TIMES[:100], 1)


def test_every_shift_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    position, returns = rng.normal(size=(2, 60, 2))
    found = shift_test(position, returns, least=5)
    one, other = position - position.mean(axis=0), returns - returns.mean(axis=0)
    sums = [float((one * np.roll(other, -shift, axis=0)).sum()) for shift in range(60)]
    assert found.statistic == pytest.approx(sums[0])
    assert found.shifts == 51
    assert found.p_value == pytest.approx((1 + (np.array(sums[5:56]) >= sums[0]).sum()) / 52)


def test_shifts_keep_their_level_where_positions_and_volatility_persist() -> None:
    """Both depend on their past and not on each other; plain permutations would find too much."""
    shifted = permuted = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        position = scipy.signal.lfilter([1.0], [1.0, -0.98], rng.normal(size=600))[100:]
        trend = scipy.signal.lfilter([1.0], [1.0, -0.95], rng.normal(size=600))[100:]
        returns = 0.3 * trend + rng.normal(size=500)
        shifted += shift_test(position, returns).p_value < 0.05
        permuted += (
            block_permutation_test(
                lambda rows, x=position, y=returns: float(x[rows] @ y),  # type: ignore[misc]
                500,
                1,
                repetitions=99,
                seed=seed,
            )
            < 0.05
        )
    assert shifted / 300 < 0.085
    assert permuted / 300 > 0.15


def test_blocks_in_another_order_find_a_connection_and_keep_their_level() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 200, 200))
    p_values = [
        block_permutation_test(
            lambda rows, x=one, y=other: float(x[rows] @ y),  # type: ignore[misc]
            200,
            10,
            repetitions=99,
        )
        for one, other in zip(x, y, strict=True)
    ]
    wrong = sum(p <= 0.05 for p in p_values)
    assert wrong / 200 < 0.09
    with pytest.raises(ConfigError, match="five blocks"):
        block_permutation_test(lambda rows: 0.0, 20, 10)
    with pytest.raises(ConfigError, match="19 or more"):
        shift_test(np.ones(30), np.ones(30), least=10)
    with pytest.raises(DataError, match="same times"):
        shift_test(np.ones(30), np.ones(31))


def test_paths_hold_each_time_once_and_each_split_somewhere() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(6), 20)
    splits = list(combinations(range(6), 2))
    returns = np.full((len(splits), 120), np.nan)
    for split, held in enumerate(splits):
        inside = np.isin(group, held)
        returns[split, inside] = rng.normal(size=inside.sum())
    paths = paths_of(returns, group)
    assert paths.shape == (5, 120)  # C(5, 1)
    np.testing.assert_array_equal(np.sort(paths, axis=0), np.sort(returns, axis=0)[:5])
    found = path_distribution(returns, group)
    assert found.sharpe[2] == pytest.approx(paths[2].mean() / paths[2].std(ddof=1))
    returns[0, 0] = np.nan
    with pytest.raises(DataError, match="whole groups"):
        paths_of(returns, group)
    with pytest.raises(DataError, match="differently many"):
        paths_of(returns[1:], group)
