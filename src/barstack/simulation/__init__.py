"""Simulation: one account that bars and decisions move on, the same in history and live."""

from ._book import Book
from ._difference import PathDifference, PathDifferences, explain_difference
from ._path import DecisionPath, simulate_signals
from ._records import EventKind, OrderKind, Reason
from ._settings import Costs, Fills, Instrument, Limits, Settings
from ._simulation import Simulation, simulate_targets
from ._targets import Events, Targets

__all__ = [
    "Book",
    "Costs",
    "DecisionPath",
    "EventKind",
    "Events",
    "Fills",
    "Instrument",
    "Limits",
    "OrderKind",
    "PathDifference",
    "PathDifferences",
    "Reason",
    "Settings",
    "Simulation",
    "Targets",
    "explain_difference",
    "simulate_signals",
    "simulate_targets",
]
