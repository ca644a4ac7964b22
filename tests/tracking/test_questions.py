"""Questions of a team: SQLite, PostgreSQL and its SQL functions answer as plain Python does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from barstack.core.errors import ConfigError
from barstack.core.forecast import REGIMES
from barstack.tracking import EnsembleRecord, ExperimentTracker, Predictions, RegimePerformance

NOW = datetime.now(UTC)


def performance(seed: int) -> list[RegimePerformance]:
    """Models of different quality, some of them lucky on few decisions."""
    rng = np.random.default_rng(seed)
    rows = []
    for run in range(4):
        for number, name in enumerate(("lstm", "GRU", "ridge", "Ä", "lucky")):
            for regime in REGIMES:
                n = 1 if name == "lucky" else int(rng.integers(0, 400))
                right = n if name == "lucky" else rng.binomial(n, 0.45 + 0.03 * number) + 0.0
                rows.append(
                    RegimePerformance(
                        run_id=f"run {run}",
                        model_name=name,
                        role="member",
                        horizon_name=("15min", "60min")[run % 2],
                        regime_type=regime,
                        n_decisions=n,
                        n_correct=float(right),
                        ic=None if rng.random() < 0.2 else float(rng.normal(0, 0.1)),
                    )
                )
    return rows


def predictions(seed: int) -> list[Predictions]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(5):
        n = 300
        realised = rng.normal(0, 0.01, n)
        realised[rng.random(n) < 0.1] = np.nan
        realised[rng.random(n) < 0.05] = 0.0
        signal = 0.2 * np.nan_to_num(realised) + rng.normal(0, 0.005, n)
        signal[rng.random(n) < 0.05] = 0.0
        found.append(
            Predictions(
                ensemble_id=f"ensemble {number}",
                symbol=["SPY"] * n,
                decided_at=np.datetime64("2026-01-05T14:30", "us") + np.arange(n) * 60_000_000,
                prediction=signal,
                realised=realised,
                recorded_at=NOW - timedelta(days=20 * number, hours=1),
            )
        )
    return found


def filled(where: str | Path) -> ExperimentTracker:
    tracker = ExperimentTracker(where)
    tracker.record_performance(performance(1))
    tracker.record_ensembles(
        EnsembleRecord(
            ensemble_id=f"ensemble {number}",
            name=f"stack {number}",
            method="nnls",
            horizon_name="60min",
            symbol="SPY",
            members=("a", "b"),
            weights={"a": 0.25, "b": 0.75},
            score=0.1 * number,
            gain=0.01,
        )
        for number in range(4)  # the fifth has predictions and was never entered
    )
    for each in predictions(2):
        tracker.record_predictions(each)
    return tracker


def best_by_hand(regime: str, limit: int) -> list[tuple[str, int, float]]:
    totals: dict[str, list[float]] = {}
    for each in performance(1):
        if each.regime_type == regime and each.n_decisions:
            total = totals.setdefault(each.model_name, [0, 0])
            total[0] += each.n_correct
            total[1] += each.n_decisions
    shrunk = {name: (right + 50) / (n + 100) for name, (right, n) in totals.items()}
    names = sorted(totals, key=lambda name: (-shrunk[name], name.encode()))[:limit]
    return [(name, int(totals[name][1]), totals[name][0] / totals[name][1]) for name in names]


def summary_by_hand(days: int) -> list[tuple[str, int, int, float, float]]:
    found = []
    for each in predictions(2):
        assert each.recorded_at is not None
        assert each.realised is not None
        if each.recorded_at < NOW - timedelta(days=days):
            continue
        known = np.isfinite(each.realised)
        moved = known & (each.realised != 0)
        right = 0.5 + 0.5 * np.sign(each.prediction[moved]) * np.sign(each.realised[moved])
        gained = np.sign(each.prediction[known]) * each.realised[known]
        row = (len(known), int(known.sum()), float(right.mean()), float(gained.mean()))
        found.append((each.ensemble_id, *row))
    return sorted(found, key=lambda row: -row[3])


def test_best_models_per_regime(where: str) -> None:
    tracker = filled(where)
    for regime in REGIMES:
        for limit in (0, 1, 3, 99):
            found = tracker.best_models_per_regime(regime, limit)
            names = [(row["model_name"], row["n_decisions"]) for row in found]
            expected = best_by_hand(regime, limit)
            assert names == [(name, n) for name, n, _ in expected]
            accuracies = [row["directional_accuracy"] for row in found]
            assert accuracies == pytest.approx([accuracy for *_, accuracy in expected])
    assert tracker.best_models_per_regime("crash", 1)[0]["model_name"] != "lucky"
    with pytest.raises(ConfigError, match="Did you mean 'crash'"):
        tracker.best_models_per_regime("crashh")


def test_ensemble_performance_summary(where: str) -> None:
    tracker = filled(where)
    for days in (0, 1, 30, 400):
        found = tracker.ensemble_performance_summary(days)
        expected = summary_by_hand(days)
        assert [row["ensemble_id"] for row in found] == [row[0] for row in expected]
        for row, (_, n, known, accuracy, gained) in zip(found, expected, strict=True):
            assert (row["n_predictions"], row["n_known"]) == (n, known)
            assert row["directional_accuracy"] == pytest.approx(accuracy)
            assert row["mean_return"] == pytest.approx(gained)
            assert row["first_decided_at"] == datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    unknown = next(row for row in found if row["ensemble_id"] == "ensemble 4")
    assert unknown["name"] is None
    assert found[0]["name"] is None or found[0]["method"] == "nnls"


@pytest.mark.slow
def test_sql_functions_answer_as_python_does_on_sqlite(
    new_postgres: Callable[[], str], tmp_path: Path
) -> None:
    """The very same rows in both, within the rounding of sums in another order."""
    here, server = filled(tmp_path), filled(new_postgres())
    with server._database().reading() as connection:

        def call(query: str) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(sa.text(query)).mappings()]

        for regime in REGIMES:
            rows = call(f"SELECT * FROM get_best_models_per_regime('{regime}', 3)")
            assert_alike(rows, here.best_models_per_regime(regime, 3))
            assert_alike(rows, server.best_models_per_regime(regime, 3))
        for days in (1, 30, 400):
            rows = call(f"SELECT * FROM get_ensemble_performance_summary({days})")
            assert_alike(rows, here.ensemble_performance_summary(days))
            assert_alike(rows, server.ensemble_performance_summary(days))
        assert len(call("SELECT * FROM get_ensemble_performance_summary()")) == 2
        assert len(call("SELECT * FROM get_best_models_per_regime('crash')")) == 3


def assert_alike(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    assert len(rows) == len(others)
    for row, other in zip(rows, others, strict=True):
        assert list(row) == list(other)
        for name, value in row.items():
            expected = pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            assert other[name] == expected, name


def test_a_known_prediction_never_changes_but_for_its_outcome(where: str) -> None:
    tracker = ExperimentTracker(where)

    def one(prediction: float, realised: float) -> Predictions:
        known = np.datetime64("NaT" if np.isnan(realised) else "2026-01-05T15:30", "us")
        return Predictions(
            ensemble_id="e",
            symbol=["SPY"],
            decided_at=np.array(["2026-01-05T14:30"], "datetime64[us]"),
            prediction=np.array([prediction]),
            realised=np.array([realised]),
            known_at=np.array([known]),
            regime_type=["crash"],
        )

    for prediction, realised in ((1.0, np.nan), (2.0, np.nan), (3.0, 0.5), (4.0, -0.5)):
        tracker.record_predictions(one(prediction, realised))
    with tracker._database().reading() as connection:
        query = "SELECT prediction, realised, regime_type FROM ensemble_predictions"
        assert connection.execute(sa.text(query)).all() == [(1.0, 0.5, "crash")]


def test_an_ensemble_has_its_members_and_its_meta_learner(where: str) -> None:
    tracker = filled(where)
    with tracker._database().reading() as connection:
        query = "SELECT model_name, weight FROM ensemble_models WHERE ensemble_id = 'ensemble 1'"
        models = connection.execute(sa.text(f"{query} ORDER BY position")).all()
        assert models == [("a", 0.25), ("b", 0.75)]
        query = "SELECT method FROM meta_learner_configuration WHERE ensemble_id = 'ensemble 1'"
        assert connection.execute(sa.text(query)).scalar_one() == "nnls"


def test_predictions_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    times = np.array(["2026-01-05"], "datetime64[us]")
    with pytest.raises(ConfigError, match="not finite"):
        tracker.record_predictions(
            Predictions(
                ensemble_id="e", symbol=["A"], decided_at=times, prediction=np.array([np.nan])
            )
        )
    with pytest.raises(ConfigError, match="different lengths"):
        tracker.record_predictions(
            Predictions(
                ensemble_id="e", symbol=["A", "B"], decided_at=times, prediction=np.array([1.0])
            )
        )
