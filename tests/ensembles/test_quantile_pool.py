"""Weights of members' quantiles: near the best there is, and alike where none differ."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from barstack.core.forecast import LEVELS, Target
from barstack.ensembles import ENSEMBLES, FittedEnsemble
from barstack.ensembles._pools import quantile_pool
from barstack.evaluation._metrics import pinball_losses
from barstack.testing import small_stacked

RNG = np.random.default_rng(6)
ROWS = 600
TARGET = Target("quantiles", ("1h",), LEVELS)


def world() -> tuple[np.ndarray, np.ndarray]:
    """A return that two members each know a part of; forecasts (n_rows, 2, n_levels)."""
    parts = RNG.normal(size=(ROWS, 2)) * [1.0, 0.6]
    y = parts.sum(axis=1) + 0.5 * RNG.normal(size=ROWS)
    spread = ndtri(LEVELS)
    return (2.0 * parts)[:, :, None] + spread, y


def loss_of(weight: float, forecasts: np.ndarray, y: np.ndarray) -> float:
    together = weight * forecasts[:, 0] + (1.0 - weight) * forecasts[:, 1]
    return float(pinball_losses(together, y, LEVELS).mean())


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
def test_no_weights_of_a_fine_grid_do_much_better(scale: float) -> None:
    forecasts, y = world()
    weights = quantile_pool(scale * forecasts, scale * y, LEVELS)
    assert weights.sum() == pytest.approx(1.0)
    best = min(loss_of(weight, forecasts, y) for weight in np.linspace(0.0, 1.0, 401))
    equal = loss_of(0.5, forecasts, y)
    found = loss_of(weights[0], forecasts, y)
    assert found - best < 0.02 * (equal - best) + 1e-4 * best


def test_members_that_never_differ_weigh_alike() -> None:
    forecasts, y = world()
    same = np.repeat(forecasts[:, :1], 3, axis=1)
    np.testing.assert_allclose(quantile_pool(same, y, LEVELS), 1 / 3)


def test_one_member_has_all_the_weight() -> None:
    forecasts, y = world()
    np.testing.assert_array_equal(quantile_pool(forecasts[:, :1], y, LEVELS), [1.0])


def test_weights_that_cross_quantiles_are_set_right_for_any_ensemble() -> None:
    """A weight below 0, as an outside ensemble may learn, turns the order round."""
    forecasts, _ = world()
    stack = ENSEMBLES.parse("nnls")
    fitted = FittedEnsemble(stack, np.array([[-1.0, 0.5]]), ("a", "b"), np.datetime64("2026", "us"))
    stacked = replace(
        small_stacked("quantiles", ROWS),
        members=("a", "b"),
        target=TARGET,
        forecasts=forecasts[:, :, None],
    )
    found = fitted.predict(stacked)
    assert (np.diff(found, axis=2) >= 0.0).all()
