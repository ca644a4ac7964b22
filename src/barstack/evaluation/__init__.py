"""Evaluation: scores, standard errors, profit after costs, and the verdict."""

from ._comparison import Compared, Comparison, compare
from ._evaluate import evaluate
from ._findings import (
    CalibrationBin,
    Confusion,
    Correlation,
    Coverage,
    Doubt,
    Equity,
    Evaluation,
    Evidence,
    Fan,
    FoldAccuracy,
    LevelShare,
    Score,
    Weights,
)
from ._verdict import HorizonVerdict, Verdict, adjusted_p_value, judge, leaderboard
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
    "HorizonVerdict",
    "Leak",
    "LevelShare",
    "Score",
    "Verdict",
    "Weights",
    "adjusted_p_value",
    "assert_causal",
    "compare",
    "evaluate",
    "find_leaks",
    "judge",
    "leaderboard",
]
