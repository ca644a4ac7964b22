"""The strategies of `simulation.py` as plain targets, the same for every system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from barstack.bars import BAR, Bars
from barstack.core.arrays import Floats

MINUTE = 60_000_000
UNITS = 10.0
STOP, TAKE = 0.004, 0.006


def made_up(count: int, seed: int, symbol: str = "A") -> Bars:
    """Bars of a walk with steps like those of a share within the day."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.0005, count)))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0.0, 0.0001, count))
    records = np.zeros(count, BAR)
    records["opened_at"] = 1_600_000_020_000_000 + np.arange(count) * MINUTE
    records["closed_at"] = records["opened_at"] + MINUTE
    records["session"] = records["opened_at"] // 86_400_000_000
    records["session_open"] = records["session"] * 86_400_000_000
    records["session_close"] = records["session_open"] + 86_400_000_000
    records["open"], records["close"] = opening, close
    reach = np.abs(rng.normal(0.0, 0.0003, (2, count)))
    records["high"] = np.maximum(opening, close) * (1.0 + reach[0])
    records["low"] = np.minimum(opening, close) * (1.0 - reach[1])
    records["volume"] = rng.lognormal(8, 1, count).round() + 1.0
    return Bars(symbol, MINUTE, records)


def real(folder: Path, name: str) -> Bars:
    """Bars of a parquet file, as bars that follow one another without calendar."""
    import polars as pl  # noqa: PLC0415

    table = pl.read_parquet(folder / name)
    times = table["timestamp"].dt.epoch("us").to_numpy()
    length = int(np.median(np.diff(times)))
    records = np.zeros(len(table), BAR)
    records["opened_at"], records["closed_at"] = times, times + length
    records["session"] = times // 86_400_000_000
    records["session_close"] = (records["session"] + 1) * 86_400_000_000
    for column in ("open", "high", "low", "close", "volume"):
        records[column] = table[column].to_numpy()
    return Bars(Path(name).stem, length, records)


def average_cross(close: Floats) -> Floats:
    """(n_bars,) units to hold from each close on: long above, short below."""
    import pandas as pd  # noqa: PLC0415

    line = pd.Series(close)
    fast, slow = line.rolling(20).mean(), line.rolling(60).mean()
    return np.where(slow.notna(), np.where(fast > slow, UNITS, -UNITS), 0.0)


def rsi_reversion(close: Floats) -> Floats:
    """Long below 30 until above 50, short above 70 until below 50."""
    import pandas as pd  # noqa: PLC0415

    change = pd.Series(close).diff()
    up = change.clip(lower=0.0).ewm(alpha=1 / 14, adjust=False).mean()
    down = (-change.clip(upper=0.0)).ewm(alpha=1 / 14, adjust=False).mean()
    rsi = (100.0 - 100.0 / (1.0 + up / down)).to_numpy()
    held, found = 0.0, np.zeros(len(close))
    for row in range(20, len(close)):
        if (held > 0 and rsi[row] > 50) or (held < 0 and rsi[row] < 50):
            held = 0.0
        if rsi[row] < 30:
            held = UNITS
        elif rsi[row] > 70:
            held = -UNITS
        found[row] = held
    return found


def forecast_threshold(close: Floats, seed: int, every: int = 40) -> Floats:
    """Now and then a side by a made-up forecast, NaN between: stops and targets leave it."""
    rng = np.random.default_rng(seed)
    found = np.full(len(close), np.nan)
    rows = np.arange(100, len(close) - 1, every)
    found[rows] = UNITS * rng.choice([-1.0, 1.0], len(rows))
    return found


def changes(target: Floats) -> tuple[Any, Floats]:
    """Rows at which the target changes, and its values there."""
    known = np.flatnonzero(np.isfinite(target))
    values = target[known]
    new = np.append(True, values[1:] != values[:-1]) if len(values) else np.zeros(0, bool)
    if len(values):
        new[0] = values[0] != 0.0
    return known[new], values[new]
