"""Trend, momentum, volatility, statistics and regimes in pandas: what looks at prices alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from _pandas_common import (
    Floats,
    changes,
    column,
    ema,
    log_returns,
    rolling,
    rolling_mean,
    rolling_sum,
    share,
    shift,
    true_range,
    typical,
    values,
    weighted_sum,
    wilder,
)


@column
def log_return(frame: pd.DataFrame, window: int) -> Floats:
    return log_returns(frame, window)


@column
def scaled_return(frame: pd.DataFrame, window: int) -> Floats:
    squares = rolling_sum(log_returns(frame) ** 2, window)
    return share(log_returns(frame, window), np.sqrt(squares), 0.0)


@column
def rsi(frame: pd.DataFrame, window: int) -> Floats:
    change = changes(frame)
    return share(100 * wilder(np.maximum(change, 0), window), wilder(np.abs(change), window), 50.0)


@column
def stochastic(frame: pd.DataFrame, window: int) -> Floats:
    high, low = frame["high"].rolling(window).max(), frame["low"].rolling(window).min()
    return share(frame["close"] - low, high - low, 0.5)


@column
def cci(frame: pd.DataFrame, window: int) -> Floats:
    price = typical(frame)
    mean = rolling_mean(price, window)
    late = mean[window - 1 :]
    deviation, each = np.zeros(len(late)), np.empty(len(late))
    for back in range(window):  # a sixth of the time of a sliding window's mean
        np.subtract(price[back : back + len(late)], late, out=each)
        np.abs(each, out=each)
        deviation += each
    out = np.full(len(price), np.nan)
    out[window - 1 :] = share(price[window - 1 :] - late, deviation * (0.015 / window), 0.0)
    return out


@column
def trix(frame: pd.DataFrame, span: int) -> Floats:
    smooth = ema(ema(ema(frame["close"], span), span), span)
    return smooth / shift(smooth) - 1


@column
def true_strength(frame: pd.DataFrame, slow: int, fast: int) -> Floats:
    change = changes(frame)
    moves = ema(ema(change, slow), fast)
    return share(100 * moves, ema(ema(np.abs(change), slow), fast), 0.0)


@column
def ultimate_oscillator(frame: pd.DataFrame, short: int, middle: int, long: int) -> Floats:
    bought = values(frame["close"]) - np.minimum(
        values(frame["low"]), shift(values(frame["close"]))
    )
    ranges = true_range(frame)

    def pressure(window: int) -> Floats:
        return share(rolling_sum(bought, window), rolling_sum(ranges, window), 0.5)

    return (4 * pressure(short) + 2 * pressure(middle) + pressure(long)) * (100 / 7)


@column
def sma_distance(frame: pd.DataFrame, window: int) -> Floats:
    return values(frame["close"]) / rolling_mean(frame["close"], window) - 1


@column
def ema_distance(frame: pd.DataFrame, span: int) -> Floats:
    return values(frame["close"]) / ema(frame["close"], span) - 1


@column
def hma_distance(frame: pd.DataFrame, window: int) -> Floats:
    def weighted_mean(x: Floats, window: int) -> Floats:
        weights = np.arange(window, 0, -1.0)
        return weighted_sum(x, weights / weights.sum())

    close = values(frame["close"])
    lead = 2 * weighted_mean(close, max(window // 2, 1)) - weighted_mean(close, window)
    return close / weighted_mean(lead, int(np.sqrt(window))) - 1


@column
def sma_slope(frame: pd.DataFrame, window: int) -> Floats:
    mean = rolling_mean(frame["close"], window)
    return mean / shift(mean, 5) - 1


@column
def sma_cross(frame: pd.DataFrame, fast: int, slow: int) -> Floats:
    return rolling_mean(frame["close"], fast) / rolling_mean(frame["close"], slow) - 1


@column
def macd(frame: pd.DataFrame, fast: int, slow: int) -> Floats:
    return (ema(frame["close"], fast) - ema(frame["close"], slow)) / values(frame["close"])


@column
def macd_histogram(frame: pd.DataFrame, fast: int, slow: int, signal: int) -> Floats:
    line = ema(frame["close"], fast) - ema(frame["close"], slow)
    return (line - ema(line, signal)) / values(frame["close"])


def _direction(frame: pd.DataFrame, window: int) -> tuple[Floats, Floats]:
    up, down = values(frame["high"].diff()), -values(frame["low"].diff())
    least = 1e-9 * values(frame["close"])  # moves of as many ticks are equal
    plus = np.where(up - down > least, np.maximum(up, 0), 0.0)
    minus = np.where(down - up > least, np.maximum(down, 0), 0.0)
    plus[0] = minus[0] = np.nan
    return wilder(plus, window), wilder(minus, window)


@column
def adx(frame: pd.DataFrame, window: int) -> Floats:
    plus, minus = _direction(frame, window)
    strength = share(100 * np.abs(plus - minus), plus + minus, 0.0)
    return np.concatenate([np.full(window, np.nan), wilder(strength[window:], window)])


@column
def di_difference(frame: pd.DataFrame, window: int) -> Floats:
    plus, minus = _direction(frame, window)
    return share(100 * (plus - minus), wilder(true_range(frame), window), 0.0)


@column
def aroon(frame: pd.DataFrame, window: int) -> Floats:
    def row_of_highest(x: Floats) -> Any:
        """Newest row of the highest of `window` + 1 values, from windows of half the length."""
        row, length = np.arange(len(x)), 1
        while length <= window:
            step = min(length, window + 1 - length)
            later, earlier = row[step:], row[:-step]
            row = np.where(x[later] >= x[earlier], later, earlier)
            length += step
        return row

    out = np.full(len(frame), np.nan)
    lowest = row_of_highest(-values(frame["low"]))
    out[window:] = (row_of_highest(values(frame["high"])) - lowest) * (100 / window)
    return out


def _along(close: Floats, window: int) -> Floats:
    """Least-squares slope against time."""
    time = np.arange(window, 0, -1.0) - (window + 1) / 2
    return weighted_sum(close, time / (time @ time))


@column
def regression_slope(frame: pd.DataFrame, window: int) -> Floats:
    close = values(frame["close"])
    return _along(close, window) / close


@column
def regression_r2(frame: pd.DataFrame, window: int) -> Floats:
    spread = values(frame["close"].rolling(window).var()) * (window - 1)
    explained = _along(values(frame["close"]), window) ** 2 * (window * (window**2 - 1) / 12)
    return np.minimum(share(explained, spread, 0.0), 1)


@column
def efficiency(frame: pd.DataFrame, window: int) -> Floats:
    way = rolling_sum(np.abs(changes(frame)), window)
    return np.minimum(share(np.abs(values(frame["close"].diff(window))), way, 0.0), 1)


@column
def atr(frame: pd.DataFrame, window: int) -> Floats:
    return wilder(true_range(frame), window) / values(frame["close"])


@column
def realized_volatility(frame: pd.DataFrame, window: int) -> Floats:
    return values(rolling(log_returns(frame), window).std())


@column
def garman_klass(frame: pd.DataFrame, window: int) -> Floats:
    spread = np.log(values(frame["high"]) / values(frame["low"]))
    body = np.log(values(frame["close"]) / values(frame["open"]))
    each = 0.5 * spread * spread - (2 * np.log(2) - 1) * body * body
    return np.sqrt(rolling_mean(each, window))


def _rogers_satchell(frame: pd.DataFrame) -> Floats:
    opening, body = values(frame["open"]), np.log(values(frame["close"]) / values(frame["open"]))
    up, down = np.log(values(frame["high"]) / opening), np.log(values(frame["low"]) / opening)
    return up * (up - body) + down * (down - body)


@column
def rogers_satchell(frame: pd.DataFrame, window: int) -> Floats:
    return np.sqrt(rolling_mean(_rogers_satchell(frame), window))


@column
def yang_zhang(frame: pd.DataFrame, window: int) -> Floats:
    opening, close = values(frame["open"]), values(frame["close"])
    gaps = values(rolling(np.log(opening / shift(close)), window).var())
    bodies = values(rolling(np.log(close / opening), window).var())
    k = 0.34 / (1.34 + (window + 1) / (window - 1))
    inside = rolling_mean(_rogers_satchell(frame), window)
    return np.sqrt(gaps + k * bodies + (1 - k) * inside)


@column
def bollinger_position(frame: pd.DataFrame, window: int) -> Floats:
    windows = frame["close"].rolling(window)
    return share(frame["close"] - windows.mean(), windows.std(), 0.0)


@column
def bollinger_width(frame: pd.DataFrame, window: int) -> Floats:
    windows = frame["close"].rolling(window)
    return values(4 * windows.std() / windows.mean())


@column
def keltner_position(frame: pd.DataFrame, span: int, window: int) -> Floats:
    reach = wilder(true_range(frame), window)
    return share(values(frame["close"]) - ema(frame["close"], span), reach, 0.0)


@column
def vol_of_vol(frame: pd.DataFrame, window: int) -> Floats:
    windows = rolling(rolling(log_returns(frame), window).std(), window)
    return share(values(windows.std()), values(windows.mean()), 0.0)


@column
def volatility_ratio(frame: pd.DataFrame, short: int, long: int) -> Floats:
    squares = log_returns(frame) ** 2
    return np.sqrt(share(rolling_mean(squares, short), rolling_mean(squares, long), 1.0))


@column
def downside_share(frame: pd.DataFrame, window: int) -> Floats:
    moves = log_returns(frame)
    falls = rolling_sum(np.minimum(moves, 0) ** 2, window)
    return share(falls, rolling_sum(moves * moves, window), 0.5)


@column
def jump_share(frame: pd.DataFrame, window: int) -> Floats:
    sizes = np.abs(log_returns(frame))
    smooth = rolling_sum(sizes * shift(sizes), window)
    return np.maximum(1 - np.pi / 2 * share(smooth, rolling_sum(sizes * sizes, window), 1), 0)


@column
def range_ratio(frame: pd.DataFrame, window: int) -> Floats:
    ranges = true_range(frame)
    return share(ranges, rolling_mean(ranges, window), 1.0)
