"""What a run leaves in the tracking database, against the run itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import barstack as bs
from barstack.core.errors import StorageError
from barstack.core.forecast import REGIMES, signal_of
from barstack.core.progress import Progress
from barstack.tracking import ExperimentTracker, SqliteStore

LABEL = {"label": "return", "horizons": ["1h", "4h"]}


def study(**settings: Any) -> bs.Study:
    given: dict[str, Any] = {
        **{"bars": "sample", "label": LABEL, "features": ["rsi", "body"]},
        **{"members": ["ridge", "elastic_net"], "ensembles": ["regime_aware", "average"]},
    }
    return bs.Study(**(given | settings))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(runs: Path) -> Any:
    return bs.run(study(), runs=runs)


@pytest.fixture
def tracker(run: Any, runs: Path) -> ExperimentTracker:
    return ExperimentTracker(runs)


def test_experiments_hold_what_the_run_found(run: Any, tracker: ExperimentTracker) -> None:
    board = run.leaderboard().set_index(["name", "horizon"])
    found = tracker.experiments(run_id=run.id)
    assert {(each.model_name, each.horizon_name) for each in found} == {
        (name, horizon) for name in run.study.members for horizon in ("1h", "4h")
    }
    for each in found:
        row = board.loc[each.model_name, each.horizon_name]
        assert each.status == "completed"
        assert each.directional_accuracy == row["directional_accuracy"]
        assert each.rmse == row["rmse"]
        assert each.mse == pytest.approx(row["rmse"] ** 2)
        assert each.n_samples == row["n_decisions"]
        assert (each.symbol, each.timeframe, each.study_id) == ("AAPL", "1h", run.study.id)
        assert each.params["model"] == each.model_name
    ensembles = tracker.get_statistics()["ensembles"]
    assert ensembles == 4


def test_forecasts_of_an_experiment_are_in_the_store(
    run: Any, runs: Path, tracker: ExperimentTracker
) -> None:
    store = SqliteStore(runs)
    trials = {trial.forecasts: trial for trial in store.trials()}
    for each in tracker.experiments(run_id=run.id):
        assert each.forecasts is not None
        assert trials[each.forecasts].name == each.model_name
        expected = run.members[each.model_name].forecast
        np.testing.assert_array_equal(store.read(each.forecasts).forecast.values, expected.values)


def test_an_ensembles_gain_is_over_its_best_member(run: Any, tracker: ExperimentTracker) -> None:
    board = run.leaderboard().set_index(["name", "horizon"])["ic"].astype(float)
    with tracker._database().reading() as connection:
        query = "SELECT name, horizon_name, best_member, gain, score FROM ensembles"
        rows = connection.exec_driver_sql(query).all()
        query = "SELECT COUNT(*) FROM ensemble_models JOIN experiments USING (experiment_id)"
        assert connection.exec_driver_sql(query).scalar_one() == 8
    assert len(rows) == 4
    for name, horizon, best, gain, score in rows:
        members = {member: board[member, horizon] for member in run.study.members}
        known = {member: ic for member, ic in members.items() if np.isfinite(ic)}
        assert best == max(known, key=lambda member: known[member])
        assert score == board[name, horizon]
        assert gain == pytest.approx(score - known[best])


def test_regimes_split_what_is_known(run: Any, tracker: ExperimentTracker) -> None:
    """Over all regimes the counts are those of all decisions in which one stands out."""
    signal = {name: signal_of(f.values, f.target) for name, f in run.forecasts().items()}
    totals: dict[str, float] = {}
    for regime in REGIMES:
        best = tracker.best_models_per_regime(regime, 10)
        accuracies = [row["shrunk_accuracy"] for row in best]
        assert accuracies == sorted(accuracies, reverse=True)
        for row in best:
            totals[row["model_name"]] = totals.get(row["model_name"], 0) + row["n_decisions"]
    assert set(totals) == set(signal)
    for name, values in signal.items():
        assert 0.5 * values.size < totals[name] <= values.size


def test_predictions_add_up_to_the_scores(run: Any, tracker: ExperimentTracker) -> None:
    board = run.leaderboard().set_index(["name", "horizon"])
    summary = tracker.ensemble_performance_summary(1)
    assert {row["horizon_name"] for row in summary} == {"1h", "4h"}
    for row in summary:
        expected = board.loc["regime_aware", row["horizon_name"]]
        assert row["name"] == "regime_aware"
        assert row["n_known"] == expected["n_decisions"]
        assert row["directional_accuracy"] == pytest.approx(expected["directional_accuracy"])


def test_a_run_is_entered_once(run: Any, runs: Path, tracker: ExperimentTracker) -> None:
    before = tracker.experiments(), tracker.get_statistics()
    bs.run(study(), runs=runs)
    bs.run(study(title="another title"), runs=runs)
    assert (tracker.experiments(), tracker.get_statistics()) == before


def test_what_is_missing_is_entered_by_the_next_run(run: Any, runs: Path) -> None:
    """As of a run of a version that did not track, or that the database refused."""
    file = runs / ".ledger.sqlite"
    tracker = ExperimentTracker(runs)
    before = {each.experiment_id for each in tracker.experiments()}
    tracker.close()
    with closing(sqlite3.connect(file)) as database, database:
        for table in ("experiments", "ensembles", "ensemble_models", "meta_learner_configuration"):
            database.execute(f"DELETE FROM {table}")
    bs.run(study(), runs=runs)
    assert {each.experiment_id for each in ExperimentTracker(runs).experiments()} == before


class Notes(Progress):
    """Keeps notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_database_of_a_later_barstack_leaves_the_run_valid(tmp_path: Path) -> None:
    done = bs.run(study(members=["ridge"], ensembles=["average"]), runs=tmp_path)
    with closing(sqlite3.connect(tmp_path / ".ledger.sqlite")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.execute("DELETE FROM ensembles")
    notes = Notes()
    again = bs.run(done.study, runs=tmp_path, progress=notes)
    assert again.id == done.id
    (note,) = notes.notes
    assert note.startswith("This run is not in the tracking database yet: ")
    assert "version 9999" in note


def test_a_ledger_on_a_server_that_is_not_there_stops_the_run(
    run: Any, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the team's count there is no honest verdict."""
    monkeypatch.setenv("BARSTACK_TRACKING", "postgresql://me:secret@127.0.0.1:1/name")
    with pytest.raises(StorageError, match="Check that the server runs") as error:
        bs.run(study(), runs=runs)
    assert "secret" not in str(error.value)


@pytest.mark.slow
def test_learning_curves_of_a_network(tmp_path: Path) -> None:
    done = bs.run(
        study(
            members={"mlp": {"epochs": 3, "hidden": [8]}},
            ensembles=["average"],
            split={"split": "walk_forward", "folds": 2},
        ),
        runs=tmp_path,
    )
    tracker = ExperimentTracker(tmp_path)
    for each in tracker.experiments(run_id=done.id):
        assert each.batch_size == done.study.members["mlp"].content()["batch"]
        assert each.n_parameters == 2 * 24 * 8 + 8 + 8 * 2 + 2
        curve = tracker.training_history(each.experiment_id)
        fits = done.fits()["mlp"]
        assert {point.fold for point in curve} == {0, 1, -1}
        final = [
            point.value for point in curve if (point.fold, point.measure) == (-1, "train_loss")
        ]
        assert final == [epoch["train_loss"] for epoch in fits[-1]["curves"]]


def test_members_combined_anew_are_ensembles_too(tmp_path: Path) -> None:
    content = study(members=["ridge", "elastic_net"], ensembles=["average"])
    run = bs.run(content, runs=tmp_path / "runs")
    made = run.ensemble("nnls")
    again = run.ensemble("nnls")
    tracker = ExperimentTracker(tmp_path / "runs")
    rows = [each for each in tracker.ensembles(run.id) if each.name == "nnls"]
    assert [each.horizon_name for each in rows] == ["1h", "4h"]
    board = run.leaderboard().set_index(["name", "horizon"])["ic"].astype(float)
    trials = {each.id: each for each in SqliteStore(tmp_path / "runs").trials()}
    assert len(again.scores) == len(made.scores) == 2
    for row, score in zip(rows, made.scores, strict=True):
        ics = {name: board[name, row.horizon_name] for name in ("ridge", "elastic_net")}
        known = {name: ic for name, ic in ics.items() if np.isfinite(ic)}
        assert row.best_member == max(known, key=lambda name: known[name])
        assert (row.score, row.n_samples, row.judged) == (score.ic, score.n_decisions, False)
        assert score.ic is not None
        assert row.gain == pytest.approx(score.ic - max(known.values()))
        assert row.method == "nnls"
        assert set(row.weights) == {"ridge", "elastic_net"}
        assert row.forecasts in {each.forecasts for each in trials.values()}
        found = {each.experiment_id for each in tracker.experiments(run_id=run.id)}
        assert set(row.experiments.values()) <= found
    summary = tracker.ensemble_performance_summary(30)
    assert {row["name"] for row in summary} == {"average"}  # the only one judged
