"""Reports that contradict themselves are refused; those that can be true are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barstack.core.errors import DataError
from barstack.evaluation import accuracy_by_luck, contradictory, refuse_contradictions

# What the earlier systems claimed for themselves: 57 to 60 % directional accuracy at 60 min, and
# R² of 0.3 to 0.5 of hourly returns.
HOURS = 1764  # of a year of sessions


@pytest.mark.parametrize("r2", [0.3, 0.34, 0.5])
@pytest.mark.parametrize("accuracy", [0.543, 0.57, 0.6])
def test_claims_of_earlier_systems_contradict_each_other(r2: float, accuracy: float) -> None:
    with pytest.raises(DataError, match=r"contradicts itself.* implies a directional accuracy"):
        refuse_contradictions(r2=r2, directional_accuracy=accuracy, n=HOURS, normal=True)


def test_what_goes_with_those_figures() -> None:
    """R² 0.34 implies about 70 % for normal returns, and 54.3 % implies R² of about 0.02."""
    assert contradictory(r2=0.34, directional_accuracy=0.698, n=HOURS, normal=True) == []
    assert contradictory(r2=0.018, directional_accuracy=0.543, n=HOURS, normal=True) == []
    assert (
        "implies a directional accuracy of 69.8%"
        in contradictory(r2=0.34, directional_accuracy=0.6, normal=True)[0]
    )
    # Without normal returns a hit rate of 60 % is possible: a few forecasts are large.
    assert contradictory(r2=0.34, directional_accuracy=0.6) == []
    correlation = np.sin(np.pi * 0.043)
    assert correlation**2 == pytest.approx(0.018, abs=0.001)


def test_the_best_of_1620_by_luck() -> None:
    """About 60 % on the test stretch, 15 % of a year of hours; simulated too."""
    rng = np.random.default_rng(0)
    best = rng.binomial(252, 0.5, size=(500, 1620)).max(axis=1).mean() / 252
    assert accuracy_by_luck(252, 1620) == pytest.approx(best, abs=0.003)
    assert best == pytest.approx(0.6, abs=0.01)
    assert accuracy_by_luck(1000, 1) == pytest.approx(0.5, abs=1e-6)
    with pytest.raises(DataError, match="1 or more"):
        accuracy_by_luck(0, 5)


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        ({"sharpe": 3.0, "t_value": 2.0, "years": 4.0}, "goes with a t-value of about 6.00"),
        ({"sharpe": 0.5, "t_value": 4.0, "n": 504, "periods_per_year": 252}, "about 0.71"),
        ({"sharpe": -1.0, "t_value": 2.0, "years": 4.0}, "about -2.00"),
        ({"win_rate": 0.65, "payoff": 1.5, "profit_factor": 1.4}, "make a profit factor of 2.79"),
        ({"win_rate": 65.0}, "write 55 % as 0.55"),
        ({"win_rate": 1.0, "payoff": 2.0, "profit_factor": 3.0}, "nothing is lost"),
        ({"profit_factor": -0.5}, "below 0"),
        ({"r2": 0.34, "directional_accuracy": 0.543}, "hit rate of about 69.8%"),
    ],
)
def test_contradictions(figures: dict[str, Any], sentence: str) -> None:
    found = contradictory(**figures)
    assert len(found) >= 1
    assert sentence in found[0]
    with pytest.raises(DataError, match="contradicts itself"):
        refuse_contradictions(**figures)


def test_figures_of_true_returns_are_accepted() -> None:
    """Sharpe, t, win rate, payoff and profit factor of the same simulated returns and trades."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        returns = rng.standard_t(4, 756) * 0.01 + rng.normal() * 0.0005
        gains, losses = returns[returns > 0], -returns[returns < 0]
        assert (
            contradictory(
                sharpe=round(float(returns.mean() / returns.std() * 252**0.5), 2),
                t_value=round(float(returns.mean() / returns.std() * 756**0.5), 2),
                n=756,
                periods_per_year=252,
                win_rate=round(float(len(gains) / 756), 3),
                payoff=round(float(gains.mean() / losses.mean()), 2),
                profit_factor=round(float(gains.sum() / losses.sum()), 2),
            )
            == []
        )
