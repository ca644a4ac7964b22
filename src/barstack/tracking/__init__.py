"""What runs leave behind: out-of-fold forecasts, the ledger of trials, and all experiments."""

from ._experiment import (
    EnsembleRecord,
    EpochMeasure,
    Experiment,
    Predictions,
    RegimePerformance,
)
from ._memory import MemoryStore
from ._open import SharedLedgerStore, open_store, open_tracker
from ._postgres import PostgresStore
from ._sqlite import SqliteStore
from ._store import OutOfFold, Store, Trial
from ._sweep_size import SweepSize
from ._tracker import ExperimentTracker

__all__ = [
    "EnsembleRecord",
    "EpochMeasure",
    "Experiment",
    "ExperimentTracker",
    "MemoryStore",
    "OutOfFold",
    "PostgresStore",
    "Predictions",
    "RegimePerformance",
    "SharedLedgerStore",
    "SqliteStore",
    "Store",
    "SweepSize",
    "Trial",
    "open_store",
    "open_tracker",
]
