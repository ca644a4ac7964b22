"""Evaluation: scores, standard errors, profit after costs, and the verdict."""

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
from .audit import Leak, assert_causal, find_leaks

__all__ = [
    "CalibrationBin",
    "Correlation",
    "Equity",
    "Evaluation",
    "Evidence",
    "FoldAccuracy",
    "Leak",
    "Score",
    "Verdict",
    "Weights",
    "assert_causal",
    "evaluate",
    "find_leaks",
]
