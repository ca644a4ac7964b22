"""What a sweep has found: differences between settings on the same decisions, and what luck does.

Pure functions of forecasts and outcomes. Rows are decision times, columns are experiments.
"""

from .._profit import NetEdge as NetEdge
from .._profit import net_edge as net_edge
from ._answers import LevelEffect, SweepAnswer, SweepAnswers, answer_sweep
from ._combining import CombinedSeries, combine_members
from ._comparisons import MeanTests, mean_tests
from ._contrasts import Contrasts, contrasts_against, contrasts_of
from ._gate import SweepGate, gate_of, net_edges, profits_of
from ._luck import Luck, luck_of_best
from ._table import ExperimentSeries, SweepOutcomes, SweepTable, past_of, sweep_table

__all__ = [
    "CombinedSeries",
    "Contrasts",
    "ExperimentSeries",
    "LevelEffect",
    "Luck",
    "MeanTests",
    "SweepAnswer",
    "SweepAnswers",
    "SweepGate",
    "SweepOutcomes",
    "SweepTable",
    "answer_sweep",
    "combine_members",
    "contrasts_against",
    "contrasts_of",
    "gate_of",
    "luck_of_best",
    "mean_tests",
    "net_edges",
    "past_of",
    "profits_of",
    "sweep_table",
]
