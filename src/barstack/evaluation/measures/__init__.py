"""Measures with intervals: of ranks, classes and probabilities, and of trading after costs.

Every error comes from leaving out one block of time after the other, so it allows for labels that
overlap, rows of one moment and clustered volatility; intervals use Student's t, as blocks are few.
"""

from .._standard_errors import TimeBlocks, blocks_of, overlap_of
from ._classes import ClassMeasures, brier, calibration_error, class_measures
from ._measure import Measure
from ._ranks import StrengthGroup, hit_rate_by_strength, icir, rank_ic_measure
from ._trading import TradingMeasures, drawdown_interval, trading_measures

__all__ = [
    "ClassMeasures",
    "Measure",
    "StrengthGroup",
    "TimeBlocks",
    "TradingMeasures",
    "blocks_of",
    "brier",
    "calibration_error",
    "class_measures",
    "drawdown_interval",
    "hit_rate_by_strength",
    "icir",
    "overlap_of",
    "rank_ic_measure",
    "trading_measures",
]
