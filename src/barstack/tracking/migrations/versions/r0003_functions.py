"""On PostgreSQL the SQL functions, and hypertables where TimescaleDB is installed.

`create_hypertable(relation, by_range(column, interval))` is the interface of TimescaleDB 2.13 and
later, as its reference documents it. Without the extension the tables stay plain. SQLite has no
functions: Python answers the same questions there.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# Only tables whose primary key holds a time can be partitioned by it. Ensembles, their models and
# meta-learners are few, and their ids must be unique through all time: they stay plain.
HYPERTABLES = {
    "training_history": "recorded_at",
    "ensemble_performance_per_regime": "recorded_at",
    "ensemble_predictions": "decided_at",
}

BEST_MODELS = """
CREATE OR REPLACE FUNCTION get_best_models_per_regime(p_regime_type TEXT, p_limit INTEGER DEFAULT 3)
RETURNS TABLE (
    model_name TEXT, role TEXT, n_runs BIGINT, n_horizons BIGINT, n_decisions BIGINT,
    directional_accuracy DOUBLE PRECISION, shrunk_accuracy DOUBLE PRECISION, ic DOUBLE PRECISION
) LANGUAGE sql STABLE AS $$
SELECT
    performance.model_name,
    MIN(performance.role),
    COUNT(DISTINCT performance.run_id),
    COUNT(DISTINCT performance.horizon_name),
    CAST(SUM(performance.n_decisions) AS BIGINT),
    SUM(performance.n_correct) / SUM(performance.n_decisions),
    (SUM(performance.n_correct) + 50.0) / (SUM(performance.n_decisions) + 100.0) AS shrunk,
    SUM(performance.ic * performance.n_decisions)
        / SUM(CASE WHEN performance.ic IS NOT NULL THEN performance.n_decisions END)
FROM ensemble_performance_per_regime AS performance
WHERE performance.regime_type = p_regime_type AND performance.n_decisions > 0
GROUP BY performance.model_name
ORDER BY shrunk DESC, performance.model_name COLLATE "C"
LIMIT p_limit
$$
"""

SUMMARY = """
CREATE OR REPLACE FUNCTION get_ensemble_performance_summary(p_days_back INTEGER DEFAULT 30)
RETURNS TABLE (
    ensemble_id TEXT, name TEXT, method TEXT, horizon_name TEXT, symbol TEXT,
    n_predictions BIGINT, n_known BIGINT, directional_accuracy DOUBLE PRECISION,
    mean_return DOUBLE PRECISION, score DOUBLE PRECISION, gain DOUBLE PRECISION,
    first_decided_at TIMESTAMPTZ, last_decided_at TIMESTAMPTZ
) LANGUAGE sql STABLE AS $$
SELECT
    found.ensemble_id, ensembles.name, ensembles.method, ensembles.horizon_name, ensembles.symbol,
    found.n_predictions, found.n_known, found.n_correct / found.n_moved AS accuracy,
    found.mean_return, ensembles.score, ensembles.gain, found.first_at, found.last_at
FROM (
    SELECT
        predictions.ensemble_id,
        COUNT(*) AS n_predictions,
        COUNT(predictions.realised) AS n_known,
        NULLIF(COUNT(CASE WHEN predictions.realised <> 0 THEN 1 END), 0) AS n_moved,
        SUM(CASE
            WHEN predictions.realised IS NULL OR predictions.realised = 0 THEN 0.0e0
            WHEN predictions.prediction * predictions.realised > 0 THEN 1.0e0
            WHEN predictions.prediction * predictions.realised < 0 THEN 0.0e0
            ELSE 0.5e0 END) AS n_correct,
        AVG(CASE WHEN predictions.prediction > 0 THEN predictions.realised
            WHEN predictions.prediction < 0 THEN -predictions.realised
            WHEN predictions.realised IS NOT NULL THEN 0.0e0 END) AS mean_return,
        MIN(predictions.decided_at) AS first_at,
        MAX(predictions.decided_at) AS last_at
    FROM ensemble_predictions AS predictions
    WHERE predictions.recorded_at >= now() - make_interval(days => p_days_back)
    GROUP BY predictions.ensemble_id
) AS found
LEFT JOIN ensembles ON ensembles.ensemble_id = found.ensemble_id
ORDER BY accuracy DESC NULLS LAST, found.ensemble_id COLLATE "C"
$$
"""


def upgrade() -> None:
    """Create the functions and hypertables, on PostgreSQL."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(sa.text(BEST_MODELS.replace(":", r"\:")))
    op.execute(sa.text(SUMMARY.replace(":", r"\:")))
    installed = sa.text("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
    if op.get_bind().execute(installed).first() is None:
        return
    for table, column in HYPERTABLES.items():
        op.execute(
            f"SELECT create_hypertable('{table}', by_range('{column}', INTERVAL '30 days'), "
            "if_not_exists => TRUE, migrate_data => TRUE)"
        )


def downgrade() -> None:
    """Drop the functions. A hypertable stays one: it answers as the plain table did."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS get_best_models_per_regime(TEXT, INTEGER)")
        op.execute("DROP FUNCTION IF EXISTS get_ensemble_performance_summary(INTEGER)")
