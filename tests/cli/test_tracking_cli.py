"""`barstack tracking` as people and programs call it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Barstack
from tests.tracking.test_past import epoch
from tests.tracking.test_tracker import made_up

from barstack.tracking import ExperimentTracker, RegimePerformance, SqliteStore


def call(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "barstack", "tracking", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def json_of(*arguments: str) -> Any:
    return json.loads(call(*arguments, "--json"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    tracker = ExperimentTracker(folder)
    for number in range(6):
        tracker.finish(made_up(number, ic=number / 100, directional_accuracy=0.5))
    tracker.fail(made_up(9), "out of memory")
    tracker.record_performance(
        RegimePerformance(
            run_id="r",
            model_name=name,
            role="member",
            horizon_name="60min",
            regime_type="crash",
            n_decisions=100,
            n_correct=right,
        )
        for name, right in (("gru", 52.0), ("lstm", 61.0))
    )
    return str(folder)


@pytest.mark.slow
def test_stats_best_and_summary(runs: str) -> None:
    found = json_of("stats", "--runs", runs)
    assert (found["total"], found["failed"]) == (7, 1)
    assert found["best"]["experiment_id"] == "e00005"
    assert "1 x out of memory" in call("stats", "--runs", runs)
    rows = json_of("best", "--runs", runs, "--limit", "2")["rows"]
    assert [row["experiment_id"] for row in rows] == ["e00005", "e00004"]
    rows = json_of("best", "--runs", runs, "--regime", "crash")["rows"]
    assert [row["model_name"] for row in rows] == ["lstm", "gru"]
    assert "61.0" in call("best", "--runs", runs, "--regime", "crash")
    assert "Did you mean 'crash'" in call("best", "--regime", "crsh", "--runs", runs, code=2)
    assert json_of("summary", "--runs", runs) == {"rows": []}
    assert "No predictions" in call("summary", "--runs", runs)


@pytest.mark.slow
def test_export_and_migrate(runs: str, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    assert json_of("export", str(file), "--runs", runs) == {"file": str(file), "experiments": 7}
    with file.open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 7
    assert "Nothing to write to" in call("export", "--runs", runs, code=2)
    assert json_of("migrate", "--to", "0001", "--runs", runs)["after"] == "0001"
    assert json_of("migrate", "--runs", runs) == {"before": "0001", "after": "0005"}
    assert json_of("stats", "--runs", runs)["total"] == 7


@pytest.mark.slow
def test_import_counts(tmp_path: Path) -> None:
    file = tmp_path / "strategy.fthypt"
    file.write_text("".join(json.dumps(epoch(number)) + "\n" for number in range(3)))
    runs = str(tmp_path / "runs")
    (report,) = json_of("import", str(file), "--runs", runs)["imported"]
    assert (report["read"], report["new"]) == (3, 3)
    assert "0 of them new" in call("import", str(file), "--runs", runs)
    assert SqliteStore(Path(runs)).count(["ETH/USDT"]) == 3
    assert "neither a file nor a folder" in call("import", "nothing", "--runs", runs, code=2)


@pytest.mark.parametrize("command", [["stats"], ["best"], ["summary"], ["export", "x.csv"]])
def test_a_misspelt_folder_is_no_empty_database(
    barstack: Barstack, tmp_path: Path, command: list[str]
) -> None:
    called = barstack("tracking", *command, "--runs", tmp_path / "nowhere", code=2)
    assert "There is no folder of runs" in called.err
    assert not (tmp_path / "nowhere").exists()


def test_a_past_without_trials_is_said_to_be_one(barstack: Barstack, tmp_path: Path) -> None:
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").write_text("experiment_id: '0'\nname: made\n")
    told = barstack("tracking", "import", tmp_path / "mlruns", "--runs", tmp_path / "runs", code=0)
    assert "holds no finished trial; nothing was entered." in " ".join(told.out.split())
