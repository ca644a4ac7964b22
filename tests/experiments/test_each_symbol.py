"""A study run once for each of its symbols."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from barstack import Models
from barstack.experiments import Study, run_each_symbol
from barstack.testing import walk

StudyFile = Callable[..., Path]


@pytest.fixture(scope="module")
def study(
    tmp_path_factory: pytest.TempPathFactory,
    study_file: StudyFile,
    table: Callable[..., pl.DataFrame],
) -> Path:
    """Of three symbols, one of which has too few bars."""
    folder = tmp_path_factory.mktemp("each")
    file = study_file(folder)
    for name, seed, n_bars in (("OTHER", 1, 400), ("SHORT", 2, 30)):
        bars = table(walk(n_bars, seed=seed, symbol=name))
        bars.write_parquet(folder / "bars" / f"{name}.parquet")
    return file


def test_each_has_an_artifact_and_a_failure_stops_no_other(study: Path) -> None:
    runs = study.parent / "runs"
    found = run_each_symbol(Study.from_yaml(study), folder=study.parent, runs=runs)
    assert list(found.runs) == ["OTHER", "WALK"]
    assert list(found.errors) == ["SHORT"]
    with found.summary.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["symbol"] for row in rows if row["error"]} == {"SHORT"}
    walks = [row for row in rows if row["symbol"] == "WALK"]
    frame = found.runs["WALK"].leaderboard()
    assert [float(row["ic"] or "nan") for row in walks if row["name"] == "ridge"] == [
        float(each) for each in frame.loc[frame["name"] == "ridge", "ic"]
    ]
    answer = Models(runs).predict_numeric_returns("OTHER", {"rsi_14": 50.0, "body": 0.1})
    assert list(answer["members"]) == ["ridge", "strong"]
    assert answer["model"] == found.runs["OTHER"].id


def test_the_command_says_what_failed(study: Path) -> None:
    command = [sys.executable, "-m", "barstack", "run", str(study), "--each-symbol", "--json"]
    done = subprocess.run(
        [*command, "--runs", str(study.parent / "runs")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    answer = json.loads(done.stdout)
    assert list(answer["symbols"]) == ["OTHER", "WALK"]
    assert list(answer["errors"]) == ["SHORT"]
