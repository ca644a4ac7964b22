"""Volume features by TA-Lib, and written out slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
import talib
from tests.features.oracle import Oracle, over_windows


def total(window: int, *columns: Any) -> Any:
    """Sum over each window of the product of the columns."""
    return over_windows(lambda *parts: np.prod(parts, axis=0).sum(axis=1), window, *columns)


def ratio(part: Any, whole: Any, empty: float = 0.0) -> Any:
    """part / whole, `empty` where the whole is 0."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.where(whole == 0, empty, part / np.where(whole == 0, 1, whole))


def log_ratio(part: Any, whole: Any) -> Any:
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(part / whole).clip(-5, 5)
    return np.where((part == 0) & (whole == 0), 0.0, logs)


def typical(f: Any) -> Any:
    return (f["high"] + f["low"] + f["close"]) / 3


def log_returns(f: Any) -> Any:
    return np.log(f["close"] / f["close"].shift())


def location(f: Any) -> Any:
    """From -1 where a bar closed at its low to 1 at its high."""
    return ratio(2 * f["close"] - f["high"] - f["low"], f["high"] - f["low"])


def _by_time(f: Any) -> Any:
    slot = ((f["opened_at"] - f["session_open"]) // 300_000_000).clip(0, 287)
    by_session = f["volume"].groupby([slot, f["session"]]).mean().rename_axis(["slot", "session"])
    before = by_session.groupby("slot").transform(
        lambda means: means.shift().rolling(10, min_periods=1).mean()
    )
    usual = before.loc[list(zip(slot, f["session"], strict=True))].to_numpy()
    sessions = f["session"].rank(method="dense").to_numpy() - 1
    values = np.where(np.isnan(usual), 0.0, log_ratio(f["volume"], usual))
    return np.where(sessions < 10, np.nan, values)


def _zscore(f: Any) -> Any:
    mean = over_windows(lambda v: v.mean(axis=1), 20, f["volume"])
    return ratio(f["volume"] - mean, over_windows(lambda v: _deviation(v, ddof=1), 20, f["volume"]))


def _deviation(values: Any, ddof: int = 0) -> Any:
    """Standard deviation of each row, exactly 0 where all are equal."""
    return np.where(np.ptp(values, axis=1) == 0, 0.0, values.std(axis=1, ddof=ddof))


def _correlation(f: Any) -> Any:
    def of(x: Any, y: Any) -> Any:
        both = ((x - x.mean(axis=1)[:, None]) * (y - y.mean(axis=1)[:, None])).mean(axis=1)
        return ratio(both, _deviation(x) * _deviation(y))

    values = over_windows(of, 20, log_returns(f), f["volume"])
    values[:20] = np.nan
    return values


def _obv(f: Any) -> Any:
    balance: Any = talib.OBV(f["close"], f["volume"])
    return ratio(balance - balance.shift(20), total(20, f["volume"]))


def _money_flow_index(f: Any) -> Any:
    # In whole billionths, so that equal typical prices are equal to the last bit.
    high, low, close = (np.round(f[name] * 1e9) for name in ("high", "low", "close"))
    flowing = total(14, f["volume"] * ((high + low + close).diff() != 0)) > 0
    return np.where(flowing, talib.MFI(high, low, close, f["volume"], 14), 50.0)


def _chaikin_oscillator(f: Any) -> Any:
    lines = talib.ADOSC(f["high"], f["low"], f["close"], f["volume"], 3, 10)
    return ratio(lines, f["volume"].ewm(span=10, adjust=False).mean())


def _force(f: Any) -> Any:
    force = (log_returns(f) * f["volume"])[1:].ewm(span=13, adjust=False).mean()
    usual = f["volume"][1:].ewm(span=13, adjust=False).mean()
    return np.concatenate([[np.nan], ratio(force, usual)])


def _ease(f: Any) -> Any:
    middle = (f["high"] + f["low"]) / 2
    move = middle.pct_change()

    def of(moves: Any, ranges: Any, volumes: Any) -> Any:
        usual_range = ranges.mean(axis=1)[:, None]
        usual_volume = volumes.mean(axis=1)[:, None]
        box = ratio(ratio(volumes, usual_volume), ratio(ranges, usual_range))
        return ratio(moves, box).mean(axis=1)

    values = over_windows(of, 14, move, f["high"] - f["low"], f["volume"])
    values[:14] = np.nan
    return values


def _session_vwap(f: Any) -> Any:
    out = []
    for _, day in f.groupby("session"):
        money = (typical(day) * day["volume"]).cumsum()
        out.append(ratio(day["close"] * day["volume"].cumsum(), money, 1.0) - 1)
    return np.concatenate(out)


ORACLES: dict[str, Oracle] = {
    "log_volume": Oracle("pandas", lambda f: np.log1p(f["volume"])),
    "relative_volume": Oracle(
        "pandas", lambda f: log_ratio(f["volume"], total(20, f["volume"]) / 20)
    ),
    "relative_volume_by_time": Oracle("pandas", _by_time),
    "volume_zscore": Oracle("pandas", _zscore),
    "volume_trend": Oracle(
        "pandas", lambda f: log_ratio(total(5, f["volume"]) / 5, total(50, f["volume"]) / 50)
    ),
    "dollar_volume": Oracle(
        "pandas", lambda f: np.log(1 + total(20, f["close"], f["volume"]) / 20)
    ),
    "relative_dollar_volume": Oracle(
        "pandas",
        lambda f: log_ratio(f["close"] * f["volume"], total(100, f["close"], f["volume"]) / 100),
    ),
    "volume_price_correlation": Oracle("pandas", _correlation),
    "obv_trend": Oracle(
        "TA-Lib OBV",
        _obv,
        "ours is its change over 20 bars, divided by the volume of these",
    ),
    "money_flow_index": Oracle(
        "TA-Lib MFI",
        _money_flow_index,
        "TA-Lib has 0 where no money flowed, ours 50",
    ),
    "chaikin_money_flow": Oracle(
        "pandas", lambda f: ratio(total(20, location(f), f["volume"]), total(20, f["volume"]))
    ),
    "chaikin_oscillator": Oracle(
        "TA-Lib ADOSC",
        _chaikin_oscillator,
        "ours is divided by the exponential mean of volume over 10 bars",
    ),
    "force_index": Oracle("pandas", _force),
    "ease_of_movement": Oracle("pandas", _ease),
    "vwap_distance": Oracle(
        "pandas",
        lambda f: (
            ratio(f["close"] * total(20, f["volume"]), total(20, typical(f), f["volume"]), 1.0) - 1
        ),
    ),
    "session_vwap_distance": Oracle("pandas", _session_vwap),
}
