"""Every registered ensemble forecasts live what it forecasts of history, also restored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.forecasting.small import saved, trained_on

from barstack import load
from barstack.core.arrays import Floats
from barstack.core.times import KnownAt
from barstack.ensembles import ENSEMBLES, Ensemble, FittedEnsemble, Stacked
from barstack.forecasting import Predictor, Stream
from barstack.models import RegimeRules
from barstack.testing import walk

N_OLD, N_ALL, LONGEST = 500, 560, 4
BARS = walk(N_ALL)
MEMBERS: dict[str, Any] = {"ridge": {}, "lightgbm": {"trees": 5}, "naive_mean": {}}
WAYS: dict[str, dict[str, Any]] = {name: {} for name in ENSEMBLES.names()} | {
    "stack that sees features and regimes": {
        "ensemble": "stack",
        "meta": "lightgbm",
        "pass_through": True,
        "regimes": True,
    }
}


@pytest.fixture(scope="module", params=WAYS)
def predictor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    way = {"ensemble": request.param} | WAYS[request.param]
    ensemble = ENSEMBLES.parse(way)
    if "return" not in ensemble.tasks:
        pytest.skip(f"{request.param} combines {', '.join(ensemble.tasks)}")
    detector = RegimeRules() if "regimes" in ensemble.needs else None
    trained, _ = trained_on({"WALK": BARS[:N_OLD]}, MEMBERS, ensemble=ensemble, detector=detector)
    return load(saved(trained, tmp_path_factory.mktemp("one") / "artifact"))


def test_a_stream_equals_history(predictor: Predictor, tmp_path: Path) -> None:
    """Told each label as it becomes known, where the ensemble learns on; restored half way."""
    expected = of_history(predictor)
    stream: Any = predictor.stream(BARS[:N_OLD])
    found = []
    for row in range(N_OLD, N_ALL):
        if row == (N_OLD + N_ALL) // 2:
            stream.snapshot(tmp_path / "state")
            stream = predictor.restore(tmp_path / "state")
            assert isinstance(stream, Stream)
        if (ended := row - LONGEST - 1) >= N_OLD:
            y, known_at = labels_of(ended)
            stream.know_labels(BARS.closed_at[ended], y, known_at)
        forecast = stream.update(BARS[row : row + 1])
        assert forecast is not None
        found.append(forecast.values[0])
    scale = max(float(np.abs(expected).max()), 1e-9)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-6 * scale)


def labels_of(row: int) -> tuple[Floats, np.datetime64]:
    """(2,) returns one bar and four bars ahead, and when both are known."""
    close = BARS.records["close"]
    return close[[row + 1, row + LONGEST]] / close[row] - 1.0, BARS.closed_at[row + LONGEST]


def of_history(predictor: Predictor) -> Floats:
    """(n_rows, n_horizons, n_outputs) in bulk, the ensemble updated as labels became known."""
    trained = predictor.trained
    forecasts = predictor.forecasts(BARS)
    first = next(iter(forecasts.values()))
    rows = np.searchsorted(BARS.closed_at, first.decisions.decided_at)
    own = rows >= N_OLD
    decisions = first.decisions.take(np.flatnonzero(own))
    table = trained.features.compute(BARS)
    context = {"features": table.values[rows[own]]}
    if (regimes := trained.regimes({"WALK": BARS}, table, rows[own])) is not None:
        context["regimes"] = regimes
    values = np.stack([forecasts[name].values[own] for name in MEMBERS], axis=1)
    stacked = Stacked(tuple(MEMBERS), decisions, trained.target, values, context=context)
    fitted: FittedEnsemble = trained.ensemble
    if not fitted.ensemble.updates:
        np.testing.assert_allclose(fitted.predict(stacked), first.values[own], rtol=1e-12)
        return first.values[own]
    found = []
    for place in range(len(stacked)):
        if (ended := place - LONGEST - 1) >= 0:
            y, known_at = labels_of(N_OLD + ended)
            known = KnownAt(np.full((1, 2), known_at))
            one = stacked.take(np.array([ended]))
            fitted = fitted.update(replace(one, y=y[None], known_at=known))
        found.append(fitted.predict(stacked.take(np.array([place])))[0])
    assert _learned_something(trained.ensemble.ensemble, trained.ensemble, fitted)
    return np.array(found)


def _learned_something(ensemble: Ensemble, one: FittedEnsemble, two: FittedEnsemble) -> bool:
    before, after = ensemble.weights(one.learned), ensemble.weights(two.learned)
    return before is None or after is None or not np.array_equal(before, after)
