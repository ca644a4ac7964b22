"""The tables as they are now. Migrations bring a database here, and a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

METADATA = sa.MetaData()


class UtcTime(sa.TypeDecorator[datetime]):
    """A moment in UTC, aware in Python; PostgreSQL has a type for it, SQLite keeps text."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, **({"nullable": False} | options))


def _figure(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double)


EXPERIMENTS = sa.Table(
    "experiments",
    METADATA,
    _text("experiment_id", primary_key=True),
    _text("study_id"),
    _text("run_id", index=True),
    _text("sweep_id", index=True),
    _text("status"),
    _text("model_name"),
    _text("horizon_name"),
    _text("symbol"),
    _text("period"),
    _text("timeframe"),
    sa.Column("n_samples", sa.BigInteger),
    sa.Column("n_parameters", sa.BigInteger),
    sa.Column("batch_size", sa.Integer),
    _figure("learning_rate"),
    _figure("weight_decay"),
    sa.Column("params", JSON, nullable=False),
    _figure("directional_accuracy"),
    _figure("mse"),
    _figure("rmse"),
    _figure("mae"),
    _figure("r2"),
    _figure("ic"),
    sa.Column("metrics", JSON, nullable=False),
    _figure("training_seconds"),
    _text("error", nullable=True),
    _text("forecasts", nullable=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Index("ix_experiments_leaderboard", "status", "horizon_name", "ic"),
)

SWEEPS = sa.Table(
    "sweeps",
    METADATA,
    _text("sweep_id", primary_key=True),
    _text("title"),
    sa.Column("experiments", sa.BigInteger, nullable=False),
    sa.Column("noted_at", UtcTime, nullable=False),
)

TRAINING_HISTORY = sa.Table(
    "training_history",
    METADATA,
    _text("experiment_id", primary_key=True),
    sa.Column("fold", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    _text("measure", primary_key=True),
    sa.Column("recorded_at", UtcTime, primary_key=True),
    sa.Column("value", sa.Double, nullable=False),
)

ENSEMBLES = sa.Table(
    "ensembles",
    METADATA,
    _text("ensemble_id", primary_key=True),
    _text("study_id"),
    _text("run_id", index=True),
    _text("sweep_id", index=True),
    _text("name"),
    _text("method"),
    _text("horizon_name"),
    _text("symbol"),
    sa.Column("judged", sa.Boolean, nullable=False),
    sa.Column("members", JSON, nullable=False),
    sa.Column("n_members", sa.Integer, nullable=False),
    _figure("score"),
    _figure("directional_accuracy"),
    _figure("rmse"),
    _figure("mae"),
    _figure("r2"),
    _text("best_member", nullable=True),
    _figure("gain"),
    sa.Column("n_samples", sa.BigInteger),
    _text("forecasts", nullable=True),
    sa.Column("created_at", UtcTime, nullable=False),
)

ENSEMBLE_MODELS = sa.Table(
    "ensemble_models",
    METADATA,
    _text("ensemble_id", primary_key=True),
    _text("model_name", primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    _figure("weight"),
    _text("experiment_id", nullable=True),
)

META_LEARNER_CONFIGURATION = sa.Table(
    "meta_learner_configuration",
    METADATA,
    _text("ensemble_id", primary_key=True),
    _text("method"),
    sa.Column("configuration", JSON, nullable=False),
    sa.Column("weights", JSON, nullable=False),
    sa.Column("trained_through", UtcTime),
    sa.Column("created_at", UtcTime, nullable=False),
)

PERFORMANCE_PER_REGIME = sa.Table(
    "ensemble_performance_per_regime",
    METADATA,
    _text("run_id", primary_key=True),
    _text("model_name", primary_key=True),
    _text("horizon_name", primary_key=True),
    _text("regime_type", primary_key=True),
    sa.Column("recorded_at", UtcTime, primary_key=True),
    _text("role"),
    sa.Column("n_decisions", sa.BigInteger, nullable=False),
    sa.Column("n_correct", sa.Double, nullable=False),
    _figure("directional_accuracy"),
    _figure("ic"),
    _figure("rmse"),
    sa.Index("ix_performance_regime", "regime_type", "model_name"),
)

ENSEMBLE_PREDICTIONS = sa.Table(
    "ensemble_predictions",
    METADATA,
    _text("ensemble_id", primary_key=True),
    _text("symbol", primary_key=True),
    sa.Column("decided_at", UtcTime, primary_key=True),
    sa.Column("known_at", UtcTime),
    sa.Column("prediction", sa.Double, nullable=False),
    _figure("realised"),
    _text("regime_type", nullable=True),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Index("ix_predictions_recorded", "recorded_at"),
)
