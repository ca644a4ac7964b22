"""Ensembles without a meta-learner, against oracles that find the same in another way."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, nnls
from sklearn.metrics import brier_score_loss

from barstack.core.errors import ArtifactError, ConfigError
from barstack.core.forecast import EVERY_TASK, Task
from barstack.ensembles import ENSEMBLES, Ensemble, Stacked
from barstack.ensembles._losses import directional_accuracies, error_products, mean_losses
from barstack.ensembles._quadratic import least_quadratic
from barstack.ensembles.greedy import by_products
from barstack.ensembles.min_variance import common_target, least_variance, shrinkage_of
from barstack.evaluation._metrics import directional_accuracy, pinball_losses
from barstack.testing import small_stacked

SUM_TO_ONE = ("average", "performance_weighted", "inverse_variance", "greedy", "min_variance")


def made(name: str, **fields: Any) -> Ensemble:
    return ENSEMBLES.parse({"ensemble": name, **fields})


def combined(name: str, stacked: Stacked, **fields: Any) -> np.ndarray:
    ensemble = made(name, **fields)
    return ensemble.predict(ensemble.fit(stacked), stacked.without_outcomes())


def a_covariance(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3 * n, n)) * rng.uniform(0.2, 3.0, n) + rng.normal(size=(3 * n, 1))
    return x.T @ x / len(x)


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_least_squares_are_those_of_scipy(seed: int, n: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    left = np.vstack([rng.normal(size=(rows, n)), 0.3 * np.eye(n)])
    right = np.append(rng.normal(size=rows), np.zeros(n))
    found = least_quadratic(left.T @ left, left.T @ right)
    np.testing.assert_allclose(found, nnls(left, right)[0], atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_least_variance_is_the_closed_form_or_that_of_a_solver(seed: int) -> None:
    covariance = a_covariance(seed, 6)
    free = least_variance(covariance, non_negative=False)
    closed = np.linalg.solve(covariance, np.ones(6))
    np.testing.assert_allclose(free, closed / closed.sum(), rtol=1e-6)
    found = least_variance(covariance, non_negative=True)
    assert found.min() >= 0.0
    assert found.sum() == pytest.approx(1.0)
    solved = minimize(  # type: ignore[call-overload]
        lambda w: w @ covariance @ w,
        np.full(6, 1 / 6),
        jac=lambda w: 2.0 * covariance @ w,
        bounds=[(0, None)] * 6,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0},
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(found, solved.x, atol=1e-5)


@pytest.mark.parametrize("outputs", [1, 3])
def test_shrinkage_is_the_formula_entry_by_entry(outputs: int) -> None:
    rng = np.random.default_rng(2)
    error = rng.normal(size=(80, 5, outputs)) * np.array([1.0, 1.5, 2.0, 1.0, 3.0])[:, None]
    error += rng.normal(size=(80, 1, outputs))
    products = error_products(error, np.ones(80))
    each = np.einsum("nik,njk->nij", error, error)
    np.testing.assert_allclose(each.mean(axis=0), products)
    targets = np.array([common_target(one) for one in each])
    target = common_target(products)
    pi = ((each - products) ** 2).mean(axis=0).sum()
    rho = ((each - products) * (targets - target)).mean(axis=0).sum()
    expected = (pi - rho) / ((products - target) ** 2).sum() / 80
    assert 0.0 < expected < 1.0
    assert shrinkage_of(error, np.ones(80), products) == pytest.approx(expected)


def test_full_shrinkage_is_equal_weights() -> None:
    stacked = small_stacked("return")
    ensemble = made("min_variance", shrinkage=1.0)
    np.testing.assert_allclose(ensemble.fit(stacked), 0.25, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_greedy_steps_are_the_best_of_all_that_could_be_taken(seed: int) -> None:
    rng = np.random.default_rng(seed)
    forecasts, y = rng.normal(size=(60, 5)), rng.normal(size=60)
    error = y[:, None] - forecasts
    counts = by_products(error.T @ error / 60, rounds=12)
    chosen: list[int] = []
    losses, path = [], []
    for _ in range(12):
        options = [((y - forecasts[:, [*chosen, m]].mean(axis=1)) ** 2).mean() for m in range(5)]
        chosen.append(int(np.argmin(options)))
        losses.append(min(options))
        path.append(np.bincount(chosen, minlength=5))
    np.testing.assert_array_equal(counts, path[int(np.argmin(losses))])


def test_greedy_of_all_members_is_near_the_best_weights_there_are() -> None:
    stacked = small_stacked("return")
    assert stacked.y is not None
    weights = made("greedy", share=1.0, bags=1, rounds=50).fit(stacked)[0]
    forecasts, y = stacked.forecasts[:, :, 0, 0], stacked.y[:, 0]
    grid = (np.array(each) / 20 for each in itertools.product(range(21), repeat=3))
    best = min(
        ((y - forecasts @ np.append(each, 1.0 - each.sum())) ** 2).mean()
        for each in grid
        if each.sum() <= 1.0
    )
    assert ((y - forecasts @ weights) ** 2).mean() <= best * 1.001


@pytest.mark.parametrize("task", EVERY_TASK)
@pytest.mark.parametrize("name", SUM_TO_ONE)
def test_weights_are_as_documented(name: str, task: Task) -> None:
    ensemble = made(name)
    if task in ensemble.tasks:
        weights = ensemble.weights(ensemble.fit(small_stacked(task)))
        assert weights is not None
        assert (weights >= 0.0).all()
        np.testing.assert_allclose(weights.sum(axis=1), 1.0)


@pytest.mark.parametrize("task", EVERY_TASK)
@pytest.mark.parametrize("name", ENSEMBLES.names())
def test_rows_of_equal_weight_weigh_nothing(name: str, task: Task) -> None:
    ensemble = made(name)
    if task not in ensemble.tasks or ensemble.needs or ensemble.updates:
        return
    stacked = small_stacked(task, rows=150)
    weighed = replace(stacked, sample_weight=np.full(len(stacked), 3.0))
    found = [
        ensemble.predict(ensemble.fit(each), stacked.without_outcomes())
        for each in (stacked, weighed)
    ]
    np.testing.assert_array_equal(found[1], found[0])


@pytest.mark.parametrize("name", ["performance_weighted", "inverse_variance", "nnls", "greedy"])
def test_rows_without_weight_are_not_learned_from(name: str) -> None:
    stacked = small_stacked("return")
    assert stacked.y is not None
    odd = np.arange(len(stacked)) % 2 == 1
    spoilt = np.where(odd[:, None], -9.0 * stacked.y, stacked.y)
    zeros = replace(stacked, y=spoilt, sample_weight=np.where(odd, 0.0, 1.0))
    kept = stacked.take(np.flatnonzero(~odd))
    ensemble = made(name, **({"weight_spread": 1e6} if name == "nnls" else {}))
    np.testing.assert_allclose(ensemble.fit(zeros), ensemble.fit(kept), atol=1e-5)


def test_losses_are_those_of_the_evaluation() -> None:
    direction, quantiles = small_stacked("direction"), small_stacked("quantiles")
    assert direction.y is not None
    assert quantiles.y is not None
    brier = brier_score_loss(direction.y[:, 1], direction.forecasts[:, 2, 1, 0])
    assert mean_losses(direction)[1, 2] == pytest.approx(brier)
    pinball = pinball_losses(
        quantiles.forecasts[:, 3, 0], quantiles.y[:, 0], quantiles.target.levels
    )
    assert mean_losses(quantiles)[0, 3] == pytest.approx(pinball.mean())
    found = directional_accuracies(direction)[1, 0]
    assert direction.returns is not None
    signal = 2.0 * direction.forecasts[:, 0, 1, 0] - 1.0
    assert found == pytest.approx(directional_accuracy(signal, direction.returns[:, 1]))


def test_only_members_that_pass_are_kept_and_without_any_nothing_is_forecast() -> None:
    for task in EVERY_TASK:
        stacked = small_stacked(task)
        accuracy = directional_accuracies(stacked)
        bar = float(np.sort(accuracy[0])[1]) + 1e-9
        weights = made("selective", threshold=bar).weights(
            made("selective", threshold=bar).fit(stacked)
        )
        assert weights is not None
        np.testing.assert_array_equal(weights[0] > 0.0, accuracy[0] >= bar)
        found = combined("selective", stacked, threshold=1.0)
        assert np.ptp(found, axis=0).max() == 0.0
        equal = combined("selective", stacked, threshold=1.0, otherwise="average")
        np.testing.assert_allclose(equal, combined("average", stacked))
    assert (combined("selective", small_stacked("return"), threshold=1.0) == 0.0).all()


def test_votes_are_counted() -> None:
    stacked = small_stacked("direction")
    up = (stacked.forecasts[:, :, :, 0] > 0.5).mean(axis=1)
    found = combined("hard_vote", stacked)[:, :, 0]
    np.testing.assert_array_equal(np.sign(found - 0.5), np.sign(up - 0.5))
    soft = combined("soft_vote", stacked, votes=[2, 1, 0, 1])
    expected = np.average(stacked.forecasts, axis=1, weights=[2, 1, 0, 1])
    np.testing.assert_allclose(soft, expected)
    with pytest.raises(ConfigError, match=r"Votes are \[1\.0\] for 4 members"):
        made("soft_vote", votes=[1]).fit(stacked)


def test_votes_of_members_that_know_nothing_are_worth_nothing() -> None:
    rng = np.random.default_rng(0)
    for task in ("return", "direction", "three_class"):
        stacked = small_stacked(task, rows=2_000)
        shuffled = replace(stacked, forecasts=stacked.forecasts[rng.permutation(2_000)])
        ensemble = made("hard_vote")
        assert (ensemble.fit(shuffled) < 0.35 * ensemble.fit(stacked) + 1e-3).all()


def test_order_statistics_are_those_of_numpy() -> None:
    stacked = small_stacked("return")
    ordered = np.sort(stacked.forecasts, axis=1)
    middle = combined("median", stacked)
    np.testing.assert_allclose(middle, np.median(stacked.forecasts, axis=1))
    trimmed = combined("trimmed_mean", stacked, share=0.25)
    np.testing.assert_allclose(trimmed, ordered[:, 1:3].mean(axis=1))


def test_rank_average_looks_at_order_alone() -> None:
    """A member on another scale, in the same order, changes no ranking of rows."""
    stacked = small_stacked("return", rows=200)
    forecasts = stacked.forecasts.copy()
    forecasts[:, 2] = np.exp(300.0 * forecasts[:, 2])
    first = combined("rank_average", stacked)[:, 0, 0]
    other = combined("rank_average", replace(stacked, forecasts=forecasts))[:, 0, 0]
    one, two = (np.argsort(np.argsort(each)).astype(float) for each in (first, other))
    assert np.corrcoef(one, two)[0, 1] > 0.999


def test_rank_average_of_one_member_is_that_member() -> None:
    stacked = small_stacked("return", rows=200)
    alone = replace(stacked, members=("one",), forecasts=stacked.forecasts[:, :1])
    np.testing.assert_allclose(combined("rank_average", alone), alone.forecasts[:, 0], atol=1e-12)


def test_ranks_are_kept_in_few_numbers(tmp_path: Path) -> None:
    ensemble, stacked = made("rank_average"), small_stacked("return", rows=3_000)
    ensemble.save(ensemble.fit(stacked), tmp_path)
    assert (tmp_path / "ranks.npz").stat().st_size < 2 * 6 * 257 * 8 + 2_000


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        ("nnls", "weights.json", '{"weights": [[0.5, -0.1], [0.1, 0.2]]}'),
        ("nnls", "weights.json", '{"weights": [[0.5], [0.1, 0.2]]}'),
        ("selective", "selected.json", '{"kept": [[true]], "constant": [[0.0], [0.0]]}'),
        ("hard_vote", "strength.json", '{"strength": [-1.0]}'),
        ("median", "members.json", '{"members": 0}'),
        ("rank_average", "ranks.npz", "no archive"),
    ],
)
def test_damaged_files_are_refused(name: str, file: str, content: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(ArtifactError):
        made(name).load(tmp_path)
