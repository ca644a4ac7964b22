"""Quantiles are judged by what came: against scikit-learn, by hand, and by the naive ones."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from scipy.special import ndtri

from barstack.bars import Bars
from barstack.core.errors import StorageError
from barstack.core.forecast import LEVELS, Forecast, signal_of
from barstack.core.times import TrainedThrough
from barstack.ensembles import FittedEnsemble, Stacked
from barstack.ensembles.average import Average
from barstack.evaluation import Evaluation, Verdict, evaluate, judge, leaderboard
from barstack.evaluation import _metrics as metrics
from barstack.evaluation._naive import baseline, naive_forecasts
from barstack.evaluation.audit import AuditRecord
from barstack.labels import LABELS, LabelTable
from barstack.testing import walk
from barstack.tracking import OutOfFold

RNG = np.random.default_rng(8)


def test_pinball_loss_is_that_of_scikit_learn() -> None:
    y, quantiles = RNG.normal(size=300), np.sort(RNG.normal(size=(300, 5)), axis=1)
    ours = metrics.pinball_losses(quantiles, y, LEVELS).mean()
    each = [
        sklearn.metrics.mean_pinball_loss(y, quantiles[:, place], alpha=level)
        for place, level in enumerate(LEVELS)
    ]
    assert ours == pytest.approx(np.mean(each))


def labels_of(name: str, bars: Bars, **more: Any) -> LabelTable:
    return LABELS.parse({"label": name, "horizons": [1, 6], **more}).compute(bars)


def test_past_quantiles_are_of_labels_known_by_then_and_no_others() -> None:
    bars = walk(300)
    labels = labels_of("quantiles", bars)
    rows = np.arange(300)
    naive = {
        each.name: each.values for each in naive_forecasts(labels, rows, baseline(labels, rows))
    }
    found = naive["past_quantiles"]
    assert found is not None
    for row in (0, 1, 7, 40, 299):
        for horizon in range(2):
            known = labels.known_at[:, horizon] <= labels.decisions.decided_at[row]
            past = labels.returns[known, horizon]
            expected = np.quantile(past, LEVELS) if len(past) else np.zeros(5)
            np.testing.assert_allclose(found[row, horizon], expected, atol=1e-15)


def evaluation_of(labels: LabelTable, values: np.ndarray, bars: Bars) -> Evaluation:
    """One member, in one ensemble, over all rows but the first hundred."""
    rows = np.arange(100, len(bars))
    decisions = labels.decisions.take(rows)
    through = TrainedThrough(np.full(len(rows), decisions.decided_at[0]))
    forecast = Forecast(decisions, labels.target, values[rows], through)
    fold = np.repeat([1, 2], [len(rows) // 2, len(rows) - len(rows) // 2])
    members = Stacked(("spread",), decisions, labels.target, values[rows][:, None], through, fold)
    weights = FittedEnsemble(Average(), np.ones((2, 1)), ("spread",), decisions.decided_at[0])
    return evaluate(
        {"WALK": bars},
        labels,
        members,
        {"average": OutOfFold(forecast, fold)},
        {"average": {1: weights}},
        cost_bps=1.0,
    )


def spread_of(labels: LabelTable, deviation: float) -> np.ndarray:
    """Quantiles of a normal return about a signal that says nothing."""
    middle = 0.0005 * np.random.default_rng(1).normal(size=labels.values.shape)
    return np.asarray(middle[..., None] + deviation * ndtri(labels.target.levels))


def test_intervals_twice_too_wide_and_right_ones_are_told_apart() -> None:
    bars = walk(3000)
    labels = labels_of("quantiles", bars, levels=[0.1, 0.3, 0.5, 0.7, 0.9])
    came = np.nanquantile(labels.values[100:], labels.target.levels, axis=0).T
    exact = np.tile(came, (3000, 1, 1)) + 1e-7 * RNG.normal(size=(3000, 1, 1))
    right, wide = (evaluation_of(labels, times * exact, bars) for times in (1.0, 2.0))
    covered = []
    for found in (right, wide):
        (one,) = (
            each
            for each in found.coverages
            if (each.name, each.horizon, each.lower) == ("average", "1bars", 0.1)
        )
        assert one.upper == 0.9
        covered.append((one.covered, one.covered_se))
    assert abs(covered[0][0] - 0.8) < 0.002
    assert 0.0 < covered[0][1] < 0.03
    assert covered[1][0] > 0.93
    shares = [each for each in right.shares if each.name == "average" and each.horizon == "1bars"]
    assert [each.level for each in shares] == [0.1, 0.3, 0.5, 0.7, 0.9]
    for each in shares:
        assert each.below == pytest.approx(each.level, abs=0.002)
        assert 0.0 < each.below_se < 0.03
    better, worse = (score_of(found, "average") for found in (right, wide))
    assert better.pinball is not None
    assert worse.pinball is not None
    assert better.pinball < worse.pinball
    naive = score_of(right, "past_quantiles")
    assert naive.pinball_skill == 0.0
    assert naive.pinball is not None
    assert better.pinball_skill == pytest.approx(1.0 - better.pinball / naive.pinball)


def score_of(found: Evaluation, name: str) -> Any:
    return next(each for each in found.scores if each.name == name and each.horizon == "1bars")


def test_the_verdict_and_the_signal_are_those_of_the_median() -> None:
    bars = walk(1500)
    quantiles, returns = labels_of("quantiles", bars), labels_of("return", bars)
    values = spread_of(quantiles, 0.004)
    middle = signal_of(values, quantiles.target)
    np.testing.assert_array_equal(middle, values[:, :, 2])
    spread, plain = (
        evaluation_of(quantiles, values, bars),
        evaluation_of(returns, middle[:, :, None], bars),
    )
    assert spread.evidence == plain.evidence
    assert spread.equity == plain.equity
    assert spread.folds == plain.folds
    for one, other in zip(spread.calibration, plain.calibration, strict=True):
        assert one == other
    same = ("directional_accuracy", "ic", "rank_ic", "rmse", "mae", "net_edge_bps", "p_value")
    for figure in same:
        ours, theirs = (getattr(score_of(each, "average"), figure) for each in (spread, plain))
        assert ours == theirs


def test_three_levels_are_not_taken_for_three_classes() -> None:
    bars = walk(1500)
    labels = labels_of("quantiles", bars, levels=[0.1, 0.5, 0.9])
    found = evaluation_of(labels, spread_of(labels, 0.004), bars)
    assert abs(found.equity[0].mean_position) < 0.5  # of a likeliest class it would be 1
    assert score_of(found, "average").log_loss is None


def test_a_fan_shows_the_newest_and_what_is_open() -> None:
    bars = walk(700)
    labels = labels_of("quantiles", bars)
    values = spread_of(labels, 0.004)
    fans = evaluation_of(labels, values, bars).fans
    assert [(fan.symbol, fan.horizon) for fan in fans] == [("WALK", "1bars"), ("WALK", "6bars")]
    for place, fan in enumerate(fans):
        assert len(fan.time) == 120
        assert fan.realised[-1] is None
        np.testing.assert_allclose(np.array(fan.quantiles).T, values[-120:, place], atol=1e-7)
        came = np.array([np.nan if each is None else each for each in fan.realised])
        np.testing.assert_allclose(came, labels.returns[-120:, place], atol=1e-7)


def test_evaluations_and_verdicts_are_read_back_each_by_itself() -> None:
    bars = walk(700)
    labels = labels_of("quantiles", bars)
    found = evaluation_of(labels, spread_of(labels, 0.004), bars)
    assert Evaluation.from_json(json.loads(json.dumps(found.to_json()))) == found
    verdict = judge(found, trials=7, looks=2, leaks=1, audits=[AuditRecord(leaks=1)])
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
    with pytest.raises(StorageError, match="older version"):
        Evaluation.from_json({"verdict": {}, "scores": []})


def test_more_trials_raise_p_values_and_nothing_else() -> None:
    bars = walk(700)
    labels = labels_of("return", bars)
    found = evaluation_of(labels, 0.001 * RNG.normal(size=(*labels.values.shape, 1)), bars)
    found = replace(found, family=None)  # as if all were independent
    few, many = leaderboard(found, 1), leaderboard(found, 30)
    for score, one, other in zip(found.scores, few, many, strict=True):
        p_value = score.p_value
        assert one["p_adjusted"] == (None if p_value is None else pytest.approx(p_value))
        assert {**one, "p_adjusted": other["p_adjusted"]} == other
        if p_value is not None:
            assert other["p_adjusted"] == pytest.approx(1.0 - (1.0 - p_value) ** 30)
