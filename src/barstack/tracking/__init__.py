"""What runs leave behind: out-of-fold forecasts and the ledger of trials."""

from ._forecasts import ForecastStore, OutOfFold
from ._ledger import Ledger

__all__ = ["ForecastStore", "Ledger", "OutOfFold"]
