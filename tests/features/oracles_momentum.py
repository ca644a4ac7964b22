"""Momentum and oscillators from TA-Lib; what it lacks, or defines otherwise, with pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import talib
from tests.features.oracle import Oracle, over_windows
from tests.features.oracles_averages import FIRST_VALUE, ema


def log_returns(f: Any) -> Any:
    return np.log(f["close"] / f["close"].shift())


def _sum(window: int, values: Any) -> Any:
    return over_windows(lambda x: x.sum(axis=1), window, values)


def _max(window: int, values: Any) -> Any:
    return over_windows(lambda x: x.max(axis=1), window, values)


def _min(window: int, values: Any) -> Any:
    return over_windows(lambda x: x.min(axis=1), window, values)


def _scaled(f: Any) -> Any:
    squares = _sum(20, log_returns(f) ** 2)
    return np.where(squares == 0, 0.0, np.log(f["close"] / f["close"].shift(20)) / squares**0.5)


def _willr(f: Any) -> Any:
    """TA-Lib's, which is 0 without a range where ours is in the middle."""
    still = _max(14, f["high"]) == _min(14, f["low"])
    return np.where(still, -50.0, talib.WILLR(f["high"], f["low"], f["close"], 14))


def _stochastic_d(f: Any) -> Any:
    return over_windows(lambda x: x.mean(axis=1), 3, 1 + _willr(f) / 100)


def _rsi(f: Any) -> Any:
    """TA-Lib's, which is 0 where nothing has moved yet."""
    never = (f["close"] == f["close"].iloc[0]).cummin()
    return np.where(never, 50.0, talib.RSI(f["close"], 14))


def _stochastic_rsi(f: Any) -> Any:
    rsi = _rsi(f)
    low, high = _min(14, rsi), _max(14, rsi)
    return np.where(high - low < 1e-9, 0.5, (rsi - low) / (high - low))


def _cmo(f: Any) -> Any:
    move = f["close"].diff()
    way = _sum(14, move.abs())
    return np.where(way == 0, 0.0, 100 * _sum(14, move) / way)


def _ultimate(f: Any) -> Any:
    low = np.minimum(f["low"], f["close"].shift()).where(f["close"].shift().notna())
    ranges = talib.TRANGE(f["high"], f["low"], f["close"])
    total = np.zeros(len(f))
    for weight, window in ((4, 7), (2, 14), (1, 28)):
        moved = _sum(window, ranges)
        share = _sum(window, f["close"] - low) / moved
        total += weight * np.where(moved == 0, 0.5, share)
    return 100 * total / 7


def _true_strength(f: Any) -> Any:
    move = f["close"].diff()
    moves, sizes = (ema(ema(each, 25), 13) for each in (move, move.abs()))
    return 100 * moves / sizes


def _trix(f: Any) -> Any:
    smooth = ema(ema(ema(f["close"], 15), 15), 15)
    return np.diff(smooth, prepend=np.nan) / np.append(np.nan, smooth[:-1])


ORACLES = {
    "log_return": Oracle("pandas", log_returns),
    "simple_return": Oracle("TA-Lib ROCP", lambda f: talib.ROCP(f["close"], 10)),
    "scaled_return": Oracle("pandas", _scaled),
    "acceleration": Oracle(
        "pandas",
        lambda f: np.log(f["close"] / f["close"].shift(10)).diff(10),
    ),
    "rsi": Oracle("TA-Lib RSI", _rsi, "before the first move TA-Lib gives 0, we 50"),
    "stochastic": Oracle(
        "TA-Lib WILLR",
        lambda f: 1 + _willr(f) / 100,
        "the same position seen from the other end; without a range TA-Lib gives 0, we the middle",
    ),
    "stochastic_d": Oracle("TA-Lib WILLR", _stochastic_d, "as `stochastic`, then a mean of three"),
    "stochastic_rsi": Oracle(
        "TA-Lib RSI", _stochastic_rsi, "TA-Lib's STOCHRSI gives 0 without a range, we the middle"
    ),
    "williams_r": Oracle("TA-Lib WILLR", _willr, "without a range TA-Lib gives 0, we -50"),
    "cci": Oracle("TA-Lib CCI", lambda f: talib.CCI(f["high"], f["low"], f["close"], 20)),
    "trix": Oracle("TA-Lib EMA", _trix, FIRST_VALUE),
    "cmo": Oracle(
        "pandas", _cmo, "TA-Lib's CMO takes Wilder's means for Chande's sums: it is 2 RSI - 100"
    ),
    "ultimate_oscillator": Oracle(
        "pandas", _ultimate, "TA-Lib's ULTOSC gives 0 where nothing moved, we 50"
    ),
    "true_strength": Oracle("TA-Lib EMA", _true_strength, FIRST_VALUE),
}
