"""Evaluations with given evidence, to be judged."""

from __future__ import annotations

from barstack.evaluation import Doubt, Evaluation, Evidence

SUPPORTED = Evidence(
    horizon="1h",
    trades=True,
    net_edge_bps=1.0,
    net_edge_bps_se=0.1,
    t_value=10.0,
    p_value=1e-9,
    ic=0.9,
    ic_se=0.01,
    n_bars=1000,
)


def evaluation_with(evidence: list[Evidence], doubts: list[Doubt]) -> Evaluation:
    """An evaluation that holds nothing but these."""
    return Evaluation(
        task="return",
        horizons=[each.horizon for each in evidence],
        symbols=["X"],
        bar="1h",
        n_decisions=1000,
        first_at="2024-01-02 15:30 UTC",
        last_at="2024-12-30 21:00 UTC",
        ensemble="stack",
        cost_bps=1.0,
        bars_a_year=1750.0,
        evidence=evidence,
        doubts=doubts,
        contradictions=[],
        scores=[],
        folds=[],
        equity=[],
        calibration=[],
        correlations=[],
        weights=[],
    )
