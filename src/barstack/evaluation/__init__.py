"""Evaluation: scores, standard errors, profit after costs, and the verdict."""

from ._audit import assert_causal
from ._evaluate import evaluate
from ._findings import (
    CalibrationBin,
    Correlation,
    Equity,
    Evaluation,
    Evidence,
    FoldAccuracy,
    Score,
    Verdict,
    Weights,
)

__all__ = [
    "CalibrationBin",
    "Correlation",
    "Equity",
    "Evaluation",
    "Evidence",
    "FoldAccuracy",
    "Score",
    "Verdict",
    "Weights",
    "assert_causal",
    "evaluate",
]
