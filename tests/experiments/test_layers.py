"""A study whose ensembles combine members and other ensembles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barstack import Run, Study, load, run
from barstack.core.errors import ConfigError
from barstack.experiments import audit
from barstack.testing import walk

StudyFile = Callable[..., Path]
MEMBERS: dict[str, Any] = {
    "ridge": {},
    "strong": {"model": "ridge", "penalty": 10.0},
    "naive": {"model": "naive_mean"},
}
ENSEMBLES: dict[str, Any] = {
    "linear": {"ensemble": "average", "of": ["ridge", "strong"]},
    "top": {"ensemble": "average", "of": ["linear", "naive"]},
    "all": "average",
}


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory, study_file: StudyFile) -> Run:
    folder = tmp_path_factory.mktemp("layered")
    file = study_file(folder, members=MEMBERS, ensembles=ENSEMBLES, judged="top")
    return run(file, runs=folder / "runs")


def test_it_is_judged_on_what_all_layers_forecast(layered: Run) -> None:
    folds = {
        name: {each.fold for each in layered.evaluation.folds if each.name == name}
        for name in ("linear", "top", "all", "ridge")
    }
    assert {tuple(sorted(each)) for each in folds.values()} == {(2,)}  # of folds 0, 1, 2


def test_its_artifact_answers_with_every_layer(layered: Run) -> None:
    predictor, bars = load(layered.folder), walk(500)
    found = predictor.forecasts(bars)
    assert list(found) == ["top", "linear", "ridge", "strong", "naive"]
    values = {name: each.values for name, each in found.items()}
    np.testing.assert_allclose(values["linear"], (values["ridge"] + values["strong"]) / 2)
    np.testing.assert_allclose(values["top"], (values["linear"] + values["naive"]) / 2)
    stream = predictor.stream(bars[:-50])
    live = [stream.update(bars[row : row + 1]) for row in range(450, 500)]
    np.testing.assert_allclose([each.values[0] for each in live if each], values["top"][-50:])


def test_names_change_neither_results_nor_trials(
    layered: Run, tmp_path: Path, study_file: StudyFile
) -> None:
    renamed = {
        "lines": {"ensemble": "average", "of": ["one", "strong"]},
        "peak": {"ensemble": "average", "of": ["naive", "lines"]},
        "all": "average",
    }
    members = {"one": {"model": "ridge"}, **{name: MEMBERS[name] for name in ("strong", "naive")}}
    file = study_file(
        layered.folder.parent.parent,
        "renamed.yaml",
        members=members,
        ensembles=renamed,
        judged="peak",
    )
    again = run(file, runs=layered.folder.parent)
    made = {step.name for step in again.steps if step.how == "made"}
    assert not any(name.startswith(("fit ", "member ", "ensemble lines")) for name in made)
    assert again.verdict.trials == layered.verdict.trials


@pytest.mark.parametrize(
    ("ensembles", "said"),
    [
        ({"a": {"ensemble": "average", "of": ["b"]}, "b": "average"}, "comes after it"),
        ({"a": {"ensemble": "average", "of": ["a"]}}, "comes after it or is itself"),
        ({"a": {"ensemble": "average", "of": ["rigde"]}}, "neither a member nor .*'ridge'"),
        ({"a": {"ensemble": "average", "of": ["ridge", "ridge"]}}, "combines one forecaster twice"),
    ],
)
def test_what_cannot_be_combined_is_refused(ensembles: Any, said: str) -> None:
    label = {"label": "return", "horizons": [1]}
    with pytest.raises(ConfigError, match=said):
        Study(bars="sample", label=label, members=["ridge"], ensembles=ensembles)


def test_the_audit_finds_nothing_in_layers(layered: Run) -> None:
    study = Study.from_yaml(layered.folder.parent.parent / "study.yaml")
    assert not audit(study, folder=layered.folder.parent.parent)
