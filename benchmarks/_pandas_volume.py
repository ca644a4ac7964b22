"""Volume, microstructure and candles in pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _pandas_common import (
    MINUTE_US,
    Floats,
    before,
    changes,
    column,
    count,
    ema,
    first_rows,
    log_ratio,
    log_returns,
    rolling,
    rolling_mean,
    rolling_sum,
    share,
    shift,
    through_session,
    typical,
    values,
)
from scipy.special import erf


@column
def relative_volume(frame: pd.DataFrame, window: int) -> Floats:
    return log_ratio(values(frame["volume"]), rolling_mean(frame["volume"], window))


@column
def relative_volume_by_time(frame: pd.DataFrame, sessions: int, minutes: int) -> Floats:
    since_open = frame["opened_at"].to_numpy() - frame["session_open"].to_numpy()
    last = -(-1440 // minutes) - 1
    slot = np.clip(since_open // (MINUTE_US * minutes), 0, last).astype(np.int16)
    session, volume = frame["session"].to_numpy(), values(frame["volume"])
    new = np.flatnonzero((slot[1:] != slot[:-1]) | (session[1:] != session[:-1])) + 1
    start = np.concatenate([[0], new])
    bars = np.diff(start, append=len(frame))
    mean = np.add.reduceat(volume, start) / bars
    # By slot, then by time: the sessions before stand in the places before.
    by_slot = np.argsort(slot[start], kind="stable")
    of_slot, mean = slot[start][by_slot], mean[by_slot]
    total, known = np.zeros(len(mean)), np.zeros(len(mean), np.int16)
    for back in range(1, sessions + 1):
        same = of_slot[back:] == of_slot[:-back]
        total[back:] += np.where(same, mean[:-back], 0.0)
        known[back:] += same
    usual = np.empty(len(mean))
    usual[by_slot] = share(total, known, np.nan)
    usual = np.repeat(usual, bars)
    out = np.where(np.isnan(usual), 0.0, log_ratio(volume, usual))
    first = first_rows(frame)
    out[: first[sessions] if len(first) > sessions else None] = np.nan
    return out


@column
def volume_trend(frame: pd.DataFrame, short: int, long: int) -> Floats:
    return log_ratio(rolling_mean(frame["volume"], short), rolling_mean(frame["volume"], long))


@column
def obv_trend(frame: pd.DataFrame, window: int) -> Floats:
    volume = values(frame["volume"])
    return share(
        rolling_sum(np.sign(changes(frame)) * volume, window), rolling_sum(volume, window), 0.0
    )


@column
def money_flow_index(frame: pd.DataFrame, window: int) -> Floats:
    price = typical(frame)
    flow = price * values(frame["volume"])
    change, hair = price - shift(price), 1e-12 * price
    change[np.abs(change) <= hair] = 0.0  # the same prices added up in another order
    rises = rolling_sum(np.where(change <= 0, 0.0, flow * np.sign(change)), window)
    both = rolling_sum(np.abs(np.sign(change)) * flow, window)
    return 100 * share(rises, both, 0.5)


def _location(frame: pd.DataFrame) -> Floats:
    high, low = values(frame["high"]), values(frame["low"])
    return share(2 * values(frame["close"]) - high - low, high - low, 0.0)


@column
def chaikin_money_flow(frame: pd.DataFrame, window: int) -> Floats:
    volume = values(frame["volume"])
    flow = rolling_sum(_location(frame) * volume, window)
    return share(flow, rolling_sum(volume, window), 0.0)


@column
def force_index(frame: pd.DataFrame, span: int) -> Floats:
    moves, volume = log_returns(frame), values(frame["volume"])
    usual = np.concatenate([[np.nan], volume[1:]])
    return share(ema(moves * volume, span), ema(usual, span), 0.0)


@column
def ease_of_movement(frame: pd.DataFrame, window: int) -> Floats:
    high, low, volume = values(frame["high"]), values(frame["low"]), values(frame["volume"])
    middle, spread = (high + low) / 2, high - low
    moved = share((middle / shift(middle) - 1) * spread, volume, 0.0)
    usual = rolling_sum(volume, window) / window
    return share(rolling_sum(moved, window) * usual, rolling_sum(spread, window), 0.0)


@column
def vwap_distance(frame: pd.DataFrame, window: int) -> Floats:
    volume = values(frame["volume"])
    money = rolling_sum(typical(frame) * volume, window)
    return share(values(frame["close"]) * rolling_sum(volume, window), money, 1.0) - 1


@column
def session_vwap_distance(frame: pd.DataFrame) -> Floats:
    by = pd.DataFrame({"money": typical(frame) * frame["volume"], "volume": frame["volume"]})
    so_far = by.groupby(frame["session"], sort=False).cumsum()
    money = values(so_far["money"])
    return share(values(frame["close"]) * values(so_far["volume"]), money, 1.0) - 1


@column
def volume_price_correlation(frame: pd.DataFrame, window: int) -> Floats:
    both = rolling(log_returns(frame), window).corr(frame["volume"])
    return np.clip(values(both), -1, 1)


@column
def signed_volume(frame: pd.DataFrame, window: int) -> Floats:
    volume = values(frame["volume"])
    signed = rolling_sum(body(frame) * volume, window)
    return share(signed, rolling_sum(volume, window), 0.0)


@column
def bulk_imbalance(frame: pd.DataFrame, window: int) -> Floats:
    moves, volume = log_returns(frame), values(frame["volume"])
    usual = np.sqrt(2 * rolling_mean(moves * moves, window))
    signed = rolling_sum(erf(share(moves, usual, 0.0)) * volume, window)
    return share(signed, rolling_sum(volume, window), 0.0)


@column
def amihud(frame: pd.DataFrame, window: int) -> Floats:
    money = values(frame["close"]) * values(frame["volume"])
    moved = rolling_sum(share(np.abs(log_returns(frame)), money, 0.0), window)
    traded = count(money > 0, window)
    return share(moved * rolling_sum(money, window), traded * traded, 0.0)


@column
def kyle_lambda(frame: pd.DataFrame, window: int) -> Floats:
    volume = values(frame["volume"])
    products = rolling_sum(np.abs(log_returns(frame)) * volume, window)
    usual = rolling_sum(volume, window) / window
    return share(products * usual, rolling_sum(volume * volume, window), 0.0)


@column
def roll_spread(frame: pd.DataFrame, window: int) -> Floats:
    moves = log_returns(frame)
    mean = rolling_sum(moves, window) / window
    covariance = rolling_sum(moves * shift(moves), window) / window - mean * shift(mean)
    return 2 * np.sqrt(np.maximum(-covariance, 0) * (window / (window - 1)))


@column
def corwin_schultz(frame: pd.DataFrame, window: int) -> Floats:
    logs = {name: np.log(values(frame[name])) for name in ("high", "low", "close")}
    high, low = logs["high"], logs["low"]
    high_before, low_before, close = (shift(logs[name]) for name in ("high", "low", "close"))
    moved = np.maximum(close - high, 0) + np.minimum(close - low, 0)
    both = np.maximum(high_before, high + moved) - np.minimum(low_before, low + moved)
    root = np.sqrt((high_before - low_before) ** 2 + (high - low) ** 2)
    steep = (np.sqrt(2) + 1) * (root - both)
    return rolling_mean(2 * np.tanh(0.5 * np.maximum(steep, 0)), window)


@column
def body(frame: pd.DataFrame) -> Floats:
    opening, close = values(frame["open"]), values(frame["close"])
    return share(close - opening, values(frame["high"]) - values(frame["low"]), 0.0)


@column
def upper_wick(frame: pd.DataFrame) -> Floats:
    high, top = values(frame["high"]), np.maximum(values(frame["open"]), values(frame["close"]))
    return share(high - top, high - values(frame["low"]), 0.0)


@column
def lower_wick(frame: pd.DataFrame) -> Floats:
    low, bottom = values(frame["low"]), np.minimum(values(frame["open"]), values(frame["close"]))
    return share(bottom - low, values(frame["high"]) - low, 0.0)


@column
def bar_gap(frame: pd.DataFrame) -> Floats:
    return np.log(values(frame["open"]) / shift(values(frame["close"])))


@column
def gap(frame: pd.DataFrame) -> Floats:
    first = first_rows(frame)
    closes = values(frame["close"])[np.append(first[1:], len(frame)) - 1]
    return through_session(frame, first, np.log(values(frame["open"])[first] / before(closes)))


@column
def streak(frame: pd.DataFrame) -> Floats:
    sign = np.sign(changes(frame))
    row = np.arange(len(sign))
    other = np.concatenate([[True], sign[1:] != sign[:-1]])
    return sign * (row - np.maximum.accumulate(np.where(other, row, 0)) + 1)


@column
def inside_bars(frame: pd.DataFrame, window: int) -> Floats:
    high, low = values(frame["high"]), values(frame["low"])
    before_high, before_low = shift(high), shift(low)
    within = (high <= before_high) & (low >= before_low)
    within &= (high < before_high) | (low > before_low)
    return _share_of_window(count(within, window), window)


@column
def higher_highs(frame: pd.DataFrame, window: int) -> Floats:
    high, low = values(frame["high"].diff()), values(frame["low"].diff())
    side = ((high > 0) & (low > 0)).astype(np.int8)
    side -= (high < 0) & (low < 0)
    return _share_of_window(count(side, window), window)


def _share_of_window(found: np.ndarray[tuple[int], np.dtype[np.int64]], window: int) -> Floats:
    out = found / window
    out[:window] = np.nan  # the first bar has none before it
    return out
