"""Feature sets by name. A set is made for a bar length, as it names its higher timeframes."""

from __future__ import annotations

from collections.abc import Callable

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.times import format_duration, parse_duration

from ._feature import Feature
from ._feature_set import FeatureSet, higher_timeframe

# Columns are written as a feature's name and, where they are not the usual ones, its parameters.
_FAST = """
    log_return 1, log_return 3, log_return 8, log_return 24, rsi, stochastic,
    sma_distance 20, macd_histogram, aroon, efficiency,
    realized_volatility, garman_klass, bollinger_position, downside_share,
    relative_volume, vwap_distance, signed_volume,
    body, gap, session_progress
"""
_FAST_HIGHER = "log_return 1, log_return 5, rsi, sma_distance 20, realized_volatility"

_CORE = """
    log_return 1, log_return 3, log_return 6, log_return 12, log_return 24, scaled_return,
    rsi, stochastic, cci, trix, true_strength, ultimate_oscillator,

    sma_distance 20, sma_distance 50, ema_distance 20, hma_distance, kama_distance, sma_slope 50,
    sma_cross, macd, macd_histogram, adx, di_difference, aroon, regression_slope, regression_r2,
    efficiency, parabolic_sar_distance,

    atr, realized_volatility 20, garman_klass, rogers_satchell, yang_zhang, bollinger_position,
    bollinger_width, keltner_position, vol_of_vol, volatility_ratio, downside_share, jump_share,
    range_ratio,

    relative_volume, relative_volume_by_time, volume_trend, obv_trend, money_flow_index,
    chaikin_money_flow, force_index, ease_of_movement, vwap_distance, session_vwap_distance,
    volume_price_correlation,

    signed_volume, bulk_imbalance, amihud, kyle_lambda, roll_spread, corwin_schultz,

    body, upper_wick, lower_wick, bar_gap, gap, streak, inside_bars, higher_highs,

    distance_to_high 50, distance_to_low 50, donchian_position, session_position,
    prior_session_position, prior_close_distance, opening_range_position, pivot_distance,
    swing_high_distance, swing_low_distance, level_strength, round_number_distance,
    vwap_distance 200, volume_above,

    skewness, kurtosis, autocorrelation, variance_ratio, hurst, entropy, fractional_difference,
    return_rank,

    trend_state, volatility_state, drawdown,

    time_of_day_sin, time_of_day_cos, day_of_week_sin, day_of_week_cos, session_progress, half_day,
    days_since_last_session
"""
_CORE_HIGHER = """
    log_return 1, log_return 5, rsi, stochastic, sma_distance 20, macd_histogram, efficiency,
    realized_volatility, bollinger_position
"""

_STACK = """
    log_return 1, log_return 3, log_return 12, scaled_return, rsi, sma_distance 20, macd_histogram,
    adx, realized_volatility, bollinger_position, relative_volume, signed_volume, body,
    session_progress
"""
_STACK_HIGHER = """
    log_return 1, log_return 3, log_return 12, rsi, stochastic, sma_distance 20, macd_histogram,
    efficiency, realized_volatility, bollinger_position, relative_volume, body
"""
_STACK_HIGHEST = """
    log_return 1, log_return 5, rsi, sma_distance 20, efficiency, realized_volatility,
    bollinger_position, donchian_position
"""
_STACK_LEVELS = """
    distance_to_high 50, distance_to_low 50, donchian_position, session_position,
    prior_session_position, prior_high_distance, prior_low_distance, prior_close_distance,
    opening_range_position, opening_range_breakout, pivot_distance, resistance_1_distance,
    support_1_distance, swing_high_distance, swing_low_distance, level_strength,
    round_number_distance, vwap_distance 200
"""

_HOURLY = """
    log_return 1, log_return 2, log_return 4, log_return 7, log_return 14, log_return 35,
    scaled_return, acceleration, rsi 7, rsi 14, stochastic, cci, trix, true_strength,

    sma_distance 7, sma_distance 20, sma_distance 50, ema_distance 20, hma_distance, sma_cross,
    macd_histogram, adx, di_difference, aroon, regression_slope, regression_r2, efficiency,

    atr, realized_volatility 7, realized_volatility 35, garman_klass, yang_zhang,
    bollinger_position, bollinger_width, keltner_position, volatility_ratio, downside_share,
    jump_share,

    relative_volume, relative_volume_by_time, volume_trend, obv_trend, money_flow_index,
    vwap_distance, session_vwap_distance, signed_volume, amihud, corwin_schultz,

    body, upper_wick, lower_wick, bar_gap, gap, streak,

    distance_to_high 35, distance_to_low 35, donchian_position, session_position,
    prior_session_position, prior_close_distance, pivot_distance, swing_high_distance,
    swing_low_distance, round_number_distance,

    skewness, autocorrelation, entropy, return_rank, trend_state, volatility_state, drawdown,
    time_of_day_sin, time_of_day_cos, day_of_week_sin, day_of_week_cos
"""
_HOURLY_HIGHER = """
    log_return 1, log_return 5, log_return 20, rsi, stochastic, sma_distance 20, macd_histogram,
    efficiency, realized_volatility, bollinger_position
"""


def _columns(text: str, timeframe: str | None = None) -> list[Feature]:
    features = []
    for column in text.split(","):
        name, *values = column.split()
        known = Feature(feature=name).kernel.params
        params = {key: float(value) for key, value in zip(known, values, strict=False)}
        features.append(Feature(feature=name, params=params, timeframe=timeframe))
    return features


def _set(*parts: list[Feature]) -> FeatureSet:
    return FeatureSet(features=tuple(feature for part in parts for feature in part))


def _fast25(bar_length_us: int) -> FeatureSet:
    return _set(_columns(_FAST), _columns(_FAST_HIGHER, higher_timeframe(bar_length_us)))


def _core107(bar_length_us: int) -> FeatureSet:
    return _set(_columns(_CORE), _columns(_CORE_HIGHER, higher_timeframe(bar_length_us)))


def _stack52(bar_length_us: int) -> FeatureSet:
    higher = higher_timeframe(bar_length_us)
    highest = higher_timeframe(parse_duration(higher))
    return _set(
        _columns(_STACK),
        _columns(_STACK_HIGHER, higher),
        _columns(_STACK_HIGHEST, highest),
        _columns(_STACK_LEVELS),
    )


def _hourly85(bar_length_us: int) -> FeatureSet:
    if bar_length_us != parse_duration("1h"):
        raise ConfigError(
            f"Set hourly85 is for bars of 1h, these are {format_duration(bar_length_us)}. Resample "
            "them, or use core107, which suits any length."
        )
    return _set(_columns(_HOURLY), _columns(_HOURLY_HIGHER, "1d"))


FEATURE_SETS: dict[str, Callable[[int], FeatureSet]] = {
    "core107": _core107,
    "fast25": _fast25,
    "hourly85": _hourly85,
    "stack52": _stack52,
}


def named_set(name: str, bar_length_us: int) -> FeatureSet:
    """The feature set called `name` for bars of this length; `ConfigError` when unknown.

    >>> named_set("fast25", 3_600_000_000).columns[-1]
    'realized_volatility_20@1d'
    """
    if name not in FEATURE_SETS:
        raise ConfigError(f"Unknown feature set {name!r}. {did_you_mean(name, FEATURE_SETS)}")
    return FEATURE_SETS[name](bar_length_us)
