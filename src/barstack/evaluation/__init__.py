"""Evaluation: scores, standard errors, profit after costs, and the verdict."""

from ._coherent import accuracy_by_luck, contradictory, refuse_contradictions
from ._combining_findings import (
    BEST_SO_FAR,
    EQUAL_WEIGHTS,
    Choice,
    Contribution,
    Diversity,
    FoldGain,
    Gain,
    Importance,
    RegimeWeights,
    Stability,
)
from ._comparison import Compared, Comparison, compare
from ._evaluate import evaluate
from ._family import family_of
from ._findings import (
    CalibrationBin,
    Confusion,
    Correlation,
    Coverage,
    Doubt,
    Equity,
    Evaluation,
    Evidence,
    Family,
    Fan,
    FoldAccuracy,
    LevelShare,
    Score,
    Weights,
)
from ._plain_scores import plain_scores
from ._recombined import CombinedScore, score_combined
from ._verdict import HorizonVerdict, Verdict, adjusted_p_value, judge, leaderboard, often
from .audit import Leak, assert_causal, find_leaks

__all__ = [
    "BEST_SO_FAR",
    "EQUAL_WEIGHTS",
    "CalibrationBin",
    "Choice",
    "CombinedScore",
    "Compared",
    "Comparison",
    "Confusion",
    "Contribution",
    "Correlation",
    "Coverage",
    "Diversity",
    "Doubt",
    "Equity",
    "Evaluation",
    "Evidence",
    "Family",
    "Fan",
    "FoldAccuracy",
    "FoldGain",
    "Gain",
    "HorizonVerdict",
    "Importance",
    "Leak",
    "LevelShare",
    "RegimeWeights",
    "Score",
    "Stability",
    "Verdict",
    "Weights",
    "accuracy_by_luck",
    "adjusted_p_value",
    "assert_causal",
    "compare",
    "contradictory",
    "evaluate",
    "family_of",
    "find_leaks",
    "judge",
    "leaderboard",
    "often",
    "plain_scores",
    "refuse_contradictions",
    "score_combined",
]
