"""Labels: what is forecast, with `decided_at` and `known_at`."""

from . import _genetic, _labels, _meta, _three_class  # noqa: F401 (registers them)
from ._calls import fitted_on, latest_known_at
from ._holding import HoldingLabel
from ._label import LABELS, Label, LabelTable, Outcome, register
from ._returns import ReturnLabel, forward_return
from ._triple_barrier import TripleBarrier
from ._weights import SampleWeights, uniqueness

__all__ = [
    "LABELS",
    "HoldingLabel",
    "Label",
    "LabelTable",
    "Outcome",
    "ReturnLabel",
    "SampleWeights",
    "TripleBarrier",
    "fitted_on",
    "forward_return",
    "latest_known_at",
    "register",
    "uniqueness",
]
