"""Queries of several numbers. Each function runs within a transaction of its caller."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ._experiment import EnsembleRecord
from ._tables import ENSEMBLE_MODELS, ENSEMBLE_PREDICTIONS, ENSEMBLES, EXPERIMENTS, SWEEPS

_CAUSES = 5  # of failures that are listed


def statistics(connection: sa.Connection, sweep_id: str | None) -> dict[str, Any]:
    """All numbers of `ExperimentTracker.get_statistics`, but for the best experiment."""
    columns = EXPERIMENTS.c
    where = sa.true() if sweep_id is None else columns.sweep_id == sweep_id

    def column(one: sa.ColumnElement[Any], *more: Any) -> list[Any]:
        return list(
            connection.execute(
                sa.select(one).where(where, *more).distinct().order_by(one)
            ).scalars()
        )

    by_status = sa.select(columns.status, sa.func.count()).where(where).group_by(columns.status)
    counts = {status: int(count) for status, count in connection.execute(by_status)}
    completed, failed = counts.get("completed", 0), counts.get("failed", 0)
    completed_only = (where, columns.status == "completed")
    mean, seconds = connection.execute(
        sa.select(
            sa.func.avg(columns.directional_accuracy), sa.func.sum(columns.training_seconds)
        ).where(*completed_only)
    ).one()
    count = sa.func.count()
    causes = (
        sa.select(columns.error, count)
        .where(where, columns.status == "failed")
        .group_by(columns.error)
        .order_by(count.desc(), columns.error)
        .limit(_CAUSES)
    )
    return {
        "total": sum(counts.values()),
        "completed": completed,
        "failed": failed,
        "pruned": counts.get("pruned", 0),
        "running": counts.get("running", 0),
        "success_rate": completed / (completed + failed) if completed + failed else None,
        "models": column(columns.model_name),
        "horizons": column(columns.horizon_name),
        "mean_directional_accuracy": mean,
        "training_seconds": float(seconds or 0.0),
        "failures": [{"error": error, "count": n} for error, n in connection.execute(causes)],
        "ensembles": connection.execute(sa.select(count).select_from(ENSEMBLES)).scalar_one(),
        "predictions": connection.execute(
            sa.select(count).select_from(ENSEMBLE_PREDICTIONS)
        ).scalar_one(),
    }


def state(connection: sa.Connection) -> str:
    """Text that is another one after an experiment, ensemble or sweep was entered or changed."""
    columns, count = EXPERIMENTS.c, sa.func.count()
    experiments = sa.select(
        count,
        sa.func.sum(columns.attempts),
        sa.func.sum(sa.case((columns.status == "completed", 1), else_=0)),
        sa.func.sum(sa.case((columns.status == "failed", 1), else_=0)),
        sa.func.max(columns.started_at),
        sa.func.max(columns.finished_at),
    )
    ensembles = sa.select(count).select_from(ENSEMBLES)
    sweeps = sa.select(count, sa.func.max(SWEEPS.c.noted_at))
    facts = [*connection.execute(experiments).one(), connection.execute(ensembles).scalar_one()]
    facts += connection.execute(sweeps).one()
    return " ".join(map(str, facts))


def ensembles(connection: sa.Connection, run_id: str | None) -> list[EnsembleRecord]:
    """Rows of `ensembles` with the weights of their members, by horizon and name."""
    columns = ENSEMBLES.c
    where = sa.true() if run_id is None else columns.run_id == run_id
    models = (
        sa.select(ENSEMBLE_MODELS)
        .join(ENSEMBLES, columns.ensemble_id == ENSEMBLE_MODELS.c.ensemble_id)
        .where(where)
        .order_by(ENSEMBLE_MODELS.c.position)
    )
    weights: dict[str, dict[str, float]] = {}
    experiments: dict[str, dict[str, str]] = {}
    for row in map(dict, connection.execute(models).mappings()):
        if row["weight"] is not None:
            weights.setdefault(row["ensemble_id"], {})[row["model_name"]] = row["weight"]
        if row["experiment_id"] is not None:
            own = experiments.setdefault(row["ensemble_id"], {})
            own[row["model_name"]] = row["experiment_id"]
    query = sa.select(ENSEMBLES).where(where)
    query = query.order_by(columns.horizon_name, columns.name, columns.ensemble_id)
    found = []
    for row in map(dict, connection.execute(query).mappings()):
        name = row["ensemble_id"]
        del row["n_members"]
        row |= {"members": tuple(row["members"]), "weights": weights.get(name, {})}
        found.append(EnsembleRecord(**row, experiments=experiments.get(name, {})))
    return found
