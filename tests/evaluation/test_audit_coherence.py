"""Which figures cannot live together, and which can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barstack.core.errors import ConfigError
from barstack.evaluation.audit import incoherent


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        ({"r2": 0.34, "directional_accuracy": 0.543}, "hit rate of about 69.8%; 54.3%"),
        ({"r2": 0.34, "directional_accuracy": 0.543, "n": 1000}, "correlation of 0.58 or more"),
        ({"r2": 0.34, "ic": 0.1, "n": 1000}, "never exceeds its square; 0.1"),
        ({"ic": 0.02, "directional_accuracy": 0.7, "n": 500}, "50.6%; 70.0%"),
        ({"ic": 0.3, "directional_accuracy": 0.45, "n": 2000}, "59.7%; 45.0%"),
        ({"ic": 0.02, "sharpe": 6.0, "n": 2500, "periods_per_year": 252}, "0.378 is reported"),
        (
            {"r2": 0.34, "sharpe": 1.0, "n": 5000, "periods_per_year": 252, "after_costs": False},
            "before costs",
        ),
        ({"directional_accuracy": 0.543, "n": 10}, "nearest possible is 0.5500"),
        ({"directional_accuracy": 54.3}, "write 54.3 % as 0.543"),
        ({"r2": 1.2}, "above 1"),
        ({"ic": -1.2}, "outside -1 to 1"),
    ],
)
def test_figures_that_contradict_each_other(figures: dict[str, Any], sentence: str) -> None:
    found = incoherent(**figures)
    assert len(found) >= 1
    assert sentence in found[0]


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"r2": -0.2, "directional_accuracy": 0.55, "n": 1000},
        {"r2": 0.001, "ic": 0.035, "directional_accuracy": 0.511, "n": 5000},
        {"ic": 0.05, "sharpe": -2.0, "periods_per_year": 252, "n": 2000},
        {"directional_accuracy": 0.5, "n": 8},
    ],
)
def test_figures_that_live_together(figures: dict[str, Any]) -> None:
    assert incoherent(**figures) == []


def test_questions_that_cannot_be_answered() -> None:
    with pytest.raises(ConfigError, match="periods_per_year"):
        incoherent(sharpe=1.0)
    with pytest.raises(ConfigError, match="n is 0"):
        incoherent(n=0)


@pytest.mark.parametrize("tails", [np.inf, 3.0, 5.0])
@pytest.mark.parametrize("rho", [0.0, 0.05, 0.3, 0.6])
def test_simulated_figures_are_coherent(tails: float, rho: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        size = int(rng.choice([150, 1000, 6000]))
        draws = rng.normal(size=(2, size)) if np.isinf(tails) else rng.standard_t(tails, (2, size))
        forecast, noise = draws / draws.std(axis=1, keepdims=True)
        returns = rho * forecast + np.sqrt(1 - rho**2) * noise
        profit = np.sign(forecast) * returns
        found = incoherent(
            r2=float(1 - np.mean((returns - rho * forecast) ** 2) / returns.var()),
            ic=float(np.corrcoef(forecast, returns)[0, 1]),
            directional_accuracy=float(np.mean((forecast > 0) == (returns > 0))),
            sharpe=float(profit.mean() / profit.std() * np.sqrt(252)),
            periods_per_year=252,
            n=size,
        )
        assert found == []
