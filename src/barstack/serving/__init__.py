"""Serving: an artifact loaded and asked. No arithmetic here."""

from ._predictor import Predictor, Stream, load

__all__ = ["Predictor", "Stream", "load"]
