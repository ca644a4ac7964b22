"""Features: incremental kernels, the columns made of them, and named sets."""

from ._checks import check_known, check_values
from ._feature import Feature
from ._feature_set import (
    FeatureSet,
    FeatureTable,
    higher_timeframe,
)
from ._history import TOLERANCE, history_bars
from ._kernel import FEATURES, Kernel, feature
from ._named_sets import FEATURE_SETS, named_set
from ._series import read_series
from ._streams import FeaturePanelStream, FeatureStream

__all__ = [
    "FEATURES",
    "FEATURE_SETS",
    "TOLERANCE",
    "Feature",
    "FeaturePanelStream",
    "FeatureSet",
    "FeatureStream",
    "FeatureTable",
    "Kernel",
    "check_known",
    "check_values",
    "feature",
    "higher_timeframe",
    "history_bars",
    "named_set",
    "read_series",
]
