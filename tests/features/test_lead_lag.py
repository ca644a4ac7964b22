"""One symbol's lead over another is learned through cross-symbol features, and only then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barstack.core.arrays import Rows
from barstack.datasets import Dataset
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS
from barstack.models import MODELS, train
from barstack.testing import training_rows
from barstack.worlds import WORLDS

TRUE_R2 = 0.05
LEAD_LAG = {"world": "lead_lag", "r2": TRUE_R2}
MARTINGALE = {"world": "martingale"}
LOOKING_ACROSS, LOOKING_INWARD = ("market_return", "breadth"), ("log_return", "rsi")


def gain(spec: dict[str, Any], names: tuple[str, ...]) -> tuple[float, float]:
    """(R squared against a forecast of 0, the same in standard errors) of the second symbol.

    Ridge learns from its first seven tenths of bars and is scored on the rest.
    """
    spec = {**spec, "symbols": ["LEAD", "TAIL"], "bars": 6000, "horizons": [1]}
    panel = WORLDS.parse(spec).make().panel
    features = FeatureSet(features=tuple(Feature(feature=name) for name in names))
    labels = LABELS.parse({"label": "return", "horizons": [1]})
    dataset = Dataset(features.compute(panel), labels.compute(panel))
    early = training_rows(dataset)
    early = early[dataset.decisions.symbol[early] == "TAIL"]
    fitted = train(MODELS.parse("ridge"), dataset, early, seed=0)
    rows = _unseen(dataset, fitted.trained_through)
    forecast = fitted.predict(dataset.features, rows)[:, 0, 0]
    returns = dataset.labels.returns[rows, 0]
    better = returns**2 - (returns - forecast) ** 2
    error = better.std() / np.sqrt(len(better))
    return float(better.sum() / (returns**2).sum()), float(better.mean() / error)


def _unseen(dataset: Dataset, trained_through: Any) -> Rows:
    decisions = dataset.decisions
    later = (decisions.decided_at > trained_through) & (decisions.symbol == "TAIL")
    return np.flatnonzero(later & dataset.usable & ~np.isnat(dataset.labels.all_known_at))


def test_a_follower_is_forecast_from_the_leader() -> None:
    r2, errors = gain(LEAD_LAG, LOOKING_ACROSS)
    assert errors > 4.0
    assert 0.5 * TRUE_R2 < r2 < 1.5 * TRUE_R2


@pytest.mark.parametrize(
    ("spec", "names"),
    [(LEAD_LAG, LOOKING_INWARD), (MARTINGALE, LOOKING_ACROSS), (MARTINGALE, LOOKING_INWARD)],
)
def test_nothing_else_predicts(spec: dict[str, Any], names: tuple[str, ...]) -> None:
    _, errors = gain(spec, names)
    assert errors < 2.0
