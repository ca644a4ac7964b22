"""The tracking database: writes beside Optuna, a leaderboard of 30,000 runs, SQL functions.

A trial has 20 parameters and 20 measures, one for each epoch. Both sides write into SQLite with
`synchronous = FULL`: what a call has returned from is on the disk. Ours are `start` and `finish`
one by one, each a commit of its own; `batch` is a figure beside it. Optuna keeps the journal that
it chooses; with the write-ahead log that ours uses it is a figure too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import optuna
import sqlalchemy as sa
from _benchmark import arguments, at_least, at_most, finish
from _postgres import postgres_server

from barstack.core.forecast import REGIMES
from barstack.tracking import EpochMeasure, Experiment, ExperimentTracker, RegimePerformance

_NAMES = [f"parameter_{number}" for number in range(20)]
_EPOCHS = 20
_ROUNDS = 5
_TRIALS = 12  # of Optuna a round
_OURS = 60
_RUNS = 30_000
_ENSEMBLES, _PREDICTIONS = 40, 25_000  # of each: a million


def main() -> None:
    options = arguments(str(__doc__).split("\n", maxsplit=1)[0]).parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        writes = _writes(Path(folder), rng)
    with tempfile.TemporaryDirectory() as folder, postgres_server() as address:
        here, server = ExperimentTracker(folder), ExperimentTracker(address)
        boards = {"sqlite": _leaderboard(here, rng), "postgresql": _leaderboard(server, rng)}
        functions = _functions(server, rng)
        here.close()
        server.close()
    finish(
        "tracking",
        {
            "writes_vs_optuna": at_least(round(writes["optuna_ms"] / writes["ours_ms"], 1), 20),
            "leaderboard_30k_s": at_most(max(board["top_100_s"] for board in boards.values()), 1),
            "sql_functions_ms": at_most(
                max(functions["best_models_ms"], functions["summary_30_days_ms"]), 200
            ),
        },
        {"one_trial": writes, "leaderboard": boards, "functions": functions},
    )


def _writes(folder: Path, rng: np.random.Generator) -> dict[str, float]:
    """Milliseconds for one trial; rounds of both sides alternate, as other work shares the disk."""
    sides: dict[str, Callable[[], float]] = {
        "ours_ms": _ours(folder / "ours", rng),
        "ours_in_batches_ms": _ours(folder / "batches", rng, batch=True),
        "optuna_ms": _optuna(folder / "optuna.db", rng, journal=None),
        "optuna_write_ahead_log_ms": _optuna(folder / "wal.db", rng, journal="WAL"),
    }
    for side in sides.values():
        side()  # warm
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(_ROUNDS):
        for name, side in sides.items():
            found[name].append(1000 * side())
    return {name: round(median(times), 3) for name, times in found.items()}


def _ours(folder: Path, rng: np.random.Generator, *, batch: bool = False) -> Callable[[], float]:
    tracker = ExperimentTracker(folder)
    number = 0

    def one() -> None:
        nonlocal number
        number += 1
        planned = Experiment(
            experiment_id=f"e{number}",
            model_name="lstm",
            horizon_name="60min",
            params={name: float(rng.random()) for name in _NAMES},
        )
        tracker.start(planned)
        losses = rng.random(_EPOCHS).tolist()
        epochs = [
            EpochMeasure(fold=0, epoch=step, measure="loss", value=loss)
            for step, loss in enumerate(losses, 1)
        ]
        tracker.finish(replace(planned, ic=losses[-1]), epochs)

    def timed() -> float:
        begin = time.perf_counter()
        if batch:
            with tracker.batch():
                for _ in range(_OURS):
                    one()
        else:
            for _ in range(_OURS):
                one()
        return (time.perf_counter() - begin) / _OURS

    return timed


def _optuna(file: Path, rng: np.random.Generator, *, journal: str | None) -> Callable[[], float]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}")

    @sa.event.listens_for(storage.engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = FULL")
        if journal is not None:
            connection.execute(f"PRAGMA journal_mode = {journal}")

    storage.engine.dispose()  # so that later connections are set up so
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler())
    space: dict[str, Any] = {
        name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in _NAMES
    }

    def one() -> None:
        trial = study.ask(space)
        losses = rng.random(_EPOCHS).tolist()
        for step, loss in enumerate(losses, 1):
            trial.report(loss, step)
        study.tell(trial, losses[-1])

    def timed() -> float:
        begin = time.perf_counter()
        for _ in range(_TRIALS):
            one()
        return (time.perf_counter() - begin) / _TRIALS

    return timed


def _leaderboard(tracker: ExperimentTracker, rng: np.random.Generator) -> dict[str, float]:
    """Seconds for the best of 30,000 experiments; a median of five."""
    begin = time.perf_counter()
    with tracker.batch(rows=5_000, seconds=600.0):
        for number in range(_RUNS):
            tracker.finish(
                Experiment(
                    experiment_id=f"e{number}",
                    model_name=("lstm", "gru", "tcn", "tft", "mlp")[number % 5],
                    horizon_name=("15min", "30min", "60min", "2h", "1d")[number // 5 % 5],
                    params={
                        name: float(value)
                        for name, value in zip(_NAMES, rng.random(20), strict=True)
                    },
                    directional_accuracy=float(rng.normal(0.5, 0.02)),
                    ic=float(rng.normal(0.0, 0.03)),
                )
            )
    filled = time.perf_counter() - begin
    return {
        "filled_s": round(filled, 2),
        "top_100_s": _seconds(lambda: tracker.leaderboard(100)),
        "top_100_at_a_horizon_s": _seconds(lambda: tracker.leaderboard(100, horizon="60min")),
        "all_30k_s": _seconds(lambda: tracker.leaderboard(None)),
        "statistics_s": _seconds(tracker.get_statistics),
    }


def _functions(server: ExperimentTracker, rng: np.random.Generator) -> dict[str, float]:
    """Milliseconds of the SQL functions over a million predictions recorded within a year."""
    server.record_performance(
        RegimePerformance(
            run_id=f"run {run}",
            model_name=f"model {model}",
            role="member",
            horizon_name="60min",
            regime_type=regime,
            n_decisions=300,
            n_correct=float(rng.binomial(300, 0.51)),
            ic=float(rng.normal(0.0, 0.05)),
        )
        for run in range(300)
        for model in range(20)
        for regime in REGIMES
    )
    with server._database().writing() as connection:
        connection.execute(sa.text("SELECT setseed(0.5)"))
        connection.execute(
            sa.text(f"""
            INSERT INTO ensemble_predictions
            SELECT 'ensemble ' || e, 'SPY', moment, moment + interval '1 hour', random() - 0.5,
                0.01 * (random() - 0.5), NULL, moment
            FROM generate_series(1, {_ENSEMBLES}) AS e,
                LATERAL (SELECT now() - n * interval '1 year' / {_PREDICTIONS} AS moment
                         FROM generate_series(1, {_PREDICTIONS}) AS n) AS moments
            """)
        )
        connection.execute(sa.text("ANALYZE"))
    with server._database().reading() as connection:
        count = connection.execute(sa.text("SELECT count(*) FROM ensemble_predictions"))
        assert count.scalar_one() == _ENSEMBLES * _PREDICTIONS

        def milliseconds(query: str) -> float:
            return 1000 * _seconds(lambda: connection.execute(sa.text(query)).all())

        best = "SELECT * FROM get_best_models_per_regime('crash', 3)"
        summary = "SELECT * FROM get_ensemble_performance_summary"
        return {
            "predictions": _ENSEMBLES * _PREDICTIONS,
            "performance_rows": 300 * 20 * len(REGIMES),
            "best_models_ms": milliseconds(best),
            "summary_30_days_ms": milliseconds(f"{summary}(30)"),
            "summary_all_ms": milliseconds(f"{summary}(400)"),
        }


def _seconds(work: Callable[[], Any]) -> float:
    work()
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return round(median(times), 5)


if __name__ == "__main__":
    main()
