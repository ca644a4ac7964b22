"""Losses of networks: against scikit-learn, and by what minimises them."""

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_pinball_loss
from torch.nn import functional

from barstack.core.errors import ConfigError
from barstack.core.forecast import LEVELS, Target
from barstack.models.neural._losses import loss_for, row_losses

RNG = np.random.default_rng(2)
QUANTILES = Target("quantiles", ("1h", "4h"), LEVELS)
RETURN = Target("return", ("1h",))


def test_pinball_is_that_of_scikit_learn_over_horizons_and_levels() -> None:
    raw, y = RNG.normal(size=(50, 10)), RNG.normal(size=(50, 2))
    rows = row_losses(torch.tensor(raw), torch.tensor(y), "pinball", QUANTILES)
    assert rows.shape == (50,)
    each = [
        mean_pinball_loss(y[:, place // 5], raw[:, place], alpha=LEVELS[place % 5])
        for place in range(10)
    ]
    assert float(rows.mean()) == pytest.approx(np.mean(each))


def sharpe_part(position: np.ndarray, y: np.ndarray) -> float:
    """The mean of what `sharpe` adds to Huber's loss, for a bounded position."""
    raw, came = torch.tensor(np.arctanh(position))[:, None], torch.tensor(y)[:, None]
    near = functional.huber_loss(raw, came, reduction="none", delta=2.0)[:, 0]
    return float((row_losses(raw, came, "sharpe", RETURN) - near).mean())


def test_of_positions_at_their_best_size_the_one_with_the_higher_sharpe_costs_less() -> None:
    """Least squares of 1 on p: half of 1 - mean(p)^2 / mean(p^2), which falls as Sharpe rises."""
    y = RNG.normal(size=4000)
    found = []
    for skill in (0.05, 0.2, 0.5):
        guess = skill * y + np.sqrt(1 - skill**2) * RNG.normal(size=4000)
        direction = guess / np.abs(guess).max()
        earned = direction * y
        size = min(float(earned.mean() / (earned**2).mean()), 0.99)
        expected = 0.5 * (1 - 2 * size * earned.mean() + size**2 * (earned**2).mean())
        cost = sharpe_part(size * direction, y)
        assert cost == pytest.approx(expected)
        assert all(
            cost <= sharpe_part(other * direction, y) + 1e-12
            for other in np.clip((0.5 * size, 1.5 * size), 0.0, 0.99)
        )
        found.append((earned.mean() / earned.std(), cost))
    assert [cost for _, cost in sorted(found)] == sorted((c for _, c in found), reverse=True)


def test_a_loss_of_another_task_is_refused() -> None:
    assert loss_for("auto", QUANTILES) == "pinball"
    assert loss_for("sharpe", RETURN) == "sharpe"
    for loss, target in (("sharpe", QUANTILES), ("pinball", RETURN)):
        with pytest.raises(ConfigError, match=f"'{loss}' cannot be used to forecast {target.task}"):
            loss_for(loss, target)
