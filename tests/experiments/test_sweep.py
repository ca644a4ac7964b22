"""Sweeps run: engines agree to the byte, order changes nothing, failures stop nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import barstack as bs
from barstack.core.errors import ConfigError
from barstack.experiments import ExperimentResult, Sweep, SweepResult, Watch, run_sweep
from barstack.experiments._sweep import budget_s
from barstack.tracking import ExperimentTracker, SqliteStore

TIMES = ["seconds", "cpu_seconds", "how"]
NETWORK = {"model": "lstm", "hidden": 4, "layers": 1, "lookback": 4, "epochs": 3, "patience": 3}


def sweep_of(folder: Path, **changes: Any) -> Sweep:
    """Ridge and a small network on the bars that `study_file` writes into the folder."""
    base = {
        "bars": {"provider": "files", "path": str(folder / "bars")},
        "features": ["rsi", "body"],
        "split": {"split": "walk_forward", "folds": 2},
    }
    grid = {"horizon": [1, 4], "model": ["ridge", NETWORK]}
    penalties = {"if": {"model": "ridge"}, "grid": {"model.penalty": [1, 10]}}
    return Sweep(**({"study": base, "grid": grid, "when": [penalties]} | changes))


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory, study_file: Any) -> Path:
    folder = tmp_path_factory.mktemp("bars")
    study_file(folder)
    return folder


@pytest.fixture(scope="module")
def serial(bars: Path) -> tuple[Path, SweepResult]:
    runs = bars / "serial"
    return runs, run_sweep(sweep_of(bars), runs=runs, engine="serial")


def test_whoever_watches_knows_how_many_there_are(serial: tuple[Path, SweepResult]) -> None:
    runs, result = serial
    (size,) = ExperimentTracker(runs).sweeps()
    assert (size.sweep_id, size.experiments) == (result.sweep.id, len(result.outcomes))


def figures(result: SweepResult) -> pd.DataFrame:
    return result.to_frame().drop(columns=TIMES)


def forecasts(runs: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (runs / ".store/forecasts").glob("*.parquet")}


def test_worker_processes_give_the_same_bytes(bars: Path, serial: tuple[Path, SweepResult]) -> None:
    runs, expected = serial
    found = run_sweep(sweep_of(bars), runs=bars / "local", workers=2)
    assert len(found.completed) == 6
    pd.testing.assert_frame_equal(figures(found), figures(expected), check_exact=True)
    assert forecasts(bars / "local") == forecasts(runs)


def test_the_order_changes_nothing(bars: Path, serial: tuple[Path, SweepResult]) -> None:
    runs, expected = serial
    turned = sweep_of(bars, grid={"model": [NETWORK, "ridge"], "horizon": [4, 1]})
    assert turned.id == expected.sweep.id
    found = run_sweep(turned, runs=bars / "turned", engine="serial")
    assert forecasts(bars / "turned") == forecasts(runs)
    one, other = (figures(each).set_index("id").sort_index() for each in (found, expected))
    columns = sorted({str(name) for name in one} - {"name"})
    pd.testing.assert_frame_equal(one[columns], other[columns], check_exact=True)


def test_a_second_call_computes_nothing(bars: Path, serial: tuple[Path, SweepResult]) -> None:
    runs, expected = serial
    before = {file: file.stat().st_mtime_ns for file in (runs / ".store").rglob("*.json")}
    again = run_sweep(sweep_of(bars), runs=runs, engine="serial")
    assert {each.result["how"] for each in again.completed if each.result} == {"reused"}
    pd.testing.assert_frame_equal(figures(again), figures(expected), check_exact=True)
    assert before == {file: file.stat().st_mtime_ns for file in (runs / ".store").rglob("*.json")}


def test_an_experiment_is_what_a_run_of_its_study_finds(
    bars: Path, serial: tuple[Path, SweepResult]
) -> None:
    """A run reuses the member, and its table of forecasts gives the same scores by hand."""
    runs, found = serial
    each = next(each for each in found.completed if each.experiment.model == "ridge")
    run = bs.run(each.experiment.study, runs=runs)
    assert {step.name: step.how for step in run.steps}["member ridge"] == "reused"
    table = pd.read_parquet(run.folder / "members/ridge/test.parquet").dropna()
    forecast, realised = table["return_1bars"], table["realised_1bars"]
    row, errors, moved = each.row(), forecast - realised, realised != 0
    assert row["n_decisions"] == len(table)
    expected = {
        "ic": forecast.corr(realised),
        "rank_ic": forecast.corr(realised, method="spearman"),
        "directional_accuracy": (forecast * realised > 0)[moved].mean(),
        "mse": (errors**2).mean(),
        "rmse": (errors**2).mean() ** 0.5,
        "mae": errors.abs().mean(),
        "r2_zero": 1 - (errors**2).sum() / (realised**2).sum(),
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_each_experiment_is_one_trial_with_its_forecasts(bars: Path, tmp_path: Path) -> None:
    result = run_sweep(sweep_of(bars), runs=tmp_path, engine="serial")
    store = SqliteStore(tmp_path)
    trials = store.trials()
    assert len(trials) == 6
    store.verify()
    assert {trial.name for trial in trials} == {each.name for each in result.sweep.experiments}
    for trial in trials:
        assert trial.forecasts is not None
        assert len(store.read(trial.forecasts).forecast)
    run_sweep(sweep_of(bars), runs=tmp_path, engine="serial")
    assert len(store.trials()) == 6
    # Run by itself, an experiment's member is the same look, not a further one.
    bs.run(result.sweep.experiments[0].study, runs=tmp_path)
    assert len([each for each in store.trials() if each.name == "ridge"]) == 0


def test_the_tracking_database_has_every_experiment(
    bars: Path, serial: tuple[Path, SweepResult]
) -> None:
    runs, found = serial
    with sqlite3.connect(runs / ".ledger.sqlite") as database:
        query = (
            "SELECT model_name, horizon_name, AVG(directional_accuracy), COUNT(*) FROM experiments "
            "WHERE status='completed' AND sweep_id=? GROUP BY 1, 2 ORDER BY 1, 2"
        )
        rows = database.execute(query, (found.sweep.id,)).fetchall()
    table = found.to_frame().groupby(["model", "horizon"])["directional_accuracy"]
    frame = pd.DataFrame({"mean": table.mean(), "count": table.count()}).reset_index()
    expected = [tuple(row) for row in frame.itertuples(index=False)]
    assert [row[:2] for row in rows] == [row[:2] for row in expected]
    assert [row[2] for row in rows] == pytest.approx([row[2] for row in expected])
    assert [row[3] for row in rows] == [row[3] for row in expected]
    assert set(ExperimentTracker(runs).statuses(found.sweep.id)) == {
        each.id for each in found.completed
    }


class Heard(Watch):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.names: list[str] = []

    def ended(self, result: ExperimentResult) -> None:
        self.names.append(result.experiment.name)

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_failure_stops_no_other_and_its_cause_is_named(bars: Path, tmp_path: Path) -> None:
    """A window longer than the training rows of the first fold cannot be filled."""
    grid = {"horizon": [1], "model": {"ridge": "ridge", "net": NETWORK}}
    deep = {"if": {"model": "net"}, "grid": {"model.lookback": [4, 350]}}
    heard = Heard()
    result = run_sweep(
        sweep_of(bars, grid=grid, when=[deep]), runs=tmp_path, engine="serial", watch=heard
    )
    assert [each.status for each in result.outcomes] == ["completed", "completed", "failed"]
    (failed,) = result.failed
    assert "too few to train on" in failed.error
    assert failed.kind == "DataError"
    *_, note = heard.notes
    assert "1 of 3 experiments failed (33%)" in note
    assert "All of these have" in note
    assert "model.lookback 350" in note
    assert ExperimentTracker(tmp_path).statuses()[failed.id] == "failed"


def test_data_that_cannot_be_prepared_fail_their_experiments_only(
    bars: Path, tmp_path: Path
) -> None:
    folders = {"there": str(bars / "bars"), "missing": str(bars / "nothing")}
    grid = {"model": ["ridge"], "horizon": [1], "bars.path": folders}
    result = run_sweep(sweep_of(bars, grid=grid, when=[]), runs=tmp_path, engine="serial")
    assert [each.status for each in result.outcomes] == ["completed", "failed"]
    assert "nothing" in result.failed[0].error


def test_priorities_and_limit(bars: Path, tmp_path: Path) -> None:
    first = {"if": {"model.penalty": 10}, "priority": 1}
    grid = {"horizon": [1], "model": ["ridge"], "model.penalty": [1, 5, 10]}
    heard = Heard()
    result = run_sweep(
        sweep_of(bars, grid=grid, when=[first]),
        runs=tmp_path,
        limit=2,
        engine="serial",
        watch=heard,
    )
    assert heard.names == ["ridge 1 penalty=10", "ridge 1 penalty=1"]
    assert [each.experiment.name for each in result.outcomes] == [
        "ridge 1 penalty=1",
        "ridge 1 penalty=10",
    ]


def test_a_time_budget_leaves_the_rest_for_another_call(bars: Path, tmp_path: Path) -> None:
    result = run_sweep(sweep_of(bars), runs=tmp_path, engine="serial", time_budget=1e-9)
    assert len(result.left) == len(result.outcomes) == 6
    again = run_sweep(sweep_of(bars), runs=tmp_path, engine="serial", time_budget="10m")
    assert len(again.completed) == 6


@pytest.mark.parametrize("budget", ["0", "-3m", "soon", 0])
def test_a_budget_that_is_none_is_refused(budget: Any) -> None:
    with pytest.raises(ConfigError):
        budget_s(budget)


def test_from_the_command_line(bars: Path, tmp_path: Path, barstack: Any) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(sweep_of(bars).to_yaml())
    planned = barstack(
        "sweep", file, "--dry-run", "--json", "--runs", tmp_path / "runs", code=0
    ).json
    assert (planned["experiments"], planned["stored"], planned["groups"]) == (6, 0, 2)
    assert not (tmp_path / "runs").exists()
    arguments = ("sweep", file, "--engine", "serial", "--runs", tmp_path / "runs")
    shown = barstack(*arguments, code=0)
    assert "6 completed (6 now)" in shown.out
    found = barstack(*arguments, "--json", code=0).json
    assert (found["completed"], found["made"], len(found["rows"])) == (6, 0, 6)
    planned = barstack(
        "sweep", file, "--dry-run", "--json", "--runs", tmp_path / "runs", code=0
    ).json
    assert planned["stored"] == 6
    for wrong in (("--limit", "0"), ("--max-workers", "0"), ("--engine", "none")):
        assert "ConfigError" in barstack("sweep", file, *wrong, code=2).err


def test_from_python(bars: Path, tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(sweep_of(bars).to_yaml())
    result = bs.sweep(file, limit=1, engine="serial", runs=tmp_path / "runs")
    assert list(result.to_frame()["name"]) == ["ridge 1 penalty=1"]
    assert repr(result) == f"SweepResult({result.sweep.id}, 1 completed)"
