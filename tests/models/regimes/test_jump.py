"""The jump model: its paths beside all paths there are, and beside another implementation."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from jumpmodels.jump import dp
from tests.models.regimes.detectors import rows_of
from tests.models.regimes.simulated import MARKET, market

from barstack.core.arrays import Floats
from barstack.core.forecast import REGIMES
from barstack.models import RegimeJump, train
from barstack.models.regimes._jump_kernels import best_path, chances, losses


def cost_of(path: tuple[int, ...], loss: Floats, penalty: float) -> float:
    jumps = sum(one != two for one, two in pairwise(path))
    return float(sum(loss[t, state] for t, state in enumerate(path)) + penalty * jumps)


@pytest.mark.parametrize("penalty", [0.0, 0.4, 2.0, 50.0])
@pytest.mark.parametrize("n_states", [2, 3])
def test_costs_are_the_least_of_all_paths(penalty: float, n_states: int) -> None:
    for seed in range(10):
        loss = np.random.default_rng(seed).exponential(size=(7, n_states))
        paths = {path: cost_of(path, loss, penalty) for path in product(range(n_states), repeat=7)}
        least = [
            min(cost for path, cost in paths.items() if path[-1] == k) for k in range(n_states)
        ]
        found = np.empty((1, n_states))
        chances(loss, np.array([6]), 7, penalty, 1.3, found)
        wanted = np.exp(-np.array(least) / 1.3)
        np.testing.assert_allclose(found[0], wanted / wanted.sum(), rtol=1e-10)
        state = np.empty(7, np.int64)
        total = best_path(loss, np.array([0, 7]), penalty, state)
        assert total == pytest.approx(min(paths.values()))
        assert cost_of(tuple(state), loss, penalty) == pytest.approx(total)


@pytest.mark.parametrize("lookback", [1, 40, 300])
def test_costs_are_those_of_jumpmodels(lookback: int) -> None:
    rng = np.random.default_rng(1)
    loss = np.empty((300, 4))
    losses(rng.normal(size=(300, 2)), rng.normal(size=(4, 2)), loss)
    penalty = 3.0 * (1.0 - np.eye(4))
    rows = np.arange(lookback - 1, 300, 11)
    found = np.empty((len(rows), 4))
    chances(loss, rows, lookback, 3.0, 0.8, found)
    for place, row in enumerate(rows):
        values = dp(loss[row - lookback + 1 : row + 1], penalty, return_value_mx=True)[-1]
        wanted = np.exp(-(values - values.min()) / 0.8)
        np.testing.assert_allclose(found[place], wanted / wanted.sum(), rtol=1e-9)


def test_paths_of_stretches_are_independent() -> None:
    loss = np.random.default_rng(2).exponential(size=(50, 3))
    together, apart = np.empty(50, np.int64), np.empty(50, np.int64)
    total = best_path(loss, np.array([0, 20, 50]), 1.0, together)
    parts = [best_path(loss[:20], np.array([0, 20]), 1.0, apart[:20])]
    parts.append(best_path(loss[20:], np.array([0, 30]), 1.0, apart[20:]))
    assert total == pytest.approx(sum(parts))
    np.testing.assert_array_equal(together, apart)


def test_a_penalty_makes_states_last() -> None:
    detector = RegimeJump()
    dataset, rows = rows_of(detector, market(bars=3_000)[0])
    jumps = []
    for penalty in (0.0, 30.0, 1e5):
        own = detector.model_copy(update={"penalty": penalty})
        fitted = train(own, dataset, rows[:1_500], seed=0)
        likeliest = fitted.predict(dataset.features, rows[1_500:])[:, 0].argmax(axis=1)
        jumps.append(int((np.diff(likeliest) != 0).sum()))
    # Where none would pay, the window's best single state still changes as bars leave it.
    assert jumps[0] > 2 * jumps[1] > 0
    assert jumps[2] <= jumps[1]


def test_names_outlive_refits_and_seeds() -> None:
    detector = RegimeJump()
    bars, _ = market(bars=8_000, seed=3)
    dataset, rows = rows_of(detector, bars)
    later = rows[rows > 6_000]
    said = []
    for share, seed in [(0.5, 0), (0.5, 1), (0.5, 2), (0.6, 3), (0.7, 4), (0.75, 5)]:
        fitted = train(detector, dataset, rows[: int(share * len(rows))], seed)
        said.append(fitted.predict(dataset.features, later)[:, 0])
    for regime in MARKET:
        own = np.array(said)[:, :, REGIMES.index(regime)]
        assert (np.corrcoef(own) > 0.9).all(), regime
