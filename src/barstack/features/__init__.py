"""Features: incremental kernels, the columns made of them, and named sets."""

from . import (  # noqa: F401 (each registers its features)
    _calendar,
    _candles,
    _levels,
    _momentum,
    _statistics,
    _trend,
    _volatility,
    _volume,
)
from ._feature_set import (
    Feature,
    FeatureSet,
    FeatureStream,
    FeatureTable,
    decisions_of,
    higher_timeframe,
)
from ._kernel import FEATURES, Kernel, feature
from ._series_stream import check_known, read_series
from ._sets import FEATURE_SETS, named_set

__all__ = [
    "FEATURES",
    "FEATURE_SETS",
    "Feature",
    "FeatureSet",
    "FeatureStream",
    "FeatureTable",
    "Kernel",
    "check_known",
    "decisions_of",
    "feature",
    "higher_timeframe",
    "named_set",
    "read_series",
]
