"""Levels written out slowly: by session with pandas, swings and the profile bar by bar."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from tests.features.oracle import Oracle, over_windows
from tests.features.oracles_volume import ratio


def _highest(window: int, high: Any) -> Any:
    return over_windows(lambda h: h.max(axis=1), window, high)


def _lowest(window: int, low: Any) -> Any:
    return over_windows(lambda values: values.min(axis=1), window, low)


def _donchian(f: Any) -> Any:
    high, low = _highest(20, f["high"].shift()), _lowest(20, f["low"].shift())
    return np.where(np.isnan(high), np.nan, ratio(f["close"] - low, high - low, 0.5))


def _session_position(f: Any) -> Any:
    by = f.groupby("session")
    high, low = by["high"].cummax(), by["low"].cummin()
    return ratio(f["close"] - low, high - low, 0.5)


def _prior(f: Any) -> tuple[Any, Any, Any]:
    """High, low and close of the session before."""
    by = f.groupby("session")
    days = (by["high"].max(), by["low"].min(), by["close"].last())
    high, low, close = (f["session"].map(each.shift()) for each in days)
    return high, low, close


def _prior_position(f: Any) -> Any:
    high, low, _ = _prior(f)
    return ratio(f["close"] - low, high - low, 0.5)


def _pivot(f: Any, times: int, less: str = "") -> Any:
    high, low, close = _prior(f)
    level = times * (high + low + close) / 3 - {"": 0, "high": high, "low": low}[less]
    return (f["close"] - level) / f["close"]


def _opening_range(f: Any) -> tuple[Any, Any]:
    """High and low so far of each session's first half hour, or of its first bar."""
    first = f["session"] != f["session"].shift()
    opening = first | (f["opened_at"] < f["session_open"] + 30 * 60_000_000)
    high = f["high"].where(opening).groupby(f["session"]).cummax().ffill()
    low = f["low"].where(opening).groupby(f["session"]).cummin().ffill()
    return high, low


def _opening_position(f: Any) -> Any:
    high, low = _opening_range(f)
    return ratio(f["close"] - low, high - low, 0.5)


def _breakout(f: Any) -> Any:
    high, low = _opening_range(f)
    side = (f["close"] > high).astype(float) - (f["close"] < low).astype(float)
    return side.where(side != 0).groupby(f["session"]).ffill().fillna(0.0)


def _sessions_since(f: Any, column: str, sign: int) -> Any:
    best = (sign * f[column]).groupby(f["session"]).max()
    so_far = (sign * f[column]).groupby(f["session"]).cummax().to_numpy()
    place = f["session"].rank(method="dense").to_numpy().astype(int) - 1
    out = np.full(len(f), np.nan)
    for row, session in enumerate(place):
        if session >= 20:
            seen = [*best.iloc[session - 20 : session], so_far[row]]
            out[row] = 20 - max(index for index, value in enumerate(seen) if value == max(seen))
    return out


def _swings(f: Any, column: str, sign: int) -> Iterator[tuple[int, list[float], float]]:
    """(row, swings known at it from the latest on, extreme of 11 bars), strength 5."""
    values = sign * f[column].to_numpy()
    found: list[float] = []
    for row in range(10, len(values)):
        middle, window = values[row - 5], values[row - 10 : row + 1]
        if middle == max(window) and middle > max(values[row - 4 : row + 1]):
            found.insert(0, sign * middle)
        yield row, found, sign * max(window)


def _swing_distance(f: Any, column: str, sign: int) -> Any:
    out = np.full(len(f), np.nan)
    for row, found, extreme in _swings(f, column, sign):
        out[row] = math.log(f["close"].iloc[row] / (found[0] if found else extreme))
    return out


def _both(f: Any) -> Iterator[tuple[int, float, list[float], list[float]]]:
    highs, lows = _swings(f, "high", 1), _swings(f, "low", -1)
    close = f["close"].to_numpy()
    for (row, high, _), (_, low, _) in zip(highs, lows, strict=True):
        yield row, close[row], high[:4], low[:4]


def _swing_position(f: Any) -> Any:
    out = np.full(len(f), np.nan)
    for row, close, highs, lows in _both(f):
        above = [level for level in highs + lows if level > close]
        below = [level for level in highs + lows if level <= close]
        if above and below:
            out[row] = (close - max(below)) / (min(above) - max(below))
        else:
            out[row] = 0.0 if above else 1.0 if below else 0.5
    return out


def _strength(f: Any) -> Any:
    usual = over_windows(lambda r: r.mean(axis=1), 11, f["high"] - f["low"])
    out = np.full(len(f), np.nan)
    for row, close, highs, lows in _both(f):
        near = [1 - abs(close - level) / usual[row] for level in highs + lows if usual[row] > 0]
        out[row] = sum(max(each, 0.0) for each in near)
    return out


def _structure(f: Any) -> Any:
    out = np.full(len(f), np.nan)
    for row, _, highs, lows in _both(f):
        pairs = [kind[:2] for kind in (highs, lows) if len(kind) > 1]
        out[row] = sum(np.sign(latest - before) / 2 for latest, before in pairs)
    return out


def _round(f: Any) -> Any:
    steps = np.array([n * 10.0**power for power in range(-12, 9) for n in (1, 2, 5)])
    step = steps[np.searchsorted(steps, 0.02 * f["close"].to_numpy(), side="right") - 1]
    return np.abs(f["close"] / step - np.round(f["close"] / step))


def _profile(f: Any) -> tuple[Any, Any]:
    """(distance to the fullest bin, share above); bins by their number in a dictionary."""
    fade = 1 - 2 / 201
    price, middle = np.log(f["close"]), np.log(f["high"] * f["low"] * f["close"]) / 3
    usual = np.log(f["high"] / f["low"]).ewm(span=200, adjust=False).mean()
    width, lowest, bins = 2.0**-20, 0, dict[int, float]()
    distance, above = np.full(len(f), np.nan), np.full(len(f), np.nan)
    for row in range(len(f)):
        bins = {place: volume * fade for place, volume in bins.items()}
        while usual[row] >= 2 * width:
            width, lowest, wider = 2 * width, lowest // 2, dict[int, float]()
            for place, volume in bins.items():
                wider[place // 2] = wider.get(place // 2, 0.0) + volume
            bins = wider
        while usual[row] < width and width > 2.0**-20:
            lowest = 2 * (math.floor(price[row] / width) - 16)
            width /= 2
            bins = {2 * p + side: v / 2 for p, v in bins.items() for side in (0, 1)}
        now = math.floor(price[row] / width)
        if not lowest <= now < lowest + 64:
            lowest = now - 32
        bins = {place: volume for place, volume in bins.items() if 0 <= place - lowest < 64}
        into = min(max(math.floor(middle[row] / width), lowest), lowest + 63)
        bins[into] = bins.get(into, 0.0) + f["volume"].iloc[row]
        if row >= 199:
            total = sum(bins.values())
            fullest = max(bins, key=lambda place: bins[place])
            over = sum(volume for place, volume in bins.items() if place > now)
            distance[row] = price[row] - (fullest + 0.5) * width if total > 0 else 0.0
            above[row] = (over + bins.get(now, 0.0) / 2) / total if total > 0 else 0.5
    return distance, above


ORACLES: dict[str, Oracle] = {
    "distance_to_high": Oracle("pandas", lambda f: np.log(f["close"] / _highest(50, f["high"]))),
    "distance_to_low": Oracle("pandas", lambda f: np.log(f["close"] / _lowest(50, f["low"]))),
    "donchian_position": Oracle("pandas", _donchian),
    "session_position": Oracle("pandas", _session_position),
    "prior_session_position": Oracle("pandas", _prior_position),
    "prior_high_distance": Oracle("pandas", lambda f: np.log(f["close"] / _prior(f)[0])),
    "prior_low_distance": Oracle("pandas", lambda f: np.log(f["close"] / _prior(f)[1])),
    "prior_close_distance": Oracle("pandas", lambda f: np.log(f["close"] / _prior(f)[2])),
    "pivot_distance": Oracle("pandas", lambda f: _pivot(f, 1)),
    "resistance_1_distance": Oracle("pandas", lambda f: _pivot(f, 2, "low")),
    "support_1_distance": Oracle("pandas", lambda f: _pivot(f, 2, "high")),
    "opening_range_position": Oracle("pandas", _opening_position),
    "opening_range_breakout": Oracle("pandas", _breakout),
    "sessions_since_high": Oracle("pandas", lambda f: _sessions_since(f, "high", 1)),
    "sessions_since_low": Oracle("pandas", lambda f: _sessions_since(f, "low", -1)),
    "swing_high_distance": Oracle("pandas", lambda f: _swing_distance(f, "high", 1)),
    "swing_low_distance": Oracle("pandas", lambda f: _swing_distance(f, "low", -1)),
    "swing_position": Oracle("pandas", _swing_position),
    "level_strength": Oracle("pandas", _strength),
    "swing_structure": Oracle("pandas", _structure),
    "round_number_distance": Oracle("pandas", _round),
    "volume_peak_distance": Oracle("pandas", lambda f: _profile(f)[0]),
    "volume_above": Oracle("pandas", lambda f: _profile(f)[1]),
}
