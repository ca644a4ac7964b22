"""Labels: what is forecast, with `decided_at` and `known_at`."""

from . import _labels  # noqa: F401 (registers them)
from ._label import LABELS, Label, LabelTable, Outcome, register
from ._returns import ReturnLabel, forward_return

__all__ = [
    "LABELS",
    "Label",
    "LabelTable",
    "Outcome",
    "ReturnLabel",
    "forward_return",
    "register",
]
