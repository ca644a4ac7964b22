"""What runs leave behind: out-of-fold forecasts and the ledger of trials."""

from ._forecasts import ForecastStore
from ._ledger import Ledger
from ._memory import MemoryStore
from ._sqlite import SqliteStore
from ._store import OutOfFold, Store, Trial

__all__ = ["ForecastStore", "Ledger", "MemoryStore", "OutOfFold", "SqliteStore", "Store", "Trial"]
