"""What people ask a tracking database, as one text for SQLite and PostgreSQL.

The SQL functions on PostgreSQL answer alike; a test compares them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ._tables import UtcTime

# Ranked by the accuracy shrunk to one half, as if 100 further decisions had been right half of the
# time: a model must not lead by a few lucky decisions.
_BEST_PER_REGIME = """
SELECT
    model_name,
    MIN(role) AS role,
    COUNT(DISTINCT run_id) AS n_runs,
    COUNT(DISTINCT horizon_name) AS n_horizons,
    CAST(SUM(n_decisions) AS BIGINT) AS n_decisions,
    SUM(n_correct) / SUM(n_decisions) AS directional_accuracy,
    (SUM(n_correct) + 50.0) / (SUM(n_decisions) + 100.0) AS shrunk_accuracy,
    SUM(ic * n_decisions) / SUM(CASE WHEN ic IS NOT NULL THEN n_decisions END) AS ic
FROM ensemble_performance_per_regime
WHERE regime_type = :regime_type AND n_decisions > 0
GROUP BY model_name
ORDER BY shrunk_accuracy DESC, model_name COLLATE "C"
LIMIT :limit
"""

_ENSEMBLE_SUMMARY = """
SELECT
    found.ensemble_id,
    ensembles.name,
    ensembles.method,
    ensembles.horizon_name,
    ensembles.symbol,
    found.n_predictions,
    found.n_known,
    found.n_correct / found.n_moved AS directional_accuracy,
    found.mean_return,
    ensembles.score,
    ensembles.gain,
    found.first_decided_at,
    found.last_decided_at
FROM (
    SELECT
        ensemble_id,
        COUNT(*) AS n_predictions,
        COUNT(realised) AS n_known,
        NULLIF(COUNT(CASE WHEN realised <> 0 THEN 1 END), 0) AS n_moved,
        SUM(CASE
            WHEN realised IS NULL OR realised = 0 THEN 0.0e0
            WHEN prediction * realised > 0 THEN 1.0e0
            WHEN prediction * realised < 0 THEN 0.0e0
            ELSE 0.5e0 END) AS n_correct,
        AVG(CASE WHEN prediction > 0 THEN realised
            WHEN prediction < 0 THEN -realised
            WHEN realised IS NOT NULL THEN 0.0e0 END) AS mean_return,
        MIN(decided_at) AS first_decided_at,
        MAX(decided_at) AS last_decided_at
    FROM ensemble_predictions
    WHERE recorded_at >= :since
    GROUP BY ensemble_id
) AS found
LEFT JOIN ensembles ON ensembles.ensemble_id = found.ensemble_id
ORDER BY directional_accuracy DESC NULLS LAST, found.ensemble_id COLLATE "C"
"""

Question = tuple[str, dict[str, Any]]
BEST_PER_REGIME: Question = (
    _BEST_PER_REGIME,
    {
        "model_name": sa.Text,
        "role": sa.Text,
        "n_runs": sa.BigInteger,
        "n_horizons": sa.BigInteger,
        "n_decisions": sa.BigInteger,
        "directional_accuracy": sa.Double,
        "shrunk_accuracy": sa.Double,
        "ic": sa.Double,
    },
)
ENSEMBLE_SUMMARY: Question = (
    _ENSEMBLE_SUMMARY,
    {
        "ensemble_id": sa.Text,
        "name": sa.Text,
        "method": sa.Text,
        "horizon_name": sa.Text,
        "symbol": sa.Text,
        "n_predictions": sa.BigInteger,
        "n_known": sa.BigInteger,
        "directional_accuracy": sa.Double,
        "mean_return": sa.Double,
        "score": sa.Double,
        "gain": sa.Double,
        "first_decided_at": UtcTime,
        "last_decided_at": UtcTime,
    },
)


def in_dialect(question: Question, connection: sa.Connection) -> sa.TextualSelect:
    """The query for one database; both sort text by its bytes, and call that differently."""
    text, columns = question
    if connection.dialect.name == "sqlite":
        text = text.replace('COLLATE "C"', "COLLATE BINARY")
    query = sa.text(text)
    if ":since" in text:
        query = query.bindparams(sa.bindparam("since", type_=UtcTime))
    return query.columns(**columns)
