"""Candles by TA-Lib, and written out slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
import talib
from tests.features.oracle import Oracle, over_windows
from tests.features.oracles_volume import ratio


def _gap(f: Any) -> Any:
    first = f.groupby("session")["open"].first()
    last = f.groupby("session")["close"].last()
    return f["session"].map(np.log(first / last.shift()))


def _streak(f: Any) -> Any:
    sign = np.sign(f["close"].diff())
    run = sign.groupby((sign != sign.shift()).cumsum()).cumcount() + 1
    return sign * run


def _over_range(f: Any, size: Any, empty: float) -> Any:
    usual = over_windows(lambda r: r.mean(axis=1), 20, f["high"] - f["low"])
    return ratio(size, usual, empty)


def _doji(f: Any) -> Any:
    usual = over_windows(lambda r: r.mean(axis=1), 10, (f["high"] - f["low"]).shift())
    size = (f["close"] - f["open"]).abs()
    values = np.where(size == 0, 1.0, np.maximum(1 - ratio(size, 0.1 * usual, np.inf), 0))
    values[:10] = np.nan
    return values


def _inside(f: Any) -> Any:
    high, low = f["high"].shift(), f["low"].shift()
    within = (f["high"] <= high) & (f["low"] >= low)
    return _known(within & ~((f["high"] == high) & (f["low"] == low)))


def _outside(f: Any) -> Any:
    high, low = f["high"].shift(), f["low"].shift()
    around = (f["high"] >= high) & (f["low"] <= low)
    return _known(around & ~((f["high"] == high) & (f["low"] == low)))


def _known(flags: Any, first: int = 1) -> Any:
    """As numbers, NaN in the rows before `first`."""
    return flags.astype(float).where(np.arange(len(flags)) >= first)


def _higher_highs(f: Any) -> Any:
    high, low = np.sign(f["high"].diff()), np.sign(f["low"].diff())
    side = _known((high + low) / 2 * (high == low))
    return over_windows(lambda s: s.mean(axis=1), 10, side)


def _engulfing(f: Any) -> Any:
    # TA-Lib judges the third bar first, so the first is put in front once more.
    bars = (np.r_[f[name].iloc[0], f[name]] for name in ("open", "high", "low", "close"))
    found = talib.CDLENGULFING(*bars)[1:]
    had_body = f["open"].shift() != f["close"].shift()
    return _known(np.sign(found) * had_body)


def _key_reversal(f: Any) -> Any:
    before, change = f.shift(), f["close"].diff()
    up = (f["low"] < before["low"]) & (change > 0)
    down = (f["high"] > before["high"]) & (change < 0)
    return _known(up.astype(float) - down.astype(float))


def _three_bars(f: Any) -> Any:
    lowest = f["low"].rolling(3).apply(lambda low: low[1] < min(low[0], low[2]), raw=True)
    highest = f["high"].rolling(3).apply(lambda high: high[1] > max(high[0], high[2]), raw=True)
    up = (lowest == 1) & (f["close"] > f["high"].shift())
    down = (highest == 1) & (f["close"] < f["low"].shift())
    return _known(up.astype(float) - down.astype(float), 2)


ORACLES: dict[str, Oracle] = {
    "body": Oracle("pandas", lambda f: ratio(f["close"] - f["open"], f["high"] - f["low"])),
    "upper_wick": Oracle(
        "pandas",
        lambda f: ratio(f["high"] - f[["open", "close"]].max(axis=1), f["high"] - f["low"]),
    ),
    "lower_wick": Oracle(
        "pandas",
        lambda f: ratio(f[["open", "close"]].min(axis=1) - f["low"], f["high"] - f["low"]),
    ),
    "wick_balance": Oracle(
        "pandas",
        lambda f: ratio(
            f["open"] + f["close"] - f["high"] - f["low"],
            f["high"] - f["low"] - (f["close"] - f["open"]).abs(),
        ),
    ),
    "close_location": Oracle(
        "pandas", lambda f: ratio(f["close"] - f["low"], f["high"] - f["low"], 0.5)
    ),
    "gap": Oracle("pandas", _gap),
    "bar_gap": Oracle("pandas", lambda f: np.log(f["open"] / f["close"].shift())),
    "range_expansion": Oracle("pandas", lambda f: _over_range(f, f["high"] - f["low"], 1.0)),
    "body_expansion": Oracle("pandas", lambda f: _over_range(f, f["close"] - f["open"], 0.0)),
    "doji": Oracle("pandas", _doji),
    "streak": Oracle("pandas", _streak),
    "inside_bar": Oracle("pandas", _inside),
    "outside_bar": Oracle("pandas", _outside),
    "inside_bars": Oracle(
        "pandas", lambda f: over_windows(lambda i: i.mean(axis=1), 10, _inside(f))
    ),
    "higher_highs": Oracle("pandas", _higher_highs),
    "engulfing": Oracle(
        "TA-Lib CDLENGULFING",
        _engulfing,
        "TA-Lib takes a bar that closed at its open for a rising one; ours is not engulfed",
    ),
    "key_reversal": Oracle("pandas", _key_reversal),
    "three_bar_reversal": Oracle("pandas", _three_bars),
}
