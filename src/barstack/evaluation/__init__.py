"""Evaluation: scores, standard errors, profit after costs, and the verdict."""

from ._comparison import Compared, Comparison, compare
from ._evaluate import evaluate
from ._findings import (
    CalibrationBin,
    Correlation,
    Coverage,
    Equity,
    Evaluation,
    Evidence,
    Fan,
    FoldAccuracy,
    LevelShare,
    Score,
    Verdict,
    Weights,
)
from .audit import Leak, assert_causal, find_leaks

__all__ = [
    "CalibrationBin",
    "Compared",
    "Comparison",
    "Correlation",
    "Coverage",
    "Equity",
    "Evaluation",
    "Evidence",
    "Fan",
    "FoldAccuracy",
    "Leak",
    "LevelShare",
    "Score",
    "Verdict",
    "Weights",
    "assert_causal",
    "compare",
    "evaluate",
    "find_leaks",
]
