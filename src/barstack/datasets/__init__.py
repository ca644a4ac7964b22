"""Datasets: features and labels as models see them."""

from ._dataset import Dataset, Inputs, Samples, Scaler, rows_with_history

__all__ = ["Dataset", "Inputs", "Samples", "Scaler", "rows_with_history"]
