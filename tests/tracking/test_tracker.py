"""The tracker on SQLite and PostgreSQL: what is entered, what never changes, what is answered."""

from __future__ import annotations

import csv
import json
import multiprocessing
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from barstack.core.errors import ConfigError, StorageError
from barstack.tracking import (
    EnsembleRecord,
    EpochMeasure,
    Experiment,
    ExperimentTracker,
    SweepSize,
)
from barstack.tracking._tables import EXPERIMENTS

PROCESSES: Any = multiprocessing.get_context("spawn")


def made_up(number: int, **facts: Any) -> Experiment:
    """An experiment of a sweep."""
    defaults: dict[str, Any] = {
        "experiment_id": f"e{number:05d}",
        "model_name": ("lstm", "gru", "tcn")[number % 3],
        "horizon_name": ("15min", "60min")[number % 2],
        "sweep_id": "sweep",
        "symbol": "SPY",
        "period": "3mo",
        "timeframe": "15min",
        "n_samples": 1000 + number,
        "batch_size": 32,
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "params": {"batch_size": 32, "name": "Ä'\"", "nested": {"layers": [1, 2]}},
    }
    return Experiment(**(defaults | facts))


def rows_of(tracker: ExperimentTracker, query: str) -> list[tuple[Any, ...]]:
    with tracker._database().reading() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_sweeps_say_how_many_experiments_they_have(where: str) -> None:
    tracker = ExperimentTracker(where)
    assert tracker.sweeps() == []
    states = [tracker.state()]
    for size in (SweepSize("b", "Grid", 10), SweepSize("a", "", 2), SweepSize("b", "Grid", 1620)):
        tracker.note_sweep(size)
        states.append(tracker.state())
    assert ExperimentTracker(where).sweeps() == [
        SweepSize("a", "", 2),
        SweepSize("b", "Grid", 1620),
    ]
    assert len(set(states)) == len(states)


def test_a_dashboard_shows_what_is_planned_wherever_it_is_tracked(where: str) -> None:
    from barstack.reports.dashboard._source import Source  # noqa: PLC0415 (needs an extra)

    tracker = ExperimentTracker(where)
    tracker.note_sweep(SweepSize("sweep", "Grid", 1620))
    tracker.finish(made_up(0))
    source = Source(where)
    found = source.now()
    assert (len(found.experiments), found.planned("sweep"), found.planned("")) == (1, 1620, 1620)
    source.close()


def test_a_pruned_experiment_is_no_completed_one_and_may_be_completed_later(where: str) -> None:
    tracker = ExperimentTracker(where)
    curve = [EpochMeasure(fold=0, epoch=1, measure="loss", value=0.5)]
    tracker.start(made_up(0))
    tracker.prune(made_up(0, ic=0.9), curve)
    assert tracker.statuses() == {"e00000": "pruned"}
    assert tracker.leaderboard() == []
    assert tracker.training_history("e00000") == curve
    found = tracker.get_statistics()
    assert (found["total"], found["pruned"], found["completed"]) == (1, 1, 0)
    tracker.finish(made_up(0, ic=0.1))
    tracker.prune(made_up(0, ic=0.2))
    assert tracker.experiments()[0].ic == 0.1


def test_an_experiment_from_start_to_end(where: str) -> None:
    tracker = ExperimentTracker(where)
    assert tracker.statuses() == {}
    planned = made_up(0)
    tracker.start(planned)
    assert tracker.statuses() == {"e00000": "running"}
    epochs = [EpochMeasure(fold=0, epoch=n, measure="train_loss", value=1.0 / n) for n in (1, 2, 3)]
    tracker.finish(replace(planned, ic=0.04, directional_accuracy=0.53, mse=1e-6), epochs)
    (found,) = ExperimentTracker(where).experiments("sweep")
    assert found.status == "completed"
    assert (found.ic, found.directional_accuracy, found.mse) == (0.04, 0.53, 1e-6)
    assert found.params == planned.params
    assert found.started_at is not None
    assert found.finished_at is not None
    assert found.started_at <= found.finished_at <= datetime.now(UTC)
    assert found.attempts == 1
    assert tracker.training_history("e00000") == epochs


def test_every_field_comes_back(where: str) -> None:
    facts: dict[str, Any] = {
        **{"study_id": "s", "run_id": "r", "n_parameters": 65_000, "directional_accuracy": 0.5},
        **{"mse": 0.1 + 0.2, "rmse": 1e-300, "mae": 5e-324, "r2": -1.5, "ic": 1 / 3},
        **{"metrics": {"macro_f1": 0.3}, "training_seconds": 1.25, "forecasts": "key"},
        "started_at": datetime(2026, 1, 5, 14, 30, 0, 123456, UTC),
        "finished_at": datetime(2026, 1, 5, 15, 30, tzinfo=UTC),
    }
    given = made_up(1, status="completed", **facts)
    tracker = ExperimentTracker(where)
    tracker.finish(given)
    assert tracker.experiments() == [given]


def test_figures_that_are_not_finite_are_missing(where: str) -> None:
    tracker = ExperimentTracker(where)
    nan = float("nan")
    tracker.finish(made_up(0, ic=nan, mse=float("inf"), metrics={"a": nan, "b": [nan, 1]}))
    (found,) = tracker.experiments()
    assert (found.ic, found.mse, found.metrics) == (None, None, {"a": None, "b": [None, 1]})


def test_a_completed_experiment_never_changes(where: str) -> None:
    tracker = ExperimentTracker(where)
    done = made_up(0, ic=0.1)
    curve = [EpochMeasure(fold=0, epoch=1, measure="train_loss", value=0.5)]
    tracker.finish(done, curve)
    before = tracker.experiments()
    tracker.start(done)
    tracker.fail(done, "late")
    tracker.finish(replace(done, ic=0.9), [replace(curve[0], value=9.0)])
    assert tracker.experiments() == before
    assert tracker.training_history("e00000") == curve


def test_a_failed_experiment_may_be_tried_again(where: str) -> None:
    tracker = ExperimentTracker(where)
    planned = made_up(0)
    tracker.start(planned)
    tracker.fail(planned, "The loss is \x1b[2J not finite.")
    (failed,) = tracker.experiments(status="failed")
    assert failed.error == "The loss is \\x1b[2J not finite."
    tracker.start(planned)
    tracker.finish(replace(planned, ic=0.1))
    (found,) = tracker.experiments()
    assert (found.status, found.error, found.attempts) == ("completed", None, 2)


def test_the_quoted_sql_runs_as_it_stands(where: str) -> None:
    tracker = ExperimentTracker(where)
    for number in range(12):
        tracker.finish(made_up(number, directional_accuracy=0.5 + number / 100))
    tracker.fail(made_up(99, directional_accuracy=0.99), "failed")
    found = rows_of(
        tracker,
        "SELECT model_name, horizon_name, AVG(directional_accuracy), MAX(directional_accuracy) "
        "FROM experiments WHERE status='completed' GROUP BY 1, 2 ORDER BY 3 DESC",
    )
    assert len(found) == 6
    assert [row[:2] for row in found[:2]] == [("tcn", "60min"), ("gru", "15min")]
    assert found[0][2] == pytest.approx(0.58)
    assert found[0][3] == pytest.approx(0.61)


def test_statistics_and_leaderboard(where: str) -> None:
    tracker = ExperimentTracker(where)
    assert tracker.get_statistics()["total"] == 0
    assert tracker.get_statistics()["best"] is None
    for number in range(8):
        ic = None if number == 7 else number / 100
        accuracy = 0.5 + number / 100
        given = made_up(number, ic=ic, mse=1.0 - number / 10, directional_accuracy=accuracy)
        tracker.finish(replace(given, training_seconds=2.0))
    tracker.fail(made_up(8), "out of memory")
    tracker.fail(made_up(9), "out of memory")
    tracker.fail(made_up(10), "another")
    tracker.start(made_up(11))
    tracker.finish(made_up(12, sweep_id="other", ic=0.9))
    found = tracker.get_statistics("sweep")
    assert {name: found[name] for name in ("total", "completed", "failed", "running")} == {
        "total": 12,
        "completed": 8,
        "failed": 3,
        "running": 1,
    }
    assert found["success_rate"] == pytest.approx(8 / 11)
    assert found["models"] == ["gru", "lstm", "tcn"]
    assert found["failures"][0] == {"error": "out of memory", "count": 2}
    assert found["training_seconds"] == 16.0
    assert found["mean_directional_accuracy"] == pytest.approx(0.535)
    assert found["best"]["experiment_id"] == "e00006"
    assert tracker.get_statistics()["best"]["experiment_id"] == "e00012"
    board = tracker.leaderboard(3, sweep_id="sweep")
    assert [row["experiment_id"] for row in board] == ["e00006", "e00005", "e00004"]
    board = tracker.leaderboard(2, by="mse", sweep_id="sweep")
    assert [row["experiment_id"] for row in board] == ["e00007", "e00006"]
    board = tracker.leaderboard(None, horizon="60min", model="gru")
    assert [row["experiment_id"] for row in board] == ["e00001"]
    with pytest.raises(ConfigError, match="Did you mean 'ic'"):
        tracker.leaderboard(by="icc")


def test_the_state_differs_after_every_write_and_after_nothing_else(where: str) -> None:
    tracker = ExperimentTracker(where)
    ensemble = EnsembleRecord(ensemble_id="e", name="nnls", method="nnls", horizon_name="60min")
    states = [tracker.state()]
    writes: tuple[Callable[[], None], ...] = (
        lambda: tracker.start(made_up(1)),
        lambda: tracker.fail(made_up(1), "lost"),
        lambda: tracker.start(made_up(1)),
        lambda: tracker.finish(made_up(1)),
        lambda: tracker.record_ensembles([ensemble]),
    )
    for write in writes:
        write()
        states.append(tracker.state())
        assert tracker.state() == states[-1]
        assert ExperimentTracker(where).state() == states[-1]
    assert len(set(states)) == len(states)
    tracker.finish(made_up(1, ic=0.5))  # it is completed already
    assert tracker.state() == states[-1]


def test_ensembles_come_back(where: str) -> None:
    tracker = ExperimentTracker(where)
    first = EnsembleRecord(
        ensemble_id="e1",
        name="nnls",
        method="nnls",
        horizon_name="60min",
        run_id="r",
        judged=True,
        members=("tcn", "gru"),
        weights={"tcn": 0.75, "gru": 0.25},
        experiments={"tcn": "x"},
        score=0.02,
        gain=-0.01,
        best_member="tcn",
        n_samples=560,
        created_at=datetime(2026, 1, 5, tzinfo=UTC),
    )
    other = replace(first, ensemble_id="e2", run_id="s", weights={}, experiments={}, members=())
    tracker.record_ensembles([first, other])
    assert tracker.ensembles("r") == [first]
    assert tracker.ensembles() == [first, other]
    assert tracker.ensembles("none") == []


def test_export(where: str, tmp_path: Path) -> None:
    tracker = ExperimentTracker(where)
    for number in range(5):
        tracker.finish(made_up(number, ic=number / 3))
    file = tmp_path / "out.csv"
    assert tracker.export_to_csv(file) == 5
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [column.name for column in EXPERIMENTS.columns]
    assert [float(row["ic"]) for row in rows] == [number / 3 for number in range(5)]
    assert json.loads(rows[0]["params"]) == made_up(0).params
    assert rows[0]["error"] == ""
    assert datetime.fromisoformat(rows[0]["finished_at"]).tzinfo is not None


def test_a_batch_is_written_at_its_end_or_when_it_is_full(where: str) -> None:
    tracker, other = ExperimentTracker(where), ExperimentTracker(where)
    with tracker.batch(rows=4, seconds=3600.0):
        tracker.start(made_up(0))
        tracker.finish(
            made_up(0, ic=0.1), [EpochMeasure(fold=0, epoch=1, measure="loss", value=1.0)]
        )
        tracker.start(made_up(1))
        assert other.statuses() == {}
        tracker.finish(made_up(1))
        assert other.statuses() == {"e00000": "completed", "e00001": "completed"}
        tracker.start(made_up(2))
        tracker.flush()
        assert other.statuses()["e00002"] == "running"
        tracker.fail(made_up(2), "reason")
        with pytest.raises(ConfigError, match="open already"), tracker.batch():
            pass
    assert other.statuses()["e00002"] == "failed"
    assert len(other.training_history("e00000")) == 1


def test_a_batch_is_written_where_its_block_fails(where: str) -> None:
    tracker = ExperimentTracker(where)
    with pytest.raises(ZeroDivisionError), tracker.batch():  # noqa: PT012
        tracker.finish(made_up(0))
        raise ZeroDivisionError
    assert tracker.statuses() == {"e00000": "completed"}


def test_a_tracker_is_sent_as_its_address(where: str) -> None:
    tracker = ExperimentTracker(where)
    tracker.start(made_up(0))
    assert pickle.loads(pickle.dumps(tracker)).statuses() == tracker.statuses()  # noqa: S301


def write_many(where: str, worker: int) -> None:
    """Forty experiments of its own and ten that all workers write, each with a history."""
    tracker = ExperimentTracker(where)
    epochs = [EpochMeasure(fold=0, epoch=n, measure="loss", value=float(worker)) for n in range(5)]
    for number in range(40):
        tracker.start(made_up(1000 * (worker + 1) + number))
        tracker.finish(made_up(1000 * (worker + 1) + number, ic=0.1), epochs)
    for number in range(10):
        tracker.finish(made_up(number, ic=float(worker)), epochs)


@pytest.mark.slow
def test_processes_write_at_once(where: str) -> None:
    """Into a database that none of them finds: each may be the one that creates the tables."""
    with ProcessPoolExecutor(4, mp_context=PROCESSES) as pool:
        list(pool.map(partial(write_many, where), range(4)))
    tracker = ExperimentTracker(where)
    assert tracker.get_statistics()["completed"] == 4 * 40 + 10
    for number in range(10):
        (found,) = (e for e in tracker.experiments() if e.experiment_id == f"e{number:05d}")
        history = tracker.training_history(found.experiment_id)
        assert [each.value for each in history] == [found.ic] * 5


def write_without_end(where: str, sender: Connection) -> None:
    """Experiments, each with a history; after each its number."""
    tracker = ExperimentTracker(where)
    number = tracker.get_statistics()["completed"]
    while True:
        epochs = [EpochMeasure(fold=0, epoch=n, measure="loss", value=1.0) for n in range(20)]
        tracker.start(made_up(number))
        tracker.finish(made_up(number, ic=0.1), epochs)
        sender.send(number)
        number += 1


@pytest.mark.slow
def test_killed_writers_lose_nothing_that_was_reported(where: str) -> None:
    for round_ in range(5):
        receiver, sender = PROCESSES.Pipe(duplex=False)
        writer = PROCESSES.Process(target=write_without_end, args=(where, sender))
        writer.start()
        sender.close()
        reported = receiver.recv()
        time.sleep(0.01 * round_)
        writer.kill()
        writer.join()
        while receiver.poll():
            try:
                reported = receiver.recv()
            except EOFError:
                break
        tracker = ExperimentTracker(where)
        found = tracker.experiments()
        completed = [each for each in found if each.status == "completed"]
        assert len(completed) >= reported + 1
        assert len(found) - len(completed) <= 1
        for each in completed:
            assert len(tracker.training_history(each.experiment_id)) == 20
        tracker.close()


def test_where_it_is_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ExperimentTracker().start(made_up(0))
    assert ExperimentTracker("runs").statuses() == {"e00000": "running"}
    monkeypatch.setenv("BARSTACK_TRACKING", "postgresql://127.0.0.1:1/name")
    with pytest.raises(StorageError, match="Check that the server runs"):
        ExperimentTracker().statuses()


def test_what_is_missing_is_refused(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    with pytest.raises(ConfigError, match="needs a text as its model_name"):
        tracker.start(made_up(0, model_name=""))
    for address in ("mysql://host/name", "postgresql+asyncpg://host/name"):
        with pytest.raises(ConfigError, match="is not supported"):
            ExperimentTracker(address).statuses()


@pytest.mark.slow
def test_a_server_that_is_not_there_gets_a_sentence_without_the_password() -> None:
    tracker = ExperimentTracker("postgresql://me:secret@127.0.0.1:1/name")
    with pytest.raises(
        StorageError, match=r"cannot be used: .*Check that the server runs"
    ) as error:
        tracker.start(made_up(0))
    assert "secret" not in str(error.value)
