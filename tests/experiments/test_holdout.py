"""A sealed stretch of bars: seen by nothing, opened once, and every look at it counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import barstack as bs
from barstack import Run
from barstack.bars import Bars
from barstack.core.errors import ConfigError, DataError
from barstack.experiments import Study, open_holdout
from barstack.testing import walk
from barstack.tracking import open_store

BEGIN = "2026-02-05"
StudyFile = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, study_file: StudyFile) -> Run:
    return bs.run(study_file(tmp_path, holdout=BEGIN), runs=tmp_path / "runs")


def test_nothing_sees_the_sealed_bars(tmp_path: Path, study_file: StudyFile, table: Any) -> None:
    """A run is the same to the bit, whatever the sealed bars are."""
    file = study_file(tmp_path, n_bars=400, holdout=BEGIN)
    first = bs.run(file, runs=tmp_path / "runs")
    bars = walk(400)
    sealed = bars.closed_at > np.datetime64(BEGIN)
    assert 0 < sealed.sum() < 400
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name][sealed] *= 1.01
    table(Bars(bars.symbol, bars.length_us, records)).write_parquet(tmp_path / "bars/WALK.parquet")
    second = bs.run(file, runs=tmp_path / "other")
    assert first.id == second.id
    assert first.to_frame().equals(second.to_frame())
    assert first.to_frame()["decided_at"].max() <= pd.Timestamp(BEGIN, tz="UTC")
    assert first.artifact.trained_through <= np.datetime64(BEGIN)


def test_a_holdout_opens_once_and_says_by_whom(run: Run, tmp_path: Path) -> None:
    found = open_holdout(run.folder, folder=tmp_path)
    assert found.looks == 1
    assert "had not been seen" in found.sentence
    assert found.first_at >= BEGIN
    assert "@" in found.opened_by
    opening = open_store(tmp_path / "runs").trials()[-1]
    assert (opening.kind, json.loads(opening.note)["by"]) == ("opening", found.opened_by)
    assert open_holdout(run.folder, folder=tmp_path) == found
    (run.folder / "holdout.json").unlink()
    assert open_holdout(run.folder, folder=tmp_path) == found  # the same look at the same bars


def test_another_look_is_counted(run: Run, tmp_path: Path, study_file: StudyFile) -> None:
    """By another run, under another name of the symbol, after a trial on those very bars."""
    first = open_holdout(run.folder, folder=tmp_path)
    changed = study_file(tmp_path, "second.yaml", holdout=BEGIN, seed=1)
    second = open_holdout(bs.run(changed, runs=tmp_path / "runs").folder, folder=tmp_path)
    assert (first.looks, second.looks) == (1, 2)
    assert "look 2" in second.sentence
    assert second.p_adjusted >= second.p_value
    bs.run(study_file(tmp_path, "whole.yaml"), runs=tmp_path / "runs")  # eight trials on all bars
    third = study_file(tmp_path, "third.yaml", holdout=BEGIN, seed=2)
    assert open_holdout(bs.run(third, runs=tmp_path / "runs").folder, folder=tmp_path).looks == 11


def test_a_plan_stands_before_the_trials(tmp_path: Path, study_file: StudyFile) -> None:
    plan = {"hypothesis": "Bodies revert.", "level": 0.01, "trials": 10}
    file = study_file(tmp_path, holdout=BEGIN, preregistered=plan)
    run = bs.run(file, runs=tmp_path / "runs")
    kinds = [trial.kind for trial in open_store(tmp_path / "runs").trials()]
    assert kinds == ["plan", *["trial"] * 8]
    (remark,) = [each for each in run.verdict.remarks if "Pre-registered" in each]
    assert "0 trials on these instruments came before, 8 of 10 allowed since" in remark
    assert run.verdict.trials == 8
    found = open_holdout(run.folder, folder=tmp_path)
    assert (found.level, found.hypothesis) == (0.01, "Bodies revert.")
    assert bs.run(file, runs=tmp_path / "runs").verdict.trials == 9  # the opening is a look


def test_a_budget_that_is_used_up_refuses(tmp_path: Path, study_file: StudyFile) -> None:
    plan = {"hypothesis": "Bodies revert.", "trials": 10}
    bs.run(study_file(tmp_path, preregistered=plan), runs=tmp_path / "runs")
    again = study_file(tmp_path, "again.yaml", preregistered=plan, seed=1)
    with pytest.raises(ConfigError, match=r"allows 10 trials .* 8 were made .* would make 8 more"):
        bs.run(again, runs=tmp_path / "runs")
    assert bs.run(tmp_path / "study.yaml", runs=tmp_path / "runs").verdict.trials == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"holdout": "soon"}, "which is no date"),
        ({"holdout": "2026-02-05T10:00+02:00"}, "Write the time in UTC"),
        (
            {"holdout": BEGIN, "bars": {"provider": "files", "path": "bars", "end": "2026-03-01"}},
            "Leave `end` out",
        ),
    ],
)
def test_a_wrong_holdout_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path, study_file: StudyFile
) -> None:
    with pytest.raises(ConfigError, match=message):
        Study.from_yaml(study_file(tmp_path, **changes))


def test_a_date_in_yaml_is_read_and_written_back(tmp_path: Path, study_file: StudyFile) -> None:
    file = study_file(tmp_path)
    file.write_text(file.read_text() + "holdout: 2026-02-05\n")
    study = Study.from_yaml(file)
    assert study.holdout == BEGIN
    assert Study(**yaml.safe_load(study.to_yaml())) == study


def test_a_study_without_a_holdout_has_none_to_open(tmp_path: Path, study_file: StudyFile) -> None:
    run = bs.run(study_file(tmp_path), runs=tmp_path / "runs")
    with pytest.raises(ConfigError, match="has no holdout"):
        open_holdout(run.folder, folder=tmp_path)


def test_a_holdout_that_has_not_begun_is_not_opened(tmp_path: Path, study_file: StudyFile) -> None:
    run = bs.run(study_file(tmp_path, holdout="2027-01-01"), runs=tmp_path / "runs")
    with pytest.raises(DataError, match="bars end before the holdout begins"):
        open_holdout(run.folder, folder=tmp_path)


def test_the_command_line_opens(run: Run, tmp_path: Path, barstack: Any) -> None:
    done = barstack("holdout", "open", run.folder, "--folder", tmp_path, "--json", code=None)
    assert done.code in (0, 1)
    assert done.json["looks"] == 1
    assert "opened" in barstack("holdout", "open", run.folder, code=done.code).out
