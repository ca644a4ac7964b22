"""Labels: what is forecast, with `decided_at` and `known_at`."""

from ._genetic import GeneticBarriers
from ._holding import HoldingLabel
from ._label import LABELS, Label, LabelTable, Outcome, fitted_on, latest_known_at, register
from ._meta import Meta, Side
from ._regime import REGIME_TARGET, regime_labels
from ._returns import Direction, ForwardReturn, Quantiles, ReturnLabel, forward_return
from ._three_class import ThreeClass, ThreeClassQuantiles, ThreeClassVolatility
from ._triple_barrier import TripleBarrier
from ._weights import SampleWeights, uniqueness

__all__ = [
    "LABELS",
    "REGIME_TARGET",
    "Direction",
    "ForwardReturn",
    "GeneticBarriers",
    "HoldingLabel",
    "Label",
    "LabelTable",
    "Meta",
    "Outcome",
    "Quantiles",
    "ReturnLabel",
    "SampleWeights",
    "Side",
    "ThreeClass",
    "ThreeClassQuantiles",
    "ThreeClassVolatility",
    "TripleBarrier",
    "fitted_on",
    "forward_return",
    "latest_known_at",
    "regime_labels",
    "register",
    "uniqueness",
]
