"""Portfolio: from forecasts to positions, the same in evaluation, simulation and live trading."""

from .intervals import side_of_interval, side_of_set, size_of_interval
from .signals import side_of
from .sizing import Sizer
from .strategy import Signals, Strategy
from .unit_rule import Holdings, UnitPosition, holdings_of, unit_positions

__all__ = [
    "Holdings",
    "Signals",
    "Sizer",
    "Strategy",
    "UnitPosition",
    "holdings_of",
    "side_of",
    "side_of_interval",
    "side_of_set",
    "size_of_interval",
    "unit_positions",
]
