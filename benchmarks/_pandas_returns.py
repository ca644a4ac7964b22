"""Statistics and regimes in pandas: what looks at returns for more than their size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from _pandas_common import (
    Floats,
    column,
    count,
    log_returns,
    rolling,
    rolling_sum,
    share,
    shift,
    values,
    weighted_sum,
)


@column
def skewness(frame: pd.DataFrame, window: int) -> Floats:
    sample = values(rolling(log_returns(frame), window).skew())
    return sample * ((window - 2) / np.sqrt(window * (window - 1)))


@column
def kurtosis(frame: pd.DataFrame, window: int) -> Floats:
    sample = values(rolling(log_returns(frame), window).kurt())
    return (sample * ((window - 2) * (window - 3) / (window - 1)) - 6) / (window + 1)


@column
def autocorrelation(frame: pd.DataFrame, window: int, gap: int) -> Floats:
    moves = log_returns(frame)
    squares = rolling_sum(moves * moves, window)
    products = rolling_sum(moves * shift(moves, gap), window)
    return share(products, np.sqrt(squares * shift(squares, gap)), 0.0)


@column
def variance_ratio(frame: pd.DataFrame, window: int, step: int) -> Floats:
    moves = rolling_sum(log_returns(frame, step) ** 2, window)
    ways = rolling_sum(rolling_sum(log_returns(frame) ** 2, step), window)
    return share(moves, ways, 1.0)


@column
def hurst(frame: pd.DataFrame, window: int) -> Floats:
    one, two, four, eight = (
        rolling_sum(log_returns(frame, span) ** 2, window) for span in (1, 2, 4, 8)
    )
    slope = np.log((eight / one) ** 3 * (four / two)) / (10 * np.log(2))
    return np.clip(np.where(eight == 0, 0.5, slope / 2), 0, 1)


@column
def entropy(frame: pd.DataFrame, window: int) -> Floats:
    close = values(frame["close"])
    rose = close[1:] >= close[:-1]
    order = 4 * rose[:-1] + 2 * rose[1:] + (close[2:] >= close[:-2])
    n = np.arange(window + 1)
    information = n * np.log(np.maximum(n, 1))
    total = np.zeros(len(order))
    for each in (0, 2, 3, 4, 5, 7):  # 1 and 6 contradict themselves
        total += information[count(order == each, window)]
    out = np.full(len(close), np.nan)
    late = total[window - 1 :]
    out[window + 1 :] = (information[window] - late) / (window * np.log(6))
    return out


@column
def fractional_difference(frame: pd.DataFrame, order: float, width: int) -> Floats:
    k = np.arange(1, width)
    weights = np.concatenate([[1.0], np.cumprod(-(order - k + 1) / k)])
    logs = np.log(values(frame["close"]))
    return weighted_sum(logs, weights) - weights.sum() * shift(logs, width)


def _rank(x: Floats, window: int) -> Floats:
    """Of the newest of each window, from 0 to 1. A sixth of the time of pandas' own."""
    newest = x[window - 1 :]
    twice: Any = np.zeros(len(newest), np.uint8 if window < 128 else np.uint16)
    for back in range(1, window):
        older = x[window - 1 - back : window - 1 - back + len(newest)]
        twice += older < newest
        twice += older <= newest
    out = np.full(len(x), np.nan)
    out[window - 1 :] = np.where(np.isnan(x[: len(newest)]), np.nan, twice / (2 * (window - 1)))
    return out


@column
def return_rank(frame: pd.DataFrame, window: int) -> Floats:
    return _rank(log_returns(frame), window)


@column
def volatility_state(frame: pd.DataFrame, window: int, long: int) -> Floats:
    volatility = values(rolling(log_returns(frame), window).std()).astype(np.float32)
    return _rank(volatility, long)


@column
def trend_state(frame: pd.DataFrame, window: int, enter: float, leave: float) -> Floats:
    way = rolling_sum(np.abs(log_returns(frame)), window)
    move = log_returns(frame, window)

    def latched(move: Floats) -> Floats:
        switch = np.where(move > enter * way, 1.0, np.where(move <= leave * way, 0.0, np.nan))
        switch[window] = np.nan_to_num(switch[window])  # begins sideways
        return values(pd.Series(switch).ffill())

    return latched(move) - latched(-move)


@column
def drawdown(frame: pd.DataFrame, window: int) -> Floats:
    return values(frame["close"] / frame["close"].rolling(window).max() - 1)
