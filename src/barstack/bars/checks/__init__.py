"""Checks of whole series of bars: small functions, and findings that say what to do."""

from ._examine import Examined, examine
from ._finding import Defect, Finding, Level, in_short, refuse
from ._registry import CHECKS, LEVELS, Check, check, find, levels_of
from ._structure import STRUCTURAL, structural
from ._subject import Gaps, Subject

__all__ = [
    "CHECKS",
    "LEVELS",
    "STRUCTURAL",
    "Check",
    "Defect",
    "Examined",
    "Finding",
    "Gaps",
    "Level",
    "Subject",
    "check",
    "examine",
    "find",
    "in_short",
    "levels_of",
    "refuse",
    "structural",
]
