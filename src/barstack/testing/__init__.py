"""Contract suites for barstack's own parts and for plugins. Nothing in barstack imports this room."""

from ._bars import walk
from ._features import FEATURE_CHECKS

__all__ = ["FEATURE_CHECKS", "walk"]
