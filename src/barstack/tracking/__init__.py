"""What runs leave behind: out-of-fold forecasts, the ledger of trials, and all experiments."""

from ._bar_prints import BarPrint
from ._experiment import (
    EnsembleRecord,
    EpochMeasure,
    Experiment,
    Predictions,
    RegimePerformance,
)
from ._instruments import plain_name, trials_on
from ._memory import MemoryStore
from ._open import (
    USER_LEDGER,
    SharedLedgerStore,
    UserLedgerStore,
    open_store,
    open_tracker,
    user_ledger_folder,
)
from ._postgres import PostgresStore
from ._sqlite import SqliteStore
from ._store import Anchor, OutOfFold, Store, Trial
from ._sweep_size import SweepSize
from ._tracker import ExperimentTracker

__all__ = [
    "USER_LEDGER",
    "Anchor",
    "BarPrint",
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
    "UserLedgerStore",
    "open_store",
    "open_tracker",
    "plain_name",
    "trials_on",
    "user_ledger_folder",
]
