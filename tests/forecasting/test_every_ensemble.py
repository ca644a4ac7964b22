"""Every registered ensemble forecasts live what it forecasts of history, also restored."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.forecasting.small import saved, trained_on
from tests.forecasting.test_hostile_artifact import resealed

from barstack import load
from barstack.core.arrays import Floats
from barstack.core.errors import ArtifactError
from barstack.core.files import seal
from barstack.core.forecast import Target
from barstack.core.times import KnownAt
from barstack.ensembles import ENSEMBLES, Ensemble, FittedEnsemble, Layers, Stacked
from barstack.forecasting import Predictor, Stream
from barstack.forecasting._probe import check_ensembles
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


HOSTILE: list[tuple[str, dict[str, Any], str | None]] = [
    ("hard_vote", {"strength": [1.0, 1.0, 1.0]}, None),
    ("selective", {"constant": [[0.0, 0.0], [0.0, 0.0]]}, None),
    ("median", {"members": 5}, "of 5 members"),
    ("nnls", {"weights": [[0.3, 0.3, 0.4]]}, "weights"),
]


@pytest.mark.parametrize(("name", "change", "said"), HOSTILE, ids=lambda each: str(each)[:20])
def test_what_was_learned_of_another_target_is_refused(
    name: str, change: dict[str, Any], said: str | None, tmp_path: Path
) -> None:
    """Under right hashes: before anything is forecast."""
    trained, _ = trained_on({"WALK": BARS[:N_OLD]}, MEMBERS, ensemble=ENSEMBLES.parse(name))
    folder = saved(trained, tmp_path / "artifact")
    (file,) = (folder / "ensembles" / name).glob("*.json")
    content = json.loads(file.read_text())
    assert content.keys() >= change.keys()
    file.write_text(json.dumps(content | change))
    with pytest.raises(ArtifactError, match=said):
        load(resealed(folder))


def test_probabilities_beyond_one_are_refused(tmp_path: Path) -> None:
    target = Target("direction", ("1h",))
    learned = np.array([[3.0, 3.0]])
    through = np.datetime64("2026-01-01", "us")
    fitted = FittedEnsemble(ENSEMBLES.parse("nnls"), learned, ("a", "b"), through)
    with pytest.raises(ArtifactError, match="probabilities from 0 to 6"):
        check_ensembles(Layers(("a", "b"), {"nnls": fitted}), target, 1, "A", tmp_path)


def test_a_snapshot_of_weights_at_other_horizons_is_refused(tmp_path: Path) -> None:
    """Compiled code would write beyond its arrays."""
    trained, _ = trained_on({"WALK": BARS[:N_OLD]}, MEMBERS, ensemble=ENSEMBLES.parse("boa"))
    predictor = load(saved(trained, tmp_path / "artifact"))
    stream = predictor.stream(BARS[:N_OLD])
    for row in range(N_OLD, N_OLD + 6):
        stream.update(BARS[row : row + 1])
    y, known_at = labels_of(N_OLD)
    stream.know_labels(BARS.closed_at[N_OLD], y, known_at)
    stream.snapshot(tmp_path / "state")
    (file,) = (tmp_path / "state" / "ensembles" / "boa").glob("*.npz")
    with np.load(file, allow_pickle=False) as read:
        arrays = dict(read)
    one = {n: a[:, :1] if n == "past" else a[:1] if n in ("state", "scale") else a
           for n, a in arrays.items()}  # fmt: skip
    np.savez(file, allow_pickle=False, **one)
    seal(tmp_path / "state")
    with pytest.raises(ArtifactError):
        predictor.restore(tmp_path / "state")
