"""Volatility: true ranges from TA-Lib, estimators from their papers, bands."""

from __future__ import annotations

from typing import Any

import numpy as np
import talib
from tests.features.oracle import Oracle, over_windows
from tests.features.oracles_averages import FIRST_VALUE, ema
from tests.features.oracles_momentum import log_returns


def _mean(window: int, values: Any) -> Any:
    return over_windows(lambda x: x.mean(axis=1), window, values)


def _std(window: int, values: Any) -> Any:
    return over_windows(lambda x: x.std(axis=1, ddof=1), window, values)


def _var(window: int, values: Any) -> Any:
    return over_windows(lambda x: x.var(axis=1, ddof=1), window, values)


def _or(neutral: float, still: Any, values: Any) -> Any:
    return np.where(still, neutral, values)


def true_range(f: Any) -> Any:
    return talib.TRANGE(f["high"], f["low"], f["close"])


def _range_ratio(f: Any) -> Any:
    mean = _mean(20, true_range(f))
    return _or(1.0, mean == 0, true_range(f) / mean)


def _rogers_satchell(f: Any) -> Any:
    up, down = np.log(f["high"] / f["open"]), np.log(f["low"] / f["open"])
    body = np.log(f["close"] / f["open"])
    return up * (up - body) + down * (down - body)


def _yang_zhang(f: Any) -> Any:
    gap = np.log(f["open"] / f["close"].shift())
    body = np.log(f["close"] / f["open"]).where(gap.notna())
    inside = _rogers_satchell(f).where(gap.notna())
    k = 0.34 / (1.34 + 21 / 19)
    return np.sqrt(_var(20, gap) + k * _var(20, body) + (1 - k) * _mean(20, inside))


def _garman_klass(f: Any) -> Any:
    spread, body = np.log(f["high"] / f["low"]), np.log(f["close"] / f["open"])
    return np.sqrt(_mean(20, 0.5 * spread**2 - (2 * np.log(2) - 1) * body**2))


def _ewma(f: Any) -> Any:
    squares = log_returns(f).iloc[1:] ** 2
    return np.sqrt(squares.ewm(span=32, adjust=False).mean()).reindex(f.index)


def _vol_of_vol(f: Any) -> Any:
    each = _std(20, log_returns(f))
    mean = _mean(20, each)
    return _or(0.0, mean == 0, _std(20, each) / mean)


def _volatility_ratio(f: Any) -> Any:
    squares = log_returns(f) ** 2
    usual = _mean(100, squares)
    return _or(1.0, usual == 0, np.sqrt(_mean(10, squares) / usual))


def _downside_share(f: Any) -> Any:
    moves = log_returns(f)
    both = _mean(20, moves**2)
    return _or(0.5, both == 0, _mean(20, moves.clip(upper=0) ** 2) / both)


def _jump_share(f: Any) -> Any:
    sizes = log_returns(f).abs()
    squares = _mean(50, sizes**2)
    share = 1 - np.pi / 2 * _mean(50, sizes * sizes.shift()) / squares
    return _or(0.0, squares == 0, np.maximum(share, 0))


def _bollinger_position(f: Any) -> Any:
    spread = over_windows(lambda x: x.max(axis=1) - x.min(axis=1), 20, f["close"])
    position = (f["close"] - _mean(20, f["close"])) / _std(20, f["close"])
    return _or(0.0, spread == 0, position)


def _keltner(f: Any) -> tuple[Any, Any]:
    middle = ema(f["close"], 20)
    return middle, talib.ATR(f["high"], f["low"], f["close"], 10)


def _keltner_position(f: Any) -> Any:
    middle, reach = _keltner(f)
    return (f["close"] - middle) / reach


def _keltner_width(f: Any) -> Any:
    middle, reach = _keltner(f)
    return 4 * reach / middle


_KELTNER = (
    f"TA-Lib's KC lies around the mean typical price, ours around the mean close. {FIRST_VALUE}"
)

ORACLES = {
    "true_range": Oracle("TA-Lib TRANGE", lambda f: true_range(f) / f["close"]),
    "atr": Oracle(
        "TA-Lib NATR",
        lambda f: talib.NATR(f["high"], f["low"], f["close"], 14) / 100,
        "in per cent",
    ),
    "range_ratio": Oracle("TA-Lib TRANGE", _range_ratio),
    "parkinson": Oracle(
        "pandas",
        lambda f: np.sqrt(_mean(20, np.log(f["high"] / f["low"]) ** 2) / (4 * np.log(2))),
    ),
    "garman_klass": Oracle("pandas", _garman_klass),
    "rogers_satchell": Oracle("pandas", lambda f: np.sqrt(_mean(20, _rogers_satchell(f)))),
    "yang_zhang": Oracle("pandas", _yang_zhang),
    "realized_volatility": Oracle("pandas", lambda f: _std(20, log_returns(f))),
    "ewma_volatility": Oracle("pandas", _ewma),
    "vol_of_vol": Oracle("pandas", _vol_of_vol),
    "volatility_ratio": Oracle("pandas", _volatility_ratio),
    "downside_share": Oracle("pandas", _downside_share),
    "downside_volatility": Oracle(
        "pandas", lambda f: np.sqrt(_mean(20, log_returns(f).clip(upper=0) ** 2))
    ),
    "upside_volatility": Oracle(
        "pandas", lambda f: np.sqrt(_mean(20, log_returns(f).clip(lower=0) ** 2))
    ),
    "jump_share": Oracle("pandas", _jump_share),
    "bollinger_position": Oracle(
        "pandas", _bollinger_position, "TA-Lib's BBANDS divides by n, we by n - 1"
    ),
    "bollinger_width": Oracle(
        "pandas",
        lambda f: 4 * _std(20, f["close"]) / _mean(20, f["close"]),
        "TA-Lib's BBANDS divides by n, we by n - 1",
    ),
    "keltner_position": Oracle("TA-Lib EMA, ATR", _keltner_position, _KELTNER),
    "keltner_width": Oracle("TA-Lib EMA, ATR", _keltner_width, _KELTNER),
}
