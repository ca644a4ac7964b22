"""The same features by TA-Lib and polars, for `features.py`: nanoseconds a bar, on one thread."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import talib

from barstack.features import Feature, FeatureSet
from barstack.features._view import NO_MARKET, REAL, WHOLE, initial_view, view

Work = Callable[[], Any]
Timer = Callable[[Work], float]


def _talib(c: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """What computes the same column, conventions of its start aside."""
    _, high, low, close, volume = c.values()
    t, bars = talib, (high, low, close)

    def log_returns() -> Any:
        return np.log(t.ROCR(close, 1))

    def bollinger() -> Any:
        top, middle, bottom = t.BBANDS(close, 20)
        return (top - bottom) / middle * math.sqrt(20 / 19)

    def donchian() -> Any:
        top, bottom = t.MAX(high, 20)[:-1], t.MIN(low, 20)[:-1]
        return np.append(np.nan, (close[1:] - bottom) / (top - bottom))

    return {
        "log_return": log_returns,
        "rsi": lambda: t.RSI(close, 14),
        "stochastic": lambda: t.WILLR(*bars, 14) * 0.01 + 1,
        "cci": lambda: t.CCI(*bars, 20),
        "trix": lambda: t.TRIX(close, 15) * 0.01,
        "ultimate_oscillator": lambda: t.ULTOSC(*bars, 7, 14, 28),
        "sma_distance": lambda: close / t.SMA(close, 20) - 1,
        "ema_distance": lambda: close / t.EMA(close, 20) - 1,
        "hma_distance": lambda: close / t.HMA(close, 20) - 1,
        "kama_distance": lambda: close / t.KAMA(close, 10) - 1,
        "sma_cross": lambda: t.SMA(close, 10) / t.SMA(close, 50) - 1,
        "macd_histogram": lambda: t.MACD(close)[2] / close,
        "adx": lambda: t.ADX(*bars, 14),
        "di_difference": lambda: t.PLUS_DI(*bars, 14) - t.MINUS_DI(*bars, 14),
        "aroon": lambda: t.AROONOSC(high, low, 25),
        "parabolic_sar_distance": lambda: close / t.SAR(high, low, 0.02, 0.2) - 1,
        "regression_slope": lambda: t.LINEARREG_SLOPE(close, 20) / close,
        "atr": lambda: t.NATR(*bars, 14) * 0.01,
        "realized_volatility": lambda: t.STDDEV(log_returns(), 20) * math.sqrt(20 / 19),
        "bollinger_width": bollinger,
        "money_flow_index": lambda: t.MFI(*bars, volume, 14),
        "volume_price_correlation": lambda: t.CORREL(log_returns(), volume, 20),
        "distance_to_high": lambda: np.log(close / t.MAX(high, 50)),
        "donchian_position": donchian,
        "drawdown": lambda: close / t.MAX(close, 250) - 1,
    }


def _polars() -> dict[str, pl.Expr]:
    high, low, close, volume = (pl.col(name) for name in ("high", "low", "close", "volume"))
    move, spread = (close / close.shift(1)).log(), (high / low).log()
    top, bottom = high.rolling_max(14), low.rolling_min(14)
    body = (close / pl.col("open")).log()
    inside = 0.5 * spread**2 - (2 * math.log(2) - 1) * body**2
    price = (high + low + close) / 3
    money = (price * volume).rolling_sum(20)
    fast, slow = (close.ewm_mean(span=span, adjust=False) for span in (12, 26))
    return {
        "log_return": move,
        "stochastic": (close - bottom) / (top - bottom),
        "sma_distance": close / close.rolling_mean(20) - 1,
        "ema_distance": close / close.ewm_mean(span=20, adjust=False) - 1,
        "sma_cross": close.rolling_mean(10) / close.rolling_mean(50) - 1,
        "macd": (fast - slow) / close,
        "realized_volatility": move.rolling_std(20),
        "garman_klass": inside.rolling_mean(20).sqrt(),
        "bollinger_position": (close - close.rolling_mean(20)) / close.rolling_std(20),
        "bollinger_width": 4 * close.rolling_std(20) / close.rolling_mean(20),
        "relative_volume": (volume / volume.rolling_mean(20)).log().clip(-5, 5),
        "vwap_distance": close * volume.rolling_sum(20) / money - 1,
        "distance_to_high": (close / high.rolling_max(50)).log(),
        "drawdown": close / close.rolling_max(250) - 1,
        "skewness": move.rolling_skew(50),
        "kurtosis": move.rolling_kurtosis(50),
    }


def peers(bars: Any, frame: pd.DataFrame, median_s: Timer) -> dict[str, Any]:
    """Nanoseconds a bar of each feature that TA-Lib or polars has, and the median ratios.

    ours    the kernel on columns of what it sees of bars, as TA-Lib is given columns of prices
    alone   a set of this feature alone, from bars to table
    """
    columns = {n: frame[n].to_numpy(float) for n in ("open", "high", "low", "close", "volume")}
    table = pl.DataFrame(columns)
    by_talib, by_polars = _talib(columns), _polars()
    of_polars = {name: _lazily(table, each) for name, each in by_polars.items()}
    scale = 1e9 / len(frame)
    whole, real = _seen(bars)
    found: dict[str, Any] = {}
    for name in sorted({*by_talib, *by_polars}):
        params = {"window": 50} if name == "distance_to_high" else {}
        feature = Feature(feature=name, params=params)
        features = FeatureSet(features=(feature,))
        column = features.compute(bars, threads=1).values[:, 0]
        row = {
            "ours": scale * median_s(partial(_run, feature, whole, real)),
            "alone": scale * median_s(partial(features.compute, bars, threads=1)),
        }
        for who, work in (("talib", by_talib.get(name)), ("polars", of_polars.get(name))):
            if work is not None:
                _check(name, who, column, np.asarray(work(), float).ravel())
                row[who] = scale * median_s(work)
        found[name] = row
        print(f"  {name:25}" + "".join(f"{who:>8} {ns:5.1f} ns" for who, ns in row.items()))
    medians = {
        f"ours_to_{who}": float(np.median([r["ours"] / r[who] for r in found.values() if who in r]))
        for who in ("talib", "polars")
    }
    return medians | found


def _lazily(table: pl.DataFrame, expression: pl.Expr) -> Work:
    return lambda: table.select(expression)


def _seen(bars: Any) -> tuple[Any, Any]:
    """What features see of all bars, in columns."""
    whole = np.zeros((len(WHOLE), len(bars)), np.int64)
    real = np.zeros((len(REAL), len(bars)))
    view(initial_view(), bars.records, NO_MARKET, whole, real)
    return whole, real


def _run(feature: Any, whole: Any, real: Any) -> Any:
    kernel, out = feature.kernel, np.empty(whole.shape[1])
    state, params = np.zeros(kernel.memory_for(feature.values)), np.array(feature.values, float)
    kernel.loop(state, whole, real, out, params)
    return out


def _check(name: str, who: str, ours: Any, theirs: Any) -> None:
    """They must be the same once the start is forgotten, or the timing says nothing."""
    late = slice(len(ours) // 2, None)
    if not np.allclose(ours[late], theirs[late], rtol=1e-5, atol=1e-5 * np.abs(ours[late]).mean()):
        raise SystemExit(f"{name} by {who} is another formula than ours")
