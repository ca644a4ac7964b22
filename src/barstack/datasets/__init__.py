"""Datasets: features and labels as models see them."""

from ._dataset import Dataset, RowWeights
from ._export import ExportRows, check_free, export, export_folds, parts_of
from ._history import MAX_GAP, history, recent_history, rows_with_history, usable_rows
from ._inputs import Inputs, NewestRow, Samples, narrowed, window_view
from ._scaler import SCALERS, FittedScaler, Scaler, register
from ._scalers import LinearScaler, RankGaussScaler, RobustScaler, StandardScaler

__all__ = [
    "MAX_GAP",
    "SCALERS",
    "Dataset",
    "ExportRows",
    "FittedScaler",
    "Inputs",
    "LinearScaler",
    "NewestRow",
    "RankGaussScaler",
    "RobustScaler",
    "RowWeights",
    "Samples",
    "Scaler",
    "StandardScaler",
    "check_free",
    "export",
    "export_folds",
    "history",
    "narrowed",
    "parts_of",
    "recent_history",
    "register",
    "rows_with_history",
    "usable_rows",
    "window_view",
]
