"""Conformal layer: prediction intervals and class sets that keep their coverage as markets change.

What was wrong before widens what is predicted next. Outcomes become known late: each prediction
uses only scores whose outcomes were known by its decision, and each outcome is held against the
prediction that was made.
"""

from ._intervals import ConformalIntervals, PredictedInterval
from ._replay import intervals_of, sets_of
from ._scale import NewestScale, scales_of
from ._sets import ConformalSets, PredictedSet
from ._threshold import Method, Threshold

__all__ = [
    "ConformalIntervals",
    "ConformalSets",
    "Method",
    "NewestScale",
    "PredictedInterval",
    "PredictedSet",
    "Threshold",
    "intervals_of",
    "scales_of",
    "sets_of",
]
