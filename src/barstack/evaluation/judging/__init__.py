"""Judging what was made elsewhere: forecasts, positions, trades or the value of an account."""

from ._formats import HistoryOptions, history_of
from ._history import KINDS, FilledOrders, History, Kind, TimedValues
from ._judgement import Judgement, Stretch, judge_history
from ._matrix import MatrixFindings
from ._suspicions import Suspicion
from ._table import Exported, read_table

__all__ = [
    "KINDS",
    "Exported",
    "FilledOrders",
    "History",
    "HistoryOptions",
    "Judgement",
    "Kind",
    "MatrixFindings",
    "Stretch",
    "Suspicion",
    "TimedValues",
    "history_of",
    "judge_history",
    "read_table",
]
