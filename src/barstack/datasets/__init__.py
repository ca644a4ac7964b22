"""Datasets: features and labels as models see them."""

from ._dataset import Dataset, Inputs, Samples, Scaler

__all__ = ["Dataset", "Inputs", "Samples", "Scaler"]
