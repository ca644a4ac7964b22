"""Trials made with Optuna, MLflow and freqtrade, from stores that those programs have written."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from barstack.core.errors import ConfigError, DataError
from barstack.tracking import ExperimentTracker, MemoryStore, SqliteStore
from barstack.tracking.past import PastTrial, enter_past, read_past

OPTUNA = """
import sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(study_name="spy lstm", storage=f"sqlite:///{sys.argv[1]}")
def objective(trial):
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
    units = trial.suggest_int("batch_size", 8, 64)
    trial.suggest_categorical("model", ["lstm", "gru", None])
    trial.report(0.25, 0)
    trial.set_user_attr("symbols", ["SPY", "QQQ"])
    if trial.number == 2:
        raise optuna.TrialPruned
    if trial.number == 3:
        return float("nan")
    return rate * units
study.optimize(objective, n_trials=5)
study.enqueue_trial({"batch_size": 8})
import json
print(json.dumps([[t.number, t.state.name, t.params, t.value] for t in study.trials]))
"""
MLFLOW = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("spy")
for number in range(3):
    with mlflow.start_run(run_name=f"run {number}"):
        mlflow.log_params({"learning_rate": 0.1 * number, "model": "lstm", "layers": 2})
        for step in range(3):
            mlflow.log_metric("val/loss", 1.0 / (step + 1 + number), step=step)
        mlflow.log_metrics({"ic": 0.01 * number, "broken": float("nan")})
        mlflow.set_tag("symbol", "SPY")
try:
    with mlflow.start_run():
        raise ValueError
except ValueError:
    pass
with mlflow.start_run() as run:
    pass
mlflow.delete_run(run.info.run_id)
"""


def run(script: str, *arguments: str) -> str:
    """What a program prints; it writes its store with the library itself."""
    environment = os.environ | {"MLFLOW_ALLOW_FILE_STORE": "true", "GIT_PYTHON_REFRESH": "quiet"}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_optuna_study(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    trials = json.loads(run(OPTUNA, str(file)).splitlines()[-1])
    judged = [trial for trial in trials if trial[1] in ("COMPLETE", "PRUNED")]
    assert len(judged) == 4
    found = list(read_past(file))
    assert [int(each.number) for each in found] == [trial[0] for trial in judged]
    assert [dict(each.params) for each in found] == [trial[2] for trial in judged]
    assert [each.measures["value"] for each in found] == [trial[3] for trial in judged]
    assert {each.symbols for each in found} == {("SPY", "QQQ")}
    assert {each.group for each in found} == {"spy lstm"}
    assert all(each.started_at and each.finished_at for each in found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_an_mlflow_store(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("mlruns" if kind == "file" else "mlflow.db")
    run(MLFLOW, path.as_uri() if kind == "file" else f"sqlite:///{path}")
    found = sorted(read_past(path), key=lambda each: each.measures["ic"])
    assert len(found) == 3  # neither the failed one nor the deleted one
    for number, each in enumerate(found):
        assert each.params == {"learning_rate": 0.1 * number, "model": "lstm", "layers": 2}
        assert each.measures == {"ic": 0.01 * number, "val/loss": 1.0 / (3 + number)}
        assert (each.group, each.symbols) == ("spy", ("SPY",))
        assert each.started_at is not None


def epoch(number: int, **facts: Any) -> dict[str, Any]:
    """As `Hyperopt._save_result` of freqtrade writes it."""
    results = {
        **{"strategy_name": "Ichimoku", "pairlist": ["BTC/USDT", "ETH/USDT"], "timeframe": "1h"},
        **{"backtest_start": "2021-01-01 00:00:00", "backtest_end": "2022-01-01 00:00:00"},
        **{"total_trades": 12, "profit_total": 0.1 * number, "sharpe": float("nan"), "trades": []},
        "backtest_run_start_ts": 1_700_000_000,
    }
    return {
        **{"loss": -0.1 * number, "params_dict": {"buy_rsi": 20 + number, "trailing": True}},
        **{"results_metrics": results, "current_epoch": number, "is_best": False},
        "fthypt_fileversion": 2,
    } | facts


def test_epochs_of_hyperopt(tmp_path: Path) -> None:
    file = tmp_path / "strategy_Ichimoku_2026-01-05_12-00-00.fthypt"
    file.write_text("".join(json.dumps(epoch(number)) + "\n" for number in (1, 2, 3)))
    assert "NaN" in file.read_text()
    found = list(read_past(file))
    assert [each.params["buy_rsi"] for each in found] == [21, 22, 23]
    assert found[0].measures == {"loss": -0.1, "total_trades": 12.0, "profit_total": 0.1}
    assert found[0].symbols == ("BTC/USDT", "ETH/USDT")
    assert (found[0].group, found[0].timeframe) == ("Ichimoku", "1h")
    assert found[0].first_at == "2021-01-01 00:00:00"


def past(number: int, **facts: Any) -> PastTrial:
    given: dict[str, Any] = {"source": "optuna", "group": "g", "symbols": ("SPY",)}
    params = {"learning_rate": 0.1, "batch_size": 32, "model": "lstm"}
    return PastTrial(**given | {"number": str(number), "params": params} | facts)


def test_past_trials_count_once(tmp_path: Path) -> None:
    store, tracker = SqliteStore(tmp_path), ExperimentTracker(tmp_path)
    trials = [past(number, measures={"ic": 0.1, "value": 2.0}) for number in range(7)]
    found = enter_past(trials, store, tracker)
    assert (found.read, found.new, found.symbols) == (7, 7, ("SPY",))
    again = enter_past(iter([*trials, past(99)]), store, tracker, horizon="60min")
    assert (again.read, again.new) == (8, 1)
    assert store.count(["SPY"]) == 8
    store.verify()
    experiments = tracker.experiments("optuna: g")
    assert len(experiments) == 8
    (first,) = (each for each in experiments if each.horizon_name == "60min")
    assert (first.model_name, first.learning_rate, first.batch_size) == ("lstm", 0.1, 32)
    assert {each.ic for each in experiments} == {0.1, None}
    assert {each.metrics.get("value") for each in experiments} == {2.0, None}


def test_what_a_trial_was_judged_on_must_be_known(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    with pytest.raises(ConfigError, match="Give --symbols"):
        enter_past([past(0, symbols=())], MemoryStore(), tracker)
    store = MemoryStore()
    enter_past([past(0, symbols=())], store, tracker, symbols=["IWM"])
    assert store.count(["IWM"]) == 1


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harmed",)


def test_a_pickle_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("hyperopt_results.pickle", "strategy.fthypt"):
        Path(name).write_bytes(pickle.dumps(Harmful()))
        with pytest.raises(DataError, match="A pickle can run code"):
            list(read_past(Path(name)))
    assert not Path("harmed").exists()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "no trials that are known"),
        (b"id,value\n1,2\n", "no trials that are known"),
        (b'{"loss": 1}\n', "line 1, is no epoch of hyperopt"),
        (b'{"params_dict": {}}\n{"params_dict": {', "line 2, is no JSON"),
        (b'{"params_dict": ' + b"[" * 100_000 + b"\n", "line 1, is no JSON"),
        (b"[" * 10, "no trials that are known"),
        (b"SQLite format 3\0" + b"\xff" * 2000, "cannot be read as a database"),
        (b'{"params_dict": {' + b",".join(b'"%d":1' % n for n in range(20_000)) + b"}}", "20,000"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(content: bytes, found: str, tmp_path: Path) -> None:
    file = tmp_path / "file.fthypt"
    file.write_bytes(content)
    with pytest.raises(DataError, match=found):
        list(read_past(file))


def test_files_that_are_not_what_they_seem(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a file nor a folder"):
        read_past(tmp_path / "nothing")
    with pytest.raises(DataError, match="without experiments of MLflow"):
        read_past(tmp_path)
    (tmp_path / "real.fthypt").write_text(json.dumps(epoch(1)))
    (tmp_path / "link.fthypt").symlink_to(tmp_path / "real.fthypt")
    with pytest.raises(DataError, match="cannot be read as results of hyperopt"):
        list(read_past(tmp_path / "link.fthypt"))
    with closing(sqlite3.connect(tmp_path / "views.db")) as database:
        database.execute("CREATE TABLE studies (study_id, study_name)")
        database.execute(
            "CREATE VIEW trials AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
            "SELECT x trial_id, x number, 1 study_id, 'COMPLETE' state, x datetime_start, "
            "x datetime_complete FROM n"
        )
    with pytest.raises(DataError, match="a database without trials"):
        read_past(tmp_path / "views.db")


def test_a_damaged_mlflow_folder_gets_a_sentence(tmp_path: Path) -> None:
    run_folder = tmp_path / "mlruns" / "1" / "abc"
    (run_folder / "metrics").mkdir(parents=True)
    (tmp_path / "mlruns" / "1" / "meta.yaml").write_text("name: spy\n")
    meta = "status: 3\nlifecycle_stage: active\nstart_time: 1796071519973\n"
    (run_folder / "meta.yaml").write_text(meta)
    assert len(list(read_past(tmp_path / "mlruns"))) == 1
    (run_folder / "metrics" / "loss").write_text("word\n")
    with pytest.raises(DataError, match="its last line has no value"):
        list(read_past(tmp_path / "mlruns"))
    (run_folder / "metrics" / "loss").unlink()
    (run_folder / "metrics" / "loss").symlink_to("/etc/passwd")
    assert [each.measures for each in read_past(tmp_path / "mlruns")] == [{}]
    (run_folder / "meta.yaml").write_text("a: &a [*a, *a]\n")
    with pytest.raises(DataError, match="no description of MLflow"):
        list(read_past(tmp_path / "mlruns"))


@pytest.mark.slow
def test_experiments_are_logged_to_mlflow_once_and_come_back(tmp_path: Path) -> None:
    """Through the importer, which reads MLflow's tables without MLflow."""
    tracker = ExperimentTracker(tmp_path / "runs")
    store = SqliteStore(tmp_path / "runs")
    enter_past([past(n, measures={"ic": n / 10}) for n in range(4)], store, tracker)
    failed = tracker.experiments()[0]
    script = (
        "import sys; from barstack.tracking import ExperimentTracker as T\n"
        "from barstack.tracking.to_mlflow import log_to_mlflow\n"
        "for _ in range(2): print(log_to_mlflow(T(sys.argv[1]), sys.argv[2]))"
    )
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    assert run(script, str(tmp_path / "runs"), uri).split() == ["4", "0"]
    back = list(read_past(tmp_path / "m.db"))
    assert {each.measures["ic"] for each in back} == {0.0, 0.1, 0.2, 0.3}
    assert all(each.params["learning_rate"] == 0.1 for each in back)
    assert {each.symbols for each in back} == {("SPY",)}
    assert failed.experiment_id in {
        row[0] for row in sqlite3.connect(tmp_path / "m.db").execute("SELECT value FROM tags")
    }
