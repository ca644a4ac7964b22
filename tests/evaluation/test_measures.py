"""Measures against scikit-learn and plain formulas, and whether their intervals hold the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import sklearn.metrics

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, DataError
from barstack.evaluation.measures import (
    Measure,
    blocks_of,
    brier,
    calibration_error,
    class_measures,
    drawdown_interval,
    hit_rate_by_strength,
    icir,
    rank_ic_measure,
    trading_measures,
)

TIMES: Any = np.datetime64("2024-01-01", "us") + np.arange(20_000) * np.timedelta64(1, "h")
RNG = np.random.default_rng(0)


def holds(measure: Measure, truth: float) -> bool:
    assert measure.low is not None
    assert measure.high is not None
    return measure.low <= truth <= measure.high


@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_measures_are_those_of_scikit_learn(n_classes: int) -> None:
    realised, predicted = RNG.integers(0, n_classes, (2, 900))
    predicted = np.where(RNG.random(900) < 0.3, realised, predicted)
    found = class_measures(realised, predicted, n_classes, blocks_of(TIMES[:900], 1))
    theirs = sklearn.metrics.precision_recall_fscore_support(realised, predicted)
    for place, each in enumerate(found):
        values = (each.precision.value, each.recall.value, each.f1.value)
        assert values == pytest.approx([column[place] for column in theirs[:3]])
        assert each.f1.se == pytest.approx(0.03, abs=0.015)


def test_a_class_that_is_never_forecast_has_no_precision() -> None:
    realised = np.arange(100) % 2
    down, up = class_measures(realised, np.zeros(100, int), 2, blocks_of(TIMES[:100], 1))
    assert (up.precision.value, up.recall.value, up.f1.value) == (None, 0.0, 0.0)
    assert down.recall.value == 1.0


def test_brier_is_that_of_scikit_learn() -> None:
    p, label = RNG.random(400), RNG.integers(0, 2, 400)
    blocks = blocks_of(TIMES[:400], 1)
    ours = brier(p[:, None], label.astype(float), blocks)
    assert ours.value == pytest.approx(sklearn.metrics.brier_score_loss(label, p))
    chances, classes = RNG.dirichlet([1, 1, 1], 400), RNG.integers(0, 3, 400)
    plain = ((chances - np.eye(3)[classes]) ** 2).sum(axis=1).mean()
    assert brier(chances, classes.astype(float), blocks).value == pytest.approx(plain)


def test_calibration_errors_are_about_zero_where_calibrated_and_true_where_not() -> None:
    found, off = [], []
    for _ in range(60):
        p: Floats = RNG.beta(2, 2, 1000)
        label: Floats = np.where(RNG.random(1000) < p, 1.0, 0.0)
        found.append(calibration_error(p, label, blocks_of(TIMES[:1000], 1)).value)
        wrong: Floats = np.clip(p + 0.1, 0.0, 1.0)
        off.append(calibration_error(wrong, label, blocks_of(TIMES[:1000], 1)).value)
    assert np.mean([each or 0.0 for each in found]) == pytest.approx(0.0, abs=0.02)
    assert np.mean([each or 0.0 for each in off]) == pytest.approx(0.1, abs=0.012)
    with pytest.raises(DataError, match="from 0 to 1"):
        calibration_error(np.array([1.2]), np.array([1.0]), blocks_of(TIMES[:1], 1))


def test_icir_is_that_of_a_plain_loop() -> None:
    signal, noise = RNG.normal(size=(2, 2410))
    returns = 0.2 * signal + noise
    blocks = blocks_of(TIMES[:2410], 1)
    daily = [
        np.corrcoef(signal[start : start + 24], returns[start : start + 24])[0, 1]
        for start in range(0, 2410, 24)
    ]
    found = icir(signal, returns, TIMES[:2410], "D", blocks)
    assert found.value == pytest.approx(np.mean(daily) / np.std(daily, ddof=1))
    assert found.se is not None
    assert 0.05 < found.se < 0.2


def test_hits_by_strength_are_those_of_the_groups() -> None:
    signal, noise = RNG.normal(size=(2, 4000))
    returns = 0.3 * signal + noise
    returns[::50] = 0.0
    found = hit_rate_by_strength(signal, returns, blocks_of(TIMES[:4000], 1), 4)
    moved = returns != 0
    assert sum(each.n_rows for each in found) == moved.sum()
    for group in found:
        own = moved & (np.abs(signal) >= group.weakest) & (np.abs(signal) <= group.strongest)
        plain = (np.sign(signal) == np.sign(returns))[own].mean()
        assert group.hit_rate.value == pytest.approx(plain)
    values = [group.hit_rate.value or 0.0 for group in found]
    assert values == sorted(values)
    assert hit_rate_by_strength(np.zeros(9), np.ones(9), blocks_of(TIMES[:9], 1)) == []
    alike = hit_rate_by_strength(np.ones(100), returns[:100] + 1e-9, blocks_of(TIMES[:100], 1))
    assert [each.n_rows for each in alike] == [100]
    with pytest.raises(ConfigError, match="groups is 0"):
        hit_rate_by_strength(signal, returns, blocks_of(TIMES[:4000], 1), 0)


def test_trading_measures_are_those_of_their_formulas() -> None:
    days = TIMES[: 24 * 731 : 24]
    weekdays = days[np.is_busday(days.astype("datetime64[D]"))]
    returns = RNG.normal(0.0005, 0.01, len(weekdays))
    turnover = np.abs(RNG.normal(size=len(weekdays)))
    found = trading_measures(returns, weekdays, turnover)
    assert found.periods_a_year == pytest.approx(261, abs=0.5)
    year = found.periods_a_year
    plain = {
        "annual_return": returns.mean() * year,
        "sharpe": returns.mean() / returns.std(ddof=1) * year**0.5,
        "sortino": returns.mean() / np.sqrt((np.minimum(returns, 0) ** 2).mean()) * year**0.5,
        "profit_factor": returns[returns > 0].sum() / -returns[returns < 0].sum(),
        "win_rate": (returns > 0).mean(),
        "turnover": turnover.mean() * year,
    }
    for name, value in plain.items():
        assert getattr(found, name).value == pytest.approx(value), name
        assert getattr(found, name).se > 0
    growth = np.cumsum(returns)
    peaks = np.maximum.accumulate(np.maximum(growth, 0.0))
    assert found.drawdown == pytest.approx((peaks - growth).max())
    low, high = drawdown_interval(returns)
    assert low < found.drawdown < high


def test_a_year_is_that_of_the_calendar() -> None:
    """The same returns an hour long round the clock, and in sessions of seven hours."""
    returns = RNG.normal(size=5000)
    always = trading_measures(returns, TIMES[:5000])
    sessions = TIMES[(np.arange(20_000) % 24) < 7][:5000]
    some = trading_measures(returns, sessions)
    assert always.periods_a_year == pytest.approx(24 * 365.25, rel=1e-3)
    assert some.periods_a_year == pytest.approx(7 * 365.25, rel=1e-2)
    assert (always.sharpe.value or 0.0) / (some.sharpe.value or 1.0) == pytest.approx(
        (24 / 7) ** 0.5, rel=0.01
    )


def test_what_cannot_be_measured() -> None:
    with pytest.raises(DataError, match="times that rise"):
        trading_measures(np.zeros(3), TIMES[[0, 0, 1]])
    flat = trading_measures(np.zeros(50), TIMES[:50])
    assert flat.sharpe.value is None
    assert flat.profit_factor.value is None
    assert flat.drawdown == 0.0


@pytest.mark.parametrize("span", [1, 12])
def test_intervals_hold_the_truth_in_about_95_of_100_worlds(span: int) -> None:
    """Labels overlap; the signal persists. The whole study is benchmarks/intervals.py."""
    inside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        signal = scipy.signal.lfilter([1.0], [1.0, -0.8], rng.normal(size=1300))[300:]
        steps = rng.normal(size=1000 + span)
        labels = np.convolve(steps, np.ones(span), "valid")[:1000]
        found = rank_ic_measure(signal, labels, blocks_of(TIMES[:1000], span))
        inside += holds(found, 0.0)
    assert 0.91 <= inside / 200 <= 0.99


def test_sharpe_intervals_hold_the_truth_under_garch_and_momentum() -> None:
    inside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        variance, returns = 1.0, np.empty(1500)
        for bar in range(1500):
            returns[bar] = np.sqrt(variance) * rng.normal()
            variance = 0.05 + 0.1 * returns[bar] ** 2 + 0.85 * variance
        returns += 0.05
        found = trading_measures(returns, TIMES[:1500])
        inside += holds(found.sharpe, 0.05 * found.periods_a_year**0.5)
    assert 0.91 <= inside / 200 <= 0.99
