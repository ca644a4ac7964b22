"""A forecast that knows the signal reaches the stated figures, and none exceeds them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from barstack.core.arrays import Rows
from barstack.datasets import Dataset
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS
from barstack.models import MODELS, train
from barstack.testing import z_scores
from barstack.worlds import WORLDS, Made

KINDS = ("linear", "interaction", "regime_dependent", "lead_lag", "decaying", "order")
NOISES = ("gaussian", "garch", "jumps", "market")
WORLDS_24 = list(product(KINDS, NOISES))


@cache
def scores_of(kind: str, noise: str) -> dict[str, float]:
    seed = 100 + WORLDS_24.index((kind, noise))
    fields = {"world": kind, "noise": noise, "seed": seed, "horizons": [1, "1h", "1d"]}
    return z_scores(WORLDS.parse(fields | {"r2": 0.02, "bars": 20_000}).make())


@pytest.mark.parametrize(("kind", "noise"), WORLDS_24, ids=["-".join(each) for each in WORLDS_24])
def test_an_oracle_reaches_the_figures(kind: str, noise: str) -> None:
    """Within three standard errors. `benchmarks/worlds.py` shows that they are honest ones."""
    scores = scores_of(kind, noise)
    assert len(scores) == 12
    assert {name: score for name, score in scores.items() if abs(score) > 3.0} == {}


@pytest.mark.parametrize("figure", ["r2", "ic", "accuracy", "bias"])
def test_oracles_are_neither_above_nor_below_on_the_whole(figure: str) -> None:
    """An error too small for one world shows in the mean score of all."""
    scores = [
        score
        for world in WORLDS_24
        for name, score in scores_of(*world).items()
        if name.startswith(figure)
    ]
    assert len(scores) == 72
    assert abs(np.mean(scores)) < 0.5  # three standard errors, if the horizons agreed half-way
    assert 0.7 < np.std(scores) < 1.3


def test_a_wrong_forecast_is_noticed() -> None:
    """The check can fail: forecasts three times as large as they should be."""
    made = WORLDS.parse({"world": "linear", "r2": 0.02, "horizons": [1]}).make()
    assert abs(z_scores(made)["r2 at 1bars"]) < 3.0
    wrong = replace(made.truth, forecast=3 * made.truth.forecast)
    assert z_scores(Made(made.panel, wrong))["r2 at 1bars"] < -4.0


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_to_forecast(kind: str) -> None:
    """What the best forecast leaves goes with nothing known at the decision, in bends or in kinks.

    A boosted forest trained on half of the bars explains nothing of the other half's rest.
    """
    fields = {"world": kind, "r2": 0.05, "bars": 30_000, "seed": 5, "horizons": [1]}
    if kind == "decaying":
        fields["half_life_bars"] = 100_000
    made = WORLDS.parse(fields).make()
    known, rest = _known_and_rest(made)
    half = len(rest) // 2
    for column in (*known.T, *(known**2).T, *(known[:, :1] * known[:, 1:]).T):
        terms = (column - column.mean()) * rest
        assert abs(terms.mean()) <= 4.0 * terms.std() / np.sqrt(len(terms))
    forest = HistGradientBoostingRegressor(max_iter=40, max_leaf_nodes=8, random_state=0)
    found = forest.fit(known[:half], rest[:half]).predict(known[half:])
    gained = 1.0 - ((rest[half:] - found) ** 2).mean() / (rest[half:] ** 2).mean()
    assert gained < 0.003
    # The same forest does find the signal itself, so that the check can fail.
    whole = rest + known[:, 0]
    found = forest.fit(known[:half], whole[:half]).predict(known[half:])
    assert 1.0 - ((whole[half:] - found) ** 2).mean() / (whole[half:] ** 2).mean() > 0.01


def _known_and_rest(made: Made) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What is known at each decision on the last symbol, the forecast first; and return less it."""
    symbol = made.truth.world.names[-1]
    code = made.truth.decisions.symbols.index(symbol)
    own, records = made.truth.world.components_of(symbol), made.panel[symbol].records
    returns = np.diff(np.log(records["close"]), prepend=np.nan)
    forecast = made.truth.forecast[made.truth.decisions.symbol_code == code, 0]
    n = len(records)
    columns = [forecast, own.wick[:n], own.volume[:n], own.regime[:n], returns, own.v[:n]]
    columns += [np.roll(returns, 1), np.log(records["high"] / records["low"])]
    close = records["close"]
    return np.column_stack(columns)[2:-1], close[3:] / close[2:-1] - 1.0 - forecast[2:-1]


@pytest.mark.parametrize(
    ("kind", "model", "least"),
    [
        ("linear", {"model": "ridge"}, 0.95),
        # Trees must look at both features: by default each sees 0.7 of the two, that is one.
        ("interaction", {"model": "lightgbm", "feature_share": 1.0}, 0.75),
        ("regime_dependent", {"model": "lightgbm", "feature_share": 1.0}, 0.75),
    ],
    ids=KINDS[:3],
)
def test_models_capture_the_signal_through_features(
    kind: str, model: dict[str, object], least: float
) -> None:
    """Information coefficient reached out of sample, over that of the best forecast there."""
    made = WORLDS.parse({"world": kind, "r2": 0.03, "bars": 40_000, "horizons": [1]}).make()
    labels = LABELS.parse({"label": "return", "horizons": [1]}).compute(made.panel)
    names = ("wick_balance", "log_volume")
    table = FeatureSet(features=tuple(Feature(feature=name) for name in names))
    dataset = Dataset(table.compute(made.panel), labels)
    rows: Rows = np.arange(len(labels.returns) - 1)
    fitted = train(MODELS.parse(model), dataset, rows[:30_000], seed=0)
    tested = rows[30_001:]
    found = fitted.predict(dataset.features, tested)[:, 0, 0]
    realised = labels.returns[tested, 0]
    best = made.truth.forecast[made.truth.decisions.find(labels.decisions)][tested, 0]
    assert np.corrcoef(found, realised)[0, 1] > least * np.corrcoef(best, realised)[0, 1]
