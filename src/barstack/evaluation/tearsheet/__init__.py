"""The tearsheet of a simulation: what it earned, at what risk, and beside what."""

from ._ratios import Ratios, ratios_of, value_at_risk
from ._stress import SCENARIOS, Scenario
from ._tearsheet import Tearsheet, tearsheet

__all__ = [
    "SCENARIOS",
    "Ratios",
    "Scenario",
    "Tearsheet",
    "ratios_of",
    "tearsheet",
    "value_at_risk",
]
