"""Small made-up bars for examples and contract suites."""

from __future__ import annotations

import numpy as np

from barstack.bars import BAR, Bars
from barstack.core.times import DAY_US

_START_DAY = 20_458  # Monday 2026-01-05


def walk(
    bars: int = 1500,
    *,
    seed: int = 0,
    symbol: str = "WALK",
    length_us: int = 1_800_000_000,
    missing: float = 0.0,
) -> Bars:
    """A random walk in sessions of 6.5 hours with nights, weekends, and a half day each Friday.

    missing  share of bars taken out at random

    >>> walk(bars=3)
    Bars(WALK, 3 x 30min, 2026-01-05 14:30 UTC .. 2026-01-05 16:00 UTC)
    """
    rng = np.random.default_rng(seed)
    records = np.zeros(bars, BAR)
    row, day = 0, _START_DAY
    while row < bars:
        opens = day * DAY_US + 52_200_000_000
        hours = 3.5 if day % 7 == 1 else 6.5  # days since 1970, a Thursday: 1 is a Friday
        closes = opens + int(hours * 3_600_000_000)
        if (day + 3) % 7 < 5:
            for opened_at in range(opens, closes, length_us):
                if row < bars:
                    records[row]["opened_at"] = opened_at
                    records[row]["closed_at"] = min(opened_at + length_us, closes)
                    records[row]["session"] = day
                    records[row]["session_open"], records[row]["session_close"] = opens, closes
                    row += 1
        day += 1
    close = 100.0 * np.exp(np.cumsum(0.004 * rng.standard_t(5, bars)))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(0.001 * rng.normal(size=bars))
    reach = np.exp(np.abs(0.002 * rng.normal(size=(2, bars))))
    records["open"], records["close"] = opening, close
    records["high"] = np.maximum(opening, close) * reach[0]
    records["low"] = np.minimum(opening, close) / reach[1]
    records["volume"] = rng.lognormal(8, 1, bars).round()
    if missing:
        records = records[rng.random(bars) >= missing]
    return Bars(symbol, length_us, records.copy())
