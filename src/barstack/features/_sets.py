"""Feature sets by name. A set is made for a bar length, as it names its higher timeframe."""

from __future__ import annotations

from collections.abc import Callable

from barstack.core.errors import ConfigError, did_you_mean

from ._feature_set import Feature, FeatureSet, higher_timeframe

# (feature, parameters); twenty on the bars themselves, five on the higher timeframe.
_FAST: tuple[tuple[str, dict[str, int]], ...] = (
    ("log_return", {"window": 1}),
    ("log_return", {"window": 3}),
    ("log_return", {"window": 8}),
    ("log_return", {"window": 24}),
    ("rsi", {}),
    ("stochastic", {}),
    ("sma_distance", {"window": 20}),
    ("macd_histogram", {}),
    ("aroon", {}),
    ("efficiency", {}),
    ("realized_volatility", {}),
    ("garman_klass", {}),
    ("bollinger_position", {}),
    ("downside_share", {}),
    ("relative_volume", {}),
    ("vwap_distance", {}),
    ("signed_volume", {}),
    ("body", {}),
    ("gap", {}),
    ("session_progress", {}),
)
_FAST_HIGHER: tuple[tuple[str, dict[str, int]], ...] = (
    ("log_return", {"window": 1}),
    ("log_return", {"window": 5}),
    ("rsi", {}),
    ("sma_distance", {"window": 20}),
    ("realized_volatility", {}),
)


def _fast25(bar_length_us: int) -> FeatureSet:
    timeframe = higher_timeframe(bar_length_us)
    own = [Feature(feature=name, params=dict(params)) for name, params in _FAST]
    higher = [
        Feature(feature=name, params=dict(params), timeframe=timeframe)
        for name, params in _FAST_HIGHER
    ]
    return FeatureSet(features=(*own, *higher))


FEATURE_SETS: dict[str, Callable[[int], FeatureSet]] = {"fast25": _fast25}


def named_set(name: str, bar_length_us: int) -> FeatureSet:
    """The feature set called `name` for bars of this length; `ConfigError` when unknown.

    >>> named_set("fast25", 3_600_000_000).columns[-1]
    'realized_volatility_20@1d'
    """
    if name not in FEATURE_SETS:
        raise ConfigError(f"Unknown feature set {name!r}. {did_you_mean(name, FEATURE_SETS)}")
    return FEATURE_SETS[name](bar_length_us)
