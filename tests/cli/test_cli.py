"""The command line as people and scripts meet it."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rich.console import Console
from tests.conftest import Barstack

from barstack import Run, run
from barstack.bars import Bars
from barstack.cli._root import app
from barstack.cli._show import leaderboard_table
from barstack.testing import walk

StudyFile = Callable[..., Path]
Table = Callable[[Bars], pl.DataFrame]
COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands
            if command.callback]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(barstack: Barstack, command: str) -> None:
    called = barstack(command, "--help")
    assert called.code == 0
    assert "Usage: " in called.out
    assert "Example: barstack" in called.out
    assert max(map(len, called.out.splitlines())) <= 80


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["demo", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print('LOADED', *sys.modules)); "
        "from barstack.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    text, loaded = done.stdout.split("LOADED")
    assert "Usage:" in text
    heavy = {"torch", "lightgbm", "xgboost", "catboost", "plotly", "exchange_calendars", "pandas",
             "numpy", "numba", "polars", "scipy"}  # fmt: skip
    assert not {name.split(".")[0] for name in loaded.split()} & heavy


def test_its_version_is_that_of_the_package(barstack: Barstack) -> None:
    assert barstack("--version", code=0).out == f"barstack {version('barstack')}\n"


def test_python_dash_m_is_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "barstack", "--help"], capture_output=True, text=True, check=True
    )
    assert "leaderboard" in done.stdout


def test_run(barstack: Barstack, tmp_path: Path, study_file: StudyFile) -> None:
    file, runs = study_file(tmp_path), tmp_path / "runs"
    shown = barstack("run", file, "--runs", runs)
    assert shown.code == 0, shown.err
    assert "forecaster" in shown.out
    assert "report.html" in shown.out
    assert "member ridge" not in shown.out  # progress goes to standard error
    assert "member ridge" in shown.err
    again = barstack("run", file, "--runs", runs, "--json")
    assert set(again.json) == {
        "run", "folder", "report", "artifact", "verdict", "task", "n_decisions",
        "ensembles", "members", "benchmarks", "naive", "gains", "steps", "findings", "audits",
        "confusions", "contradictions",
    }  # fmt: skip
    assert Path(again.json["report"]).is_file()
    assert {step["how"] for step in again.json["steps"]} == {"made", "reused"}


def test_leaderboard(barstack: Barstack, finished: Run) -> None:
    shown = barstack("leaderboard", finished.folder)
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in shown.out
    for name in ("nnls", "average", "ridge", "strong", "best_so_far", "historical_mean", "luck",
                 "equal weights %"):  # fmt: skip
        assert name in shown.out
    one = barstack("leaderboard", finished.folder, "--horizon", "4bars", "--json").json
    assert set(one) == {"audits", "confusions", "contradictions", "gains", "scores", "verdict"}
    assert {score["horizon"] for score in one["scores"]} == {"4bars"}
    assert len(one["scores"]) == 9


def test_compare(barstack: Barstack, finished: Run, tmp_path: Path) -> None:
    page = tmp_path / "compare.html"
    shown = barstack("compare", finished.folder, "--html", page)
    assert shown.code == 0
    assert max(map(len, shown.out.splitlines())) <= 80
    assert shown.out.count("Best ") == len(finished.evaluation.horizons)
    assert "Who is best at each horizon?" in page.read_text()
    (one,) = barstack("compare", finished.folder, "--horizon", "4bars", "--json").json[
        "comparisons"
    ]
    names = {entry["name"] for entry in one["entries"]}
    assert names == {*finished.study.members, *finished.study.ensemble_names}
    assert "share no horizon '9h'" in barstack("compare", finished.folder, "--horizon", "9h").err


def test_compare_of_runs_with_long_titles(
    barstack: Barstack, finished: Run, tmp_path: Path, study_file: StudyFile
) -> None:
    title = "Return of a made-up walk over one bar and over four"
    members = {"ridge": {}, "strong": {"model": "ridge", "penalty": 20.0}}
    other = run(study_file(tmp_path, title=title, members=members), runs=tmp_path / "runs")
    lines = barstack("compare", finished.folder, other.folder, code=0).out.splitlines()
    assert lines[1].startswith(f"({other.id[:4]})  {title}, ")
    for line in lines:
        if line.startswith("strong "):
            assert line.count("±") >= 2, "a name takes two lines"
    assert max(map(len, lines)) <= 80


def test_the_leaderboard_fits_wide_figures(finished: Run) -> None:
    """Classes of a wild market: every figure as wide as it gets."""
    wide: dict[str, Any] = {
        "directional_accuracy": 0.612, "directional_accuracy_se": 0.1034, "ic": -0.1034,
        "ic_se": 0.1034, "r2": -0.2534, "r2_se": 0.1034, "net_edge_bps": -123.4,
        "net_edge_bps_se": 123.4,
    }  # fmt: skip
    found = finished.evaluation
    scores = [replace(score, **wide) for score in found.scores]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(leaderboard_table(replace(found, scores=scores), trials=12))
    text = console.export_text()
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


@pytest.fixture
def newer(tmp_path: Path, table: Table) -> Path:
    """A file of the study's bars and a hundred more."""
    table(walk(500)).write_parquet(tmp_path / "WALK.parquet")
    return tmp_path / "WALK.parquet"


def test_predict(barstack: Barstack, finished: Run, newer: Path) -> None:
    shown = barstack("predict", finished.folder, newer)
    assert shown.code == 0, shown.err
    assert shown.out.startswith("WALK at 2026-")
    assert "1bars" in shown.out
    answer = barstack("predict", finished.folder / "artifact", newer, "--json").json
    assert set(answer) == {"forecasts"}
    assert set(answer["forecasts"][-1]) >= {
        "decided_at",
        "symbol",
        "return_1bars",
        "ridge.return_4bars",
    }
    assert len(answer["forecasts"]) >= 100
    named = barstack("predict", finished.folder, newer, "--symbol", "SPY", "--json")
    assert {each["symbol"] for each in named.json["forecasts"]} == {"SPY"}
    assert named.err.startswith("Note  SPY: not among the symbols it was trained on (WALK).")
    of_folder = barstack("predict", finished.folder, newer.parent, "--symbol", "WALK", "--json")
    assert of_folder.json == answer


def test_predict_reads_bars_as_the_study_did(
    barstack: Barstack, tmp_path: Path, study_file: StudyFile, table: Table
) -> None:
    """Local times stamped with the close, five minutes long, made half hours."""

    def write(folder: Path, n_bars: int) -> None:
        times = table(walk(n_bars, length_us=300_000_000))
        local = pl.col("timestamp").dt.offset_by("5m").dt.convert_time_zone("America/New_York")
        folder.mkdir()
        times.with_columns(local.dt.replace_time_zone(None)).write_csv(folder / "WALK.csv")

    write(tmp_path / "bars", 2400)
    source = {"provider": "files", "path": "bars", "stamp": "close", "resample": "30min",
              "timezone": "America/New_York"}  # fmt: skip
    file = study_file(tmp_path, bars=source, members=["ridge"])
    run = barstack("run", file, "--runs", tmp_path / "runs", "--json")
    assert run.code == 0, run.err
    write(tmp_path / "new", 3000)
    called = barstack("predict", run.json["folder"], tmp_path / "new" / "WALK.csv", "--json")
    assert called.code == 0, called.err
    moments = [each["decided_at"] for each in called.json["forecasts"]]
    assert {moment[14:16] for moment in moments} == {"00", "30"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "nowhere.yaml"], 2, "ConfigError .*There is no study file nowhere.yaml"),
        (["run"], 2, "Missing argument"),
        (["rum"], 2, "No such command 'rum'"),
        (["run", "{study}", "--fast"], 2, "No such option"),
        (["run", "{broken}"], 2, "ConfigError .*Unknown key study.membres"),
        (["run", "{no_bars}"], 2, "DataError .*neither a file nor a folder"),
        (["run", "{study}", "--runs", "{study}"], 3, "StorageError .*Cannot write"),
        (["predict", "nowhere", "{bars}"], 2, "ConfigError .*There is no artifact nowhere"),
        (["predict", "{damaged}", "{bars}"], 1, "ArtifactError .*is not what was saved"),
        (["predict", "{run}", "{old}"], 1, "LeakError .*has seen what followed"),
        (["predict", "{run}", "nowhere.parquet"], 2, "DataError .*neither a file nor"),
        (["leaderboard", "nowhere"], 2, "ConfigError .*not the folder of a run"),
        (["leaderboard", "{damaged}"], 3, "StorageError .*evaluation.json is damaged"),
        (
            ["leaderboard", "{run}", "--horizon", "9h"],
            2,
            "ConfigError .*no horizon '9h'. Known: 1bars",
        ),
        (["list", "modells"], 2, "ConfigError .*'modells'. Did you mean 'models'"),
    ],
)
def test_wrong_use(
    barstack: Barstack, tmp_path: Path, study_file: StudyFile, finished: Run,
    newer: Path, table: Table, arguments: list[str], code: int, message: str,
) -> None:  # fmt: skip
    """A sentence on standard error, an exit code that scripts can tell, nothing on stdout."""
    study = study_file(tmp_path)
    (tmp_path / "broken.yaml").write_text(study.read_text().replace("members", "membres"))
    (tmp_path / "no_bars.yaml").write_text(study.read_text().replace("path: bars", "path: none"))
    shutil.copytree(finished.folder, tmp_path / "damaged")
    (tmp_path / "damaged/artifact/ensembles/nnls/weights.json").write_text("{}")
    (tmp_path / "damaged/evaluation.json").write_text("{")
    (tmp_path / "old").mkdir()
    table(walk(390)).write_parquet(tmp_path / "old" / "WALK.parquet")
    places = {
        "study": study, "broken": tmp_path / "broken.yaml", "no_bars": tmp_path / "no_bars.yaml",
        "damaged": tmp_path / "damaged", "run": finished.folder, "bars": newer,
        "old": tmp_path / "old" / "WALK.parquet",
    }  # fmt: skip
    called = barstack(*(argument.format(**places) for argument in arguments))
    assert called.code == code, called.err
    assert "Traceback" not in called.err
    assert called.out == ""
    assert re.search(message, " ".join(called.err.split())), called.err


def test_a_fault_of_ours_is_shown_whole(
    barstack: Barstack, finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("barstack.evaluation.Evaluation.from_json", fault)
    called = barstack("leaderboard", finished.folder)
    assert called.code == 3
    assert "ZeroDivisionError: a fault" in called.err
    assert called.out == ""


KINDS = ["features", "models", "labels", "splits", "ensembles", "providers"]


@pytest.mark.parametrize("kind", KINDS)
def test_lists(barstack: Barstack, kind: str) -> None:
    listed = barstack("list", kind, "--json")
    assert set(listed.json) == {kind}
    assert all(each["name"] and each["about"] for each in listed.json[kind])
    shown = barstack("list", kind)
    assert shown.code == 0
    assert listed.json[kind][0]["name"] in shown.out
    if kind in ("features", "models", "splits"):
        assert f"barstack {kind} list" in shown.out.splitlines()[-1]


def test_schema(barstack: Barstack) -> None:
    schema = barstack("schema").json
    assert set(schema["required"]) == {"bars"}
    assert {"label", "horizons", "members", "preset"} <= set(schema["properties"])


def test_figures_in_json_are_numbers_or_null(finished: Run) -> None:
    text = json.dumps(finished.to_json(), allow_nan=False)
    assert np.isfinite(json.loads(text)["n_decisions"])
