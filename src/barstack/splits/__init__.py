"""Splits: folds in time, purged by the labels' own `known_at`."""

from . import _crossed  # noqa: F401 (registers it)
from ._forward import Chronological, WalkForward
from ._splitter import SPLITTERS, Fold, Span, Splitter, early_stop_split, register

__all__ = [
    "SPLITTERS",
    "Chronological",
    "Fold",
    "Span",
    "Splitter",
    "WalkForward",
    "early_stop_split",
    "register",
]
