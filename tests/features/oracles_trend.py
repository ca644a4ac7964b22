"""Trend from TA-Lib, and Wilder's means by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import talib
from tests.features.oracle import Oracle, over_windows


def wilder(values: Any, window: int) -> Any:
    """Plain mean of the first `window` values past NaN, then each bar weighs 1 / window."""
    values = np.asarray(values, float)
    out = np.full(len(values), np.nan)
    start = int(np.isnan(values).sum()) + window - 1
    out[start] = np.nanmean(values[: start + 1])
    for row in range(start + 1, len(values)):
        out[row] = (out[row - 1] * (window - 1) + values[row]) / window
    return out


def _directions(f: Any, window: int = 14) -> tuple[Any, Any]:
    """+DI and -DI, without the 100."""
    up, down = f["high"].diff(), -f["low"].diff()
    least = 1e-9 * f["close"]  # more than rounding, less than a tick
    plus = up.where((up - down > least) & (up > 0), 0.0).where(up.notna())
    minus = down.where((down - up > least) & (down > 0), 0.0).where(up.notna())
    true_range = wilder(talib.TRANGE(f["high"], f["low"], f["close"]), window)
    return wilder(plus, window) / true_range, wilder(minus, window) / true_range


def _adx(f: Any) -> Any:
    plus, minus = _directions(f)
    return wilder(100 * np.abs(plus - minus) / (plus + minus), 14)


def _di_difference(f: Any) -> Any:
    plus, minus = _directions(f)
    return 100 * (plus - minus)


def _vortex(f: Any) -> Any:
    swing = (f["high"] - f["low"].shift()).abs() - (f["low"] - f["high"].shift()).abs()
    ranges = talib.TRANGE(f["high"], f["low"], f["close"])
    way = over_windows(lambda x: x.sum(axis=1), 14, ranges)
    return np.where(way == 0, 0.0, over_windows(lambda x: x.sum(axis=1), 14, swing) / way)


def _r2(f: Any) -> Any:
    def r2(close: Any) -> Any:
        x = close - close.mean(axis=1, keepdims=True)
        t = np.arange(20) - 9.5
        return (x @ t) ** 2 / (t @ t) / (x * x).sum(axis=1)

    spread = over_windows(lambda x: x.max(axis=1) - x.min(axis=1), 20, f["close"])
    return np.where(spread == 0, 0.0, over_windows(r2, 20, f["close"]))


def _efficiency(f: Any) -> Any:
    way = over_windows(lambda d: d.sum(axis=1), 20, f["close"].diff().abs())
    return np.where(way == 0, 0.0, f["close"].diff(20).abs() / way)


ORACLES = {
    "adx": Oracle(
        "pandas",
        _adx,
        "TA-Lib begins its sums one bar shorter, and lets rounding decide between equal moves",
    ),
    "di_difference": Oracle(
        "pandas",
        _di_difference,
        "as `adx`, with TA-Lib's PLUS_DI and MINUS_DI",
    ),
    "aroon": Oracle("TA-Lib AROONOSC", lambda f: talib.AROONOSC(f["high"], f["low"], 25)),
    "vortex": Oracle("pandas", _vortex, "TA-Lib's VORTEX has no value where nothing moved"),
    "regression_slope": Oracle(
        "TA-Lib LINEARREG_SLOPE", lambda f: talib.LINEARREG_SLOPE(f["close"], 20) / f["close"]
    ),
    "regression_r2": Oracle("numpy", _r2),
    "efficiency": Oracle("pandas", _efficiency),
    "parabolic_sar_distance": Oracle(
        "TA-Lib SAR", lambda f: f["close"] / talib.SAR(f["high"], f["low"]) - 1
    ),
}
