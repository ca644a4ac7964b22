"""Features: incremental kernels, the columns made of them, and named sets."""

from . import (  # noqa: F401 (each registers its features)
    _averages,
    _bands,
    _calendar,
    _candles,
    _cross_symbol,
    _dates,
    _flow,
    _impact,
    _levels,
    _momentum,
    _oscillators,
    _patterns,
    _persistence,
    _ranges,
    _ranks,
    _regime,
    _round_numbers,
    _session_levels,
    _spreads,
    _statistics,
    _swings,
    _trend,
    _volatility,
    _volume,
    _volume_at_price,
)
from ._feature_set import (
    Feature,
    FeatureSet,
    FeatureTable,
    decisions_of,
    higher_timeframe,
)
from ._kernel import FEATURES, Kernel, feature
from ._panel_stream import PanelStream
from ._sets import FEATURE_SETS, named_set
from ._stream import FeatureStream

__all__ = [
    "FEATURES",
    "FEATURE_SETS",
    "Feature",
    "FeatureSet",
    "FeatureStream",
    "FeatureTable",
    "Kernel",
    "PanelStream",
    "decisions_of",
    "feature",
    "higher_timeframe",
    "named_set",
]
