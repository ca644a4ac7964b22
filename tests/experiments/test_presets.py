"""Presets: the same study on the same bars gets the same members, ensembles and folds anywhere."""

from __future__ import annotations

import pickle
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.conftest import StudyFile

from barstack.bars import Panel
from barstack.core.errors import ConfigError, MissingPackageError
from barstack.core.forecast import EVERY_TASK
from barstack.ensembles import ENSEMBLES
from barstack.experiments import (
    PRESETS,
    Study,
    _presets,
    audited,
    completed,
    preset_within,
)
from barstack.models import MODELS
from barstack.splits import WalkForward
from barstack.testing import walk

OPEN: dict[str, Any] = {"bars": "sample", "horizons": [1]}


def panel(n_bars: int) -> Panel:
    return {"WALK": walk(n_bars)}


def complete(n_bars: int, **settings: Any) -> Study:
    return _presets.complete_with(Study(**OPEN, **settings), panel(n_bars))[0]


def test_the_study_knows_the_presets() -> None:
    assert get_args(Study.model_fields["preset"].annotation) == ("", *PRESETS)


@pytest.mark.parametrize("task", EVERY_TASK)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("rows", [50, 7_000, 10_000_000])
def test_members_and_ensembles_do_the_task(preset: str, task: str, rows: int) -> None:
    members = _presets.members_of(preset, task, rows)
    assert members
    assert all(task in MODELS.get(name).tasks for name in members)
    assert all(task in ENSEMBLES.get(name).tasks for name in PRESETS[preset].ensembles)


def test_larger_presets_hold_the_smaller() -> None:
    for rows in (500, 7_000, 300_000):
        quick, standard, thorough = (
            set(_presets.members_of(name, "return", rows)) for name in PRESETS
        )
        assert quick <= standard <= thorough
    seconds = [_presets.seconds_of(name, "return", panel(2_000)) for name in PRESETS]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize(("n_bars", "folds"), [(100, 2), (1_000, 3), (1_400, 4), (3_000, 6)])
def test_folds_are_fewer_where_tests_would_be_short(n_bars: int, folds: int) -> None:
    assert complete(n_bars).split == WalkForward(folds=folds)


def test_a_study_that_says_nothing_gets_standard() -> None:
    assert complete(2_000) == complete(2_000, preset="standard")
    found = complete(2_000)
    assert list(found.members) == ["ridge", "elastic_net", "lightgbm", "extra_trees"]
    assert found == Study(**OPEN, members=list(found.members), split=found.split)
    assert found.preset == ""


def test_what_a_study_says_stays() -> None:
    split, ensembles = {"split": "walk_forward", "folds": 6}, ["average"]
    found = complete(500, split=split, ensembles=ensembles)
    assert found.split == WalkForward(folds=6)
    assert list(found.ensembles) == ["average"]


@pytest.mark.parametrize(
    "again",
    [
        lambda study: study.model_copy(),
        lambda study: study.model_copy(update={"title": "another"}),
        lambda study: Study(**study.content()),
        lambda study: pickle.loads(pickle.dumps(study)),  # noqa: S301 (made here)
    ],
    ids=["copy", "update", "content", "pickle"],
)
@pytest.mark.parametrize("own", [{}, {"split": "walk_forward"}, {"preset": "quick"}])
def test_what_is_left_open_stays_so(again: Any, own: dict[str, Any]) -> None:
    study = Study(**OPEN, **own)
    copied = again(study)
    assert copied == study
    assert copied.left_open == study.left_open
    whole, _ = _presets.complete_with(copied, panel(500))
    assert whole == complete(500, **own)


def test_studies_with_members_keep_their_ids() -> None:
    """As they were before there were presets."""
    label, ensembles = {"label": "return", "horizons": ["1h"]}, ["nnls", "average"]
    study = Study(bars="sample", label=label, members=["ridge"], ensembles=ensembles)
    assert study.id == "c18ade0d946526eb"
    assert completed(study) == (study, ())


def test_members_and_a_preset_are_refused_together() -> None:
    with pytest.raises(ConfigError, match="Preset 'quick' chooses members, and the study names r"):
        Study(**OPEN, members=["ridge"], preset="quick")


def test_horizons_beside_a_label() -> None:
    written: dict[str, Any] = {"label": "direction", "horizons": ["1h"]}
    study = Study(bars="sample", label={"label": "direction", "horizons": ["1h"]}, preset="quick")
    assert Study(bars="sample", preset="quick", **written) == study
    assert Study(bars="sample", label=study.label, preset="quick") == study
    with pytest.raises(ConfigError, match="given beside a label that has its own"):
        Study(bars="sample", label=study.label, horizons=["1h"])
    with pytest.raises(ConfigError, match=r"study\.label is missing\. Add it"):
        Study(bars="sample")


def test_a_time_limit_chooses_the_largest_preset_that_fits() -> None:
    study, bars = Study(**OPEN), panel(2_000)
    expected = {name: _presets.seconds_of(name, "return", bars) for name in PRESETS}
    for name, seconds in expected.items():
        chosen, choice = preset_within(study, bars, seconds)
        assert chosen.preset == choice.value == name
        assert f"{name} {seconds:,.0f} s" in choice.because
    chosen, choice = preset_within(study, bars, 1.0)
    assert chosen.preset == "quick"
    assert choice.because.endswith("Even the quickest is expected to take longer.")


def test_what_a_time_limit_refuses() -> None:
    with pytest.raises(ConfigError, match="time_limit chooses a preset, and there is ridge"):
        preset_within(Study(**OPEN, members=["ridge"]), panel(500), 60)
    with pytest.raises(ConfigError, match="and there is preset quick"):
        preset_within(Study(**OPEN, preset="quick"), panel(500), 60)
    limits: list[Any] = [0, float("nan"), "60", True, [60]]
    for limit in limits:
        with pytest.raises(ConfigError, match="Give seconds, a number above 0"):
            preset_within(Study(**OPEN), panel(500), limit)


def test_a_missing_library_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(_presets, "version", version)
    assert list(complete(500, preset="quick").members) == ["ridge", "elastic_net"]
    with pytest.raises(MissingPackageError, match="needs lightgbm, scikit-learn: pip install"):
        complete(500)


def test_audits_fit_what_a_preset_chooses(study_file: StudyFile, tmp_path: Path) -> None:
    written = study_file(tmp_path, preset="quick", split="walk_forward")
    text = written.read_text().split("members:")[0] + "preset: quick\n"
    written.write_text(text)
    _, record = audited(Study.from_yaml(written), folder=tmp_path)
    _, of_none = audited(Study.from_yaml(written), folder=tmp_path, short=True)
    assert record != of_none
