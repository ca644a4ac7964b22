"""Evaluation: scores, standard errors, profit after costs, and the verdict."""

from ._comparison import Compared, Comparison, compare
from ._evaluate import evaluate
from ._findings import (
    CalibrationBin,
    Confusion,
    Correlation,
    Coverage,
    Equity,
    Evaluation,
    Fan,
    FoldAccuracy,
    LevelShare,
    Score,
    Weights,
)
from ._judgement import Doubt, Evidence, Verdict
from .audit import Leak, assert_causal, find_leaks

__all__ = [
    "CalibrationBin",
    "Compared",
    "Comparison",
    "Confusion",
    "Correlation",
    "Coverage",
    "Doubt",
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
