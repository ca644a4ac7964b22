"""Serving: an artifact loaded and asked. No arithmetic here."""

from ._models import Models
from ._panel_stream import PanelStream
from ._predictor import Predictor, load
from ._stream import Stream

__all__ = ["Models", "PanelStream", "Predictor", "Stream", "load"]
