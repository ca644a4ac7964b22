"""Moving averages from TA-Lib."""

from __future__ import annotations

from typing import Any

import numpy as np
import talib
from tests.features.oracle import Oracle

FIRST_VALUE = (
    "TA-Lib begins an EMA with a plain mean, we with the first value: here TA-Lib is fed that "
    "value as often as its mean is long"
)


def ema(values: Any, span: int) -> Any:
    """TA-Lib's EMA of what follows the NaN in front, begun at the first value; NaN before full."""
    values = np.asarray(values, float)
    start = int(np.isnan(values).sum())
    fed = np.concatenate([np.full(span - 1, values[start]), values[start:]])
    out = np.concatenate([np.full(start, np.nan), talib.EMA(fed, span)[span - 1 :]])
    out[start : start + span - 1] = np.nan
    return out


def _slope(mean: Any) -> Any:
    mean = np.asarray(mean)
    return mean / np.append(np.full(5, np.nan), mean[:-5]) - 1


def _dema(f: Any) -> Any:
    once = ema(f["close"], 20)
    return f["close"] / (2 * once - ema(once, 20)) - 1


def _tema(f: Any) -> Any:
    once = ema(f["close"], 20)
    twice = ema(once, 20)
    return f["close"] / (3 * once - 3 * twice + ema(twice, 20)) - 1


def _macd(f: Any) -> Any:
    return ema(f["close"], 12) - ema(f["close"], 26)


ORACLES = {
    "sma_distance": Oracle("TA-Lib SMA", lambda f: f["close"] / talib.SMA(f["close"], 20) - 1),
    "ema_distance": Oracle(
        "TA-Lib EMA", lambda f: f["close"] / ema(f["close"], 20) - 1, FIRST_VALUE
    ),
    "wma_distance": Oracle("TA-Lib WMA", lambda f: f["close"] / talib.WMA(f["close"], 20) - 1),
    "hma_distance": Oracle("TA-Lib HMA", lambda f: f["close"] / talib.HMA(f["close"], 20) - 1),
    "dema_distance": Oracle("TA-Lib EMA", _dema, FIRST_VALUE),
    "tema_distance": Oracle("TA-Lib EMA", _tema, FIRST_VALUE),
    "kama_distance": Oracle("TA-Lib KAMA", lambda f: f["close"] / talib.KAMA(f["close"], 10) - 1),
    "sma_slope": Oracle("TA-Lib SMA", lambda f: _slope(talib.SMA(f["close"], 20))),
    "ema_slope": Oracle("TA-Lib EMA", lambda f: _slope(ema(f["close"], 20)), FIRST_VALUE),
    "sma_cross": Oracle(
        "TA-Lib SMA", lambda f: talib.SMA(f["close"], 10) / talib.SMA(f["close"], 50) - 1
    ),
    "macd": Oracle("TA-Lib EMA", lambda f: _macd(f) / f["close"], FIRST_VALUE),
    "macd_histogram": Oracle(
        "TA-Lib EMA", lambda f: (_macd(f) - ema(_macd(f), 9)) / f["close"], FIRST_VALUE
    ),
}
