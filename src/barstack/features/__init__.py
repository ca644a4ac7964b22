"""Features: incremental kernels, the columns made of them, and named sets."""

from ._answers import check_answers
from ._feature_set import (
    Feature,
    FeatureSet,
    FeatureTable,
    decisions_of,
    higher_timeframe,
)
from ._history import TOLERANCE, history_bars
from ._kernel import FEATURES, Kernel, feature
from ._panel_stream import PanelStream
from ._series_stream import check_known, read_series
from ._sets import FEATURE_SETS, named_set
from ._stream import FeatureStream

__all__ = [
    "FEATURES",
    "FEATURE_SETS",
    "TOLERANCE",
    "Feature",
    "FeatureSet",
    "FeatureStream",
    "FeatureTable",
    "Kernel",
    "PanelStream",
    "check_answers",
    "check_known",
    "decisions_of",
    "feature",
    "higher_timeframe",
    "history_bars",
    "named_set",
    "read_series",
]
