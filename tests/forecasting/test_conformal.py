"""Intervals and sets against MAPIE and crepes, with late outcomes, and their coverage."""

from __future__ import annotations

import json
import math
from typing import Any

import crepes
import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin

from barstack.core.arrays import Array, Floats
from barstack.core.errors import ConfigError, DataError
from barstack.forecasting.conformal import (
    ConformalIntervals,
    ConformalSets,
    Method,
    Threshold,
    intervals_of,
    sets_of,
)

RNG = np.random.default_rng(0)
METHODS: list[Method] = ["split", "adaptive", "aggregated"]
TIMES: Any = np.datetime64("2026-01-05", "us") + np.arange(5000) * np.timedelta64(1, "h")


def fed(conformal: ConformalIntervals, outcomes: Floats, scales: Floats) -> ConformalIntervals:
    for outcome, scale in zip(outcomes, scales, strict=True):
        conformal.update(conformal.predict(0.0, scale).number, outcome)
    return conformal


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
# Of counts with (n + 1) x coverage a whole number crepes takes the next score, by rounding.
@pytest.mark.parametrize("count", [22, 97, 250])
def test_split_intervals_are_those_of_crepes(coverage: float, count: int) -> None:
    errors, scales = RNG.normal(size=count), RNG.uniform(0.5, 2.0, count)
    theirs = crepes.ConformalRegressor().fit(errors, sigmas=scales)
    low, high = theirs.predict_int(np.array([0.3]), np.array([1.7]), confidence=coverage)[0]
    intervals = ConformalIntervals(coverage=coverage, method="split", fewest=5)
    found = fed(intervals, errors, scales).predict(0.3, 1.7)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose columns are its probabilities."""

    classes_ = np.arange(3)
    fitted_ = True

    def fit(self, X: Array, y: Array) -> Given:
        return self

    def predict_proba(self, X: Array) -> Array:
        return X

    def predict(self, X: Array) -> Array:
        return np.asarray(X.argmax(axis=1))


@pytest.mark.parametrize("coverage", [0.6, 0.8, 0.9])
def test_split_sets_are_those_of_mapie(coverage: float) -> None:
    chances = RNG.dirichlet([2.0, 1.0, 1.0], 700)
    classes = (chances.cumsum(axis=1) > RNG.random((700, 1))).argmax(axis=1)
    theirs = SplitConformalClassifier(
        Given(), confidence_level=coverage, conformity_score="lac", prefit=True
    ).conformalize(chances[:300], classes[:300])
    expected = theirs.predict_set(chances[300:])[1][:, :, 0]
    sets = ConformalSets(coverage=coverage, method="split")
    for row in range(300):
        sets.update(sets.predict(chances[row]).number, int(classes[row]))
    found = np.array([sets.predict(each).classes for each in chances[300:]])
    # Where no class is near enough MAPIE's set is empty, and ours has the class most likely.
    empty = ~expected.any(axis=1)
    np.testing.assert_array_equal(found[~empty], expected[~empty])
    np.testing.assert_array_equal(found[empty].argmax(axis=1), chances[300:][empty].argmax(axis=1))
    assert (found[empty].sum(axis=1) == 1).all()


def test_adaptive_levels_are_those_of_the_formula() -> None:
    scores = RNG.exponential(size=300)
    threshold = Threshold(coverage=0.9, method="adaptive", rate=0.05, fewest=20)
    missed, known = 0.1, list[float]()
    for score in scores:
        given, number = threshold.ask()
        if len(known) >= 20:
            place = math.ceil((len(known) + 1) * (1 - missed) - 1e-9)
            expected = 0.0 if place <= 0 else sorted(known)[min(place, len(known)) - 1]
            assert given == expected
            missed += 0.05 * (0.1 - (score > given))
        threshold.learn(number, score)
        known.append(score)


@pytest.mark.parametrize("method", METHODS)
def test_coverage_of_independent_outcomes(method: Method) -> None:
    outcome = RNG.normal(size=4000)
    found = intervals_of(
        ConformalIntervals(coverage=0.8, method=method, halflife=None),
        np.zeros(4000),
        outcome,
        TIMES[:4000],
        TIMES[1:4001],
    )
    inside = (found[:, 0] <= outcome) & (outcome <= found[:, 1])
    assert inside[100:].mean() == pytest.approx(0.8, abs=0.02)
    width = (found[500:, 1] - found[500:, 0]).mean()
    assert width == pytest.approx(2 * 1.2816, rel=0.06)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("late", [1, 12])
def test_coverage_where_volatility_doubles_and_outcomes_are_late(method: Method, late: int) -> None:
    volatility = np.where(np.arange(4000) < 2000, 0.001, 0.002)
    outcome = volatility * RNG.normal(size=4000)
    found = intervals_of(
        ConformalIntervals(method=method),
        np.zeros(4000),
        outcome,
        TIMES[:4000],
        TIMES[late : 4000 + late],
    )
    inside = (found[:, 0] <= outcome) & (outcome <= found[:, 1])
    assert inside[500:].mean() == pytest.approx(0.9, abs=0.012)
    assert inside[2500:].mean() == pytest.approx(0.9, abs=0.02)
    assert np.mean(found[3000:, 1]) > 1.7 * np.mean(found[1500:2000, 1])


def test_nothing_is_used_before_it_is_known() -> None:
    """Other outcomes from some moment on change no interval of a decision before it."""
    outcome = RNG.normal(size=400)
    other = np.where(np.arange(400) < 200, outcome, 5.0)
    decided, known = TIMES[:400], TIMES[7:407]
    one, two = (
        intervals_of(ConformalIntervals(fewest=5), np.zeros(400), each, decided, known)
        for each in (outcome, other)
    )
    np.testing.assert_array_equal(one[:207], two[:207])
    assert one[207, 0] != two[207, 0]


def test_rows_in_any_order_and_outcomes_that_are_open() -> None:
    outcome = RNG.normal(size=300)
    known = TIMES[3:303].copy()
    known[280:] = np.datetime64("NaT")
    outcome[280:] = np.nan
    order = RNG.permutation(300)
    plain = intervals_of(ConformalIntervals(), np.zeros(300), outcome, TIMES[:300], known)
    mixed = intervals_of(
        ConformalIntervals(), np.zeros(300), outcome[order], TIMES[:300][order], known[order]
    )
    np.testing.assert_array_equal(plain[order], mixed)
    with pytest.raises(DataError, match="before its decision"):
        intervals_of(ConformalIntervals(), np.zeros(9), outcome[:9], TIMES[5:14], TIMES[:9])


def test_sets_keep_their_coverage_where_probabilities_are_wrong() -> None:
    true = RNG.dirichlet([2.0, 2.0, 2.0], 3000)
    classes = (true.cumsum(axis=1) > RNG.random((3000, 1))).argmax(axis=1)
    chances = true**4 / (true**4).sum(axis=1, keepdims=True)  # far too sure
    for method in METHODS:
        found = sets_of(ConformalSets(method=method), chances, classes, TIMES[:3000], TIMES[2:3002])
        assert found[np.arange(3000), classes][200:].mean() == pytest.approx(0.9, abs=0.015)
        assert found.sum(axis=1).mean() < 2.9


@pytest.mark.parametrize("method", METHODS)
def test_restored_intervals_go_on_to_the_bit(method: Method) -> None:
    one = ConformalIntervals(method=method, fewest=5, window=50)
    held = one.predict(0.1).number
    for outcome in RNG.normal(size=120):
        one.update(one.predict(0.0).number, outcome)
    other = ConformalIntervals.restore(json.loads(json.dumps(one.snapshot())))
    for each in (one, other):
        each.update(held, 0.5)
        each.update(each.predict(0.0).number, 1.0)
    assert one == other
    assert one.predict(0.2) == other.predict(0.2)
    sets = ConformalSets(method=method, fewest=2)
    for place in range(60):
        sets.update(sets.predict([0.3, 0.7]).number, place % 2)
    again = ConformalSets.restore(json.loads(json.dumps(sets.snapshot())))
    assert sets == again
    with pytest.raises(DataError, match="format"):
        Threshold.restore({"format": 0})


def test_wrong_use() -> None:
    for wrong in ({"coverage": 1.0}, {"method": "other"}, {"window": 1}, {"halflife": 0.0}):
        with pytest.raises(ConfigError):
            ConformalIntervals(**wrong)
    intervals = ConformalIntervals()
    with pytest.raises(DataError, match="not open"):
        intervals.update(3, 0.0)
    with pytest.raises(DataError, match="not a number"):
        intervals.predict(math.nan)
    with pytest.raises(DataError, match="finite number above 0"):
        intervals.predict(0.0, -1.0)
    number = intervals.predict(0.0, 1.0).number
    with pytest.raises(DataError, match="not a number"):
        intervals.update(number, math.nan)
    intervals.update(number, 1.0)
    with pytest.raises(DataError, match="not open"):
        intervals.update(number, 1.0)
    sets = ConformalSets()
    with pytest.raises(DataError, match="sum to one"):
        sets.predict([0.5, 0.6])
    with pytest.raises(DataError, match="none of the 2"):
        sets.update(sets.predict([0.5, 0.5]).number, 2)
