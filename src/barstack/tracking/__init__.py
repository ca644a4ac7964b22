"""What runs leave behind: out-of-fold forecasts and the ledger of trials."""

from ._memory import MemoryStore
from ._sqlite import SqliteStore
from ._store import OutOfFold, Store, Trial

__all__ = ["MemoryStore", "OutOfFold", "SqliteStore", "Store", "Trial"]
