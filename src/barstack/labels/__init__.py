"""Labels: what is forecast, with `decided_at` and `known_at`."""

from . import _labels  # noqa: F401 (registers them)
from ._label import LABELS, Label, LabelTable, forward_return, register

__all__ = ["LABELS", "Label", "LabelTable", "forward_return", "register"]
