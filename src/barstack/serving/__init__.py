"""Serving: an artifact loaded and asked. No arithmetic here."""

from ._panel_stream import PanelStream
from ._predictor import Predictor, load
from ._stream import Stream

__all__ = ["PanelStream", "Predictor", "Stream", "load"]
