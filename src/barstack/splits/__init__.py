"""Splits: folds in time, purged by the labels' own `known_at`."""

from ._inner import early_stop_split, inner_folds
from ._memory import memory_bars
from ._parts import PARTS, UNUSED, FoldParts, SplitPicture, fold_parts, picture
from ._sklearn import SklearnFolds, for_sklearn
from ._spans import Span
from ._splitter import SPLITTERS, Fold, Splitter, paths, register
from ._splitters import Chronological, CombinatorialPurged, HoldOut, PurgedKFold, WalkForward

__all__ = [
    "PARTS",
    "SPLITTERS",
    "UNUSED",
    "Chronological",
    "CombinatorialPurged",
    "Fold",
    "FoldParts",
    "HoldOut",
    "PurgedKFold",
    "SklearnFolds",
    "Span",
    "SplitPicture",
    "Splitter",
    "WalkForward",
    "early_stop_split",
    "fold_parts",
    "for_sklearn",
    "inner_folds",
    "memory_bars",
    "paths",
    "picture",
    "register",
]
