"""A study whose ensemble needs regimes: in history, in the artifact, and live."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barstack import Run, Study, load, run
from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import REGIMES
from barstack.ensembles import ENSEMBLES, Ensemble, Stacked
from barstack.experiments import audit
from barstack.forecasting import Stream
from barstack.testing import walk

StudyFile = Callable[..., Path]


class Gated(Ensemble):
    """The first member in trends, the second elsewhere."""

    @property
    def needs(self) -> tuple[str, ...]:
        return ("regimes",)

    def fit(self, stacked: Stacked) -> tuple[()]:
        np.testing.assert_allclose(stacked.context["regimes"].sum(axis=1), 1.0)
        return ()

    def predict(self, learned: tuple[()], stacked: Stacked) -> Floats:
        trend = stacked.context["regimes"][:, :2].sum(axis=1)[:, None, None]
        return np.asarray(trend * stacked.member(0) + (1.0 - trend) * stacked.member(1))

    def save(self, learned: tuple[()], folder: Path) -> None:
        (folder / "nothing.json").write_text("{}")

    def load(self, folder: Path) -> tuple[()]:
        return ()


@pytest.fixture(scope="module", autouse=True)
def gated() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gated, "registered_as", ("ensemble", "gated"))
        patch.setitem(ENSEMBLES._entries, "gated", Gated)
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, study_file: StudyFile) -> Path:
    folder = tmp_path_factory.mktemp("regimes")
    return study_file(folder, n_bars=700, ensembles={"gated": "gated", "by_regime": "regime_aware"})


@pytest.fixture(scope="module")
def done(study: Path) -> Run:
    return run(study, runs=study.parent / "runs")


def test_history_and_stream_weigh_by_the_same_regimes(done: Run, tmp_path: Path) -> None:
    predictor, bars = load(done.folder), walk(900)
    found = {name: each.values for name, each in predictor.forecasts(bars).items()}
    said = predictor.regimes(bars)[list(REGIMES)].to_numpy()
    trend = said[-len(found["gated"]) :, :2].sum(axis=1)[:, None, None]
    assert trend.std() > 0.0
    expected = trend * found["ridge"] + (1.0 - trend) * found["strong"]
    np.testing.assert_allclose(found["gated"], expected)
    stream: Any = predictor.stream(bars[:-60])
    live = []
    for row in range(len(bars) - 60, len(bars)):
        if row == len(bars) - 30:
            stream.snapshot(tmp_path / "state")
            stream = predictor.restore(tmp_path / "state")
            assert isinstance(stream, Stream)
        forecast = stream.update(bars[row : row + 1])
        assert forecast is not None
        live.append(forecast.values[0])
    np.testing.assert_allclose(live, found["gated"][-60:], rtol=0, atol=1e-7 * expected.std())


def test_one_row_is_told_the_regime(done: Run) -> None:
    predictor = load(done.folder)
    row = dict.fromkeys(predictor.trained.features.columns, 0.1)
    found = predictor.predict_row(row, regimes=dict.fromkeys(REGIMES, 0.0) | {"crash": 1.0})
    assert found["gated"] == found["strong"]
    with pytest.raises(DataError, match=r"weighs its members by regime\. Give `regimes`"):
        predictor.predict_row(row)
    with pytest.raises(DataError, match="do not add up to one"):
        predictor.predict_row(row, regimes=dict.fromkeys(REGIMES, 0.5))


def test_an_ensemble_without_regimes_refits_no_member_beside_it(
    done: Run, study: Path, study_file: StudyFile
) -> None:
    other = study_file(study.parent, "plain.yaml", ensembles={"average": "average"})
    again = run(other, runs=study.parent / "runs")
    made = {step.name for step in again.steps if step.how == "made"}
    assert not any(name.startswith(("fit ", "member ", "features")) for name in made)


def test_the_audit_finds_nothing(study: Path) -> None:
    assert not audit(Study.from_yaml(study), folder=study.parent)


def test_only_detectors_detect() -> None:
    label = {"label": "return", "horizons": [1]}
    with pytest.raises(ConfigError, match=r"Ridge detects no regimes\. Detectors: .*regime_rules"):
        Study(bars="sample", label=label, members=["ridge"], regimes="ridge")


def test_an_artifact_is_asked_for_its_weights_by_regime(study: Path, study_file: StudyFile) -> None:
    file = study_file(study.parent, "judged.yaml", ensembles={"by_regime": "regime_aware"})
    done = run(file, runs=study.parent / "runs")
    predictor = load(done.folder)
    regime, confidence = predictor.detect_regime(walk(900))
    assert regime in REGIMES
    assert 1 / 6 <= confidence <= 1.0
    assert list(predictor.get_regime_weights(regime)) == ["ridge", "strong"]
    assert len(predictor.select_best_models(regime, top_k=1)) == 1
    facts = json.loads((done.folder / "ensembles" / "by_regime" / "metrics.json").read_text())
    assert "Weights by regime are" in facts["note"]
    assert {row["regime"] for row in facts["performance_by_regime"]} == set(REGIMES)
