"""Statements that enter rows. Each function runs within a transaction of its caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from . import _rows as rows
from ._experiment import (
    EnsembleRecord,
    EpochMeasure,
    Experiment,
    Predictions,
    RegimePerformance,
    Write,
)
from ._sweep_size import SweepSize
from ._tables import (
    ENSEMBLE_MODELS,
    ENSEMBLE_PREDICTIONS,
    ENSEMBLES,
    EXPERIMENTS,
    META_LEARNER_CONFIGURATION,
    PERFORMANCE_PER_REGIME,
    SWEEPS,
    TRAINING_HISTORY,
)

Insert = postgresql.Insert | sqlite.Insert


def enter(connection: sa.Connection, writes: Sequence[Write]) -> None:
    """Start, finish or fail experiments, in this order."""
    for (verb, alone), group in groupby(writes, lambda write: (write[0], bool(write[2]))):
        statement = _upsert(connection, verb)
        if alone:  # whether the experiment was completed before decides about its history
            for _, experiment, history in group:
                changed = statement.returning(EXPERIMENTS.c.experiment_id)
                if connection.execute(changed, _entered(experiment)).first() is not None:
                    _replace_history(connection, experiment.experiment_id, history)
        else:
            connection.execute(statement, [_entered(each) for _, each, _ in group])


def _entered(experiment: Experiment) -> dict[str, Any]:
    row = rows.experiment_row(experiment)
    if experiment.status != "running" and row["finished_at"] is None:
        row["finished_at"] = rows.now()
    return row


def _upsert(connection: sa.Connection, verb: str) -> Insert:
    """A completed experiment stays as it is; of others everything is replaced."""
    statement = _insert(connection, EXPERIMENTS)
    new = statement.excluded
    values: dict[str, Any] = {column.name: new[column.name] for column in EXPERIMENTS.columns}
    del values["experiment_id"]
    if verb == "start":
        values["attempts"] = EXPERIMENTS.c.attempts + 1
    else:
        values |= {"attempts": EXPERIMENTS.c.attempts, "started_at": EXPERIMENTS.c.started_at}
    return statement.on_conflict_do_update(
        index_elements=[EXPERIMENTS.c.experiment_id],
        set_=values,
        where=EXPERIMENTS.c.status != "completed",
    )


def _replace_history(
    connection: sa.Connection, experiment_id: str, history: Iterable[EpochMeasure]
) -> None:
    """The learning curves of an experiment, in place of those of an earlier attempt."""
    columns = TRAINING_HISTORY.c
    connection.execute(sa.delete(TRAINING_HISTORY).where(columns.experiment_id == experiment_id))
    _insert_all(connection, TRAINING_HISTORY, rows.history_rows(experiment_id, history, rows.now()))


def record_run(
    connection: sa.Connection,
    run_id: str,
    experiments: Sequence[Experiment],
    history: Mapping[str, Iterable[EpochMeasure]],
    ensembles: Sequence[EnsembleRecord],
    performance: Sequence[RegimePerformance],
    predictions: Sequence[Predictions],
) -> bool:
    """Enter a run unless it is known; what was entered by a sweep before stays as it is."""
    if connection.dialect.name == "postgresql":  # in SQLite only one process writes at a time
        lock = "SELECT pg_advisory_xact_lock(hashtextextended(:run_id, 0))"
        connection.execute(sa.text(lock), {"run_id": run_id})
    known = sa.select(ENSEMBLES.c.ensemble_id).where(ENSEMBLES.c.run_id == run_id).limit(1)
    if connection.execute(known).first() is not None:
        return False
    writes: list[Write] = [
        (
            "fail" if each.status == "failed" else "finish",
            each if each.status == "failed" else replace(each, status="completed"),
            tuple(history.get(each.experiment_id, ())),
        )
        for each in experiments
    ]
    enter(connection, writes)
    insert_ensembles(connection, ensembles)
    insert_performance(connection, performance)
    for each in predictions:
        insert_predictions(connection, each)
    return True


def note_sweep(connection: sa.Connection, size: SweepSize) -> None:
    """What a sweep has noted last."""
    row = {**asdict(size), "noted_at": rows.now()}
    statement = _insert(connection, SWEEPS).values(row)
    changed = {name: statement.excluded[name] for name in ("title", "experiments", "noted_at")}
    connection.execute(
        statement.on_conflict_do_update(index_elements=[SWEEPS.c.sweep_id], set_=changed)
    )


def insert_ensembles(connection: sa.Connection, ensembles: Sequence[EnsembleRecord]) -> None:
    """Ensembles with their members and meta-learners; known ones stay as they are."""
    _insert_all(connection, ENSEMBLES, [rows.ensemble_row(each) for each in ensembles])
    models = [row for each in ensembles for row in rows.model_rows(each)]
    _insert_all(connection, ENSEMBLE_MODELS, models)
    configurations = [rows.configuration_row(each) for each in ensembles]
    _insert_all(connection, META_LEARNER_CONFIGURATION, configurations)


def insert_performance(connection: sa.Connection, performance: Sequence[RegimePerformance]) -> None:
    """Performance per regime; known rows stay as they are."""
    moment = rows.now()
    found = [rows.performance_row(each, moment) for each in performance]
    _insert_all(connection, PERFORMANCE_PER_REGIME, found)


def insert_predictions(connection: sa.Connection, predictions: Predictions) -> None:
    """Predictions, which never change; an outcome is added once it is known.

    There may be hundreds of thousands, so that the driver takes them as they are.
    """
    on_server = connection.dialect.name == "postgresql"
    found = rows.prediction_rows(predictions, aware=on_server)
    if not found:
        return
    names = [column.name for column in ENSEMBLE_PREDICTIONS.columns]
    mark = "%s" if on_server else "?"
    connection.exec_driver_sql(
        f"INSERT INTO ensemble_predictions ({', '.join(names)}) "
        f"VALUES ({', '.join([mark] * len(names))}) "
        "ON CONFLICT (ensemble_id, symbol, decided_at) DO UPDATE SET "
        "realised = excluded.realised, known_at = excluded.known_at "
        "WHERE ensemble_predictions.realised IS NULL AND excluded.realised IS NOT NULL",
        found,
    )


def _insert_all(connection: sa.Connection, table: sa.Table, found: list[dict[str, Any]]) -> None:
    if found:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), found)


def _insert(connection: sa.Connection, table: sa.Table) -> Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
