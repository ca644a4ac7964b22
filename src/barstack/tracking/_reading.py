"""Queries of several numbers. Each function runs within a transaction of its caller."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ._tables import ENSEMBLE_PREDICTIONS, ENSEMBLES, EXPERIMENTS

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
