"""Experiments, ensembles and what belongs to them.

On the way down the tables stay with their rows, which an earlier version does not look at, so that
the way up finds them again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Create the tables that are not there."""
    there = set(sa.inspect(op.get_bind()).get_table_names())
    for name, columns in _columns().items():
        if name not in there:
            op.create_table(name, *columns)
    for index, (table, *indexed) in _INDEXES.items():
        op.create_index(index, table, indexed, if_not_exists=True)


def downgrade() -> None:
    """The tables stay."""


def _columns() -> dict[str, list[sa.Column[Any]]]:
    return {
        "experiments": [
            *_keys("experiment_id"),
            *_texts("study_id", "run_id", "sweep_id", "status", "model_name", "horizon_name"),
            *_texts("symbol", "period", "timeframe"),
            sa.Column("n_samples", sa.BigInteger),
            sa.Column("n_parameters", sa.BigInteger),
            sa.Column("batch_size", sa.Integer),
            *_figures("learning_rate", "weight_decay"),
            sa.Column("params", JSON, nullable=False),
            *_figures("directional_accuracy", "mse", "rmse", "mae", "r2", "ic"),
            sa.Column("metrics", JSON, nullable=False),
            *_figures("training_seconds"),
            sa.Column("error", sa.Text),
            sa.Column("forecasts", sa.Text),
            sa.Column("attempts", sa.Integer, nullable=False),
            sa.Column("started_at", TIME, nullable=False),
            sa.Column("finished_at", TIME),
        ],
        "training_history": [
            *_keys("experiment_id"),
            sa.Column("fold", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
            *_keys("measure"),
            sa.Column("recorded_at", TIME, primary_key=True),
            sa.Column("value", sa.Double, nullable=False),
        ],
        "ensembles": [
            *_keys("ensemble_id"),
            *_texts("study_id", "run_id", "sweep_id", "name", "method", "horizon_name", "symbol"),
            sa.Column("judged", sa.Boolean, nullable=False),
            sa.Column("members", JSON, nullable=False),
            sa.Column("n_members", sa.Integer, nullable=False),
            *_figures("score", "directional_accuracy", "rmse", "mae", "r2"),
            sa.Column("best_member", sa.Text),
            *_figures("gain"),
            sa.Column("n_samples", sa.BigInteger),
            sa.Column("forecasts", sa.Text),
            sa.Column("created_at", TIME, nullable=False),
        ],
        "ensemble_models": [
            *_keys("ensemble_id", "model_name"),
            sa.Column("position", sa.Integer, nullable=False),
            *_figures("weight"),
            sa.Column("experiment_id", sa.Text),
        ],
        "meta_learner_configuration": [
            *_keys("ensemble_id"),
            *_texts("method"),
            sa.Column("configuration", JSON, nullable=False),
            sa.Column("weights", JSON, nullable=False),
            sa.Column("trained_through", TIME),
            sa.Column("created_at", TIME, nullable=False),
        ],
        "ensemble_performance_per_regime": [
            *_keys("run_id", "model_name", "horizon_name", "regime_type"),
            sa.Column("recorded_at", TIME, primary_key=True),
            *_texts("role"),
            sa.Column("n_decisions", sa.BigInteger, nullable=False),
            sa.Column("n_correct", sa.Double, nullable=False),
            *_figures("directional_accuracy", "ic", "rmse"),
        ],
        "ensemble_predictions": [
            *_keys("ensemble_id", "symbol"),
            sa.Column("decided_at", TIME, primary_key=True),
            sa.Column("known_at", TIME),
            sa.Column("prediction", sa.Double, nullable=False),
            *_figures("realised"),
            sa.Column("regime_type", sa.Text),
            sa.Column("recorded_at", TIME, nullable=False),
        ],
    }


_INDEXES = {
    "ix_experiments_run_id": ("experiments", "run_id"),
    "ix_experiments_sweep_id": ("experiments", "sweep_id"),
    "ix_experiments_leaderboard": ("experiments", "status", "horizon_name", "ic"),
    "ix_ensembles_run_id": ("ensembles", "run_id"),
    "ix_ensembles_sweep_id": ("ensembles", "sweep_id"),
    "ix_performance_regime": ("ensemble_performance_per_regime", "regime_type", "model_name"),
    "ix_predictions_recorded": ("ensemble_predictions", "recorded_at"),
}


def _keys(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in names]


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _figures(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Double) for name in names]
