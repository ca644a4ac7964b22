"""The verdict beside an artifact: it is about that artifact, and no part of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.forecasting.test_old_artifacts import DATA, ROWS

from barstack import load
from barstack.core.errors import ArtifactError
from barstack.forecasting import GivenVerdict, TrainedEnsemble, read_verdict, write_verdict

GIVEN = GivenVerdict("unproven", "Maybe.", "4h", "2026-11-30T07:00:00+00:00", "3f2a", 12)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """One whose manifest holds no verdict."""
    trained = replace(TrainedEnsemble.load(DATA / "version_0_1" / "artifact"), verdict=None)
    trained.save(tmp_path / "artifact")
    return tmp_path / "artifact"


def test_without_one_it_is_not_given(artifact: Path) -> None:
    assert read_verdict(artifact) is None
    assert load(artifact).verdict == "not given"


def test_it_is_read_again_and_changes_nothing_else(artifact: Path) -> None:
    before = {file: file.read_bytes() for file in artifact.rglob("*.json")}
    forecast = load(artifact).predict_row(ROWS[:1])
    for given in (GIVEN, replace(GIVEN, edge="none", trials=13)):
        write_verdict(artifact, given)
        assert read_verdict(artifact) == given == load(artifact).trained.verdict
        assert load(artifact).verdict == given.edge
    assert {file: file.read_bytes() for file in before} == before
    assert load(artifact).predict_row(ROWS[:1]) == forecast


def test_it_goes_with_the_artifact_that_is_saved(artifact: Path, tmp_path: Path) -> None:
    write_verdict(artifact, GIVEN)
    load(artifact).trained.save(tmp_path / "again")
    assert read_verdict(tmp_path / "again") == GIVEN


def test_that_of_another_artifact_is_refused(artifact: Path, tmp_path: Path) -> None:
    shutil.copytree(DATA / "format_2" / "artifact", tmp_path / "other")
    write_verdict(tmp_path / "other", GIVEN)
    shutil.copy(tmp_path / "other" / "verdict.json", artifact)
    with pytest.raises(ArtifactError, match="is the verdict on another artifact, whose manifest"):
        load(artifact)


def test_no_byte_of_it_can_change(artifact: Path) -> None:
    file = write_verdict(artifact, GIVEN)
    data = file.read_bytes()
    for at in range(0, len(data), 7):
        file.write_bytes(data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :])
        with pytest.raises(ArtifactError):
            load(artifact)
    file.write_bytes(data)
    load(artifact)


@pytest.mark.parametrize(
    "change",
    [
        {"edge": "certain"},
        {"sentence": 3},
        {"trials": -1},
        {"given_at": "yesterday"},
        {"more": 1},
        {"sentence": "\x1b[31m"},
    ],
)
def test_what_is_no_verdict(artifact: Path, change: dict[str, object]) -> None:
    file = write_verdict(artifact, GIVEN)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ArtifactError, match=r"verdict\.json"):
        load(artifact)


def test_that_of_version_0_1_is_read_from_its_manifest() -> None:
    found = load(DATA / "version_0_1" / "artifact")
    assert found.verdict == "none"
    assert found.trained.verdict is not None
    assert found.trained.verdict.trials == 8
    assert found.trained.verdict.sentence.startswith("No edge")
