"""Walks on the grid of a real calendar, whole, for checks to find what a test plants in them."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from barstack.bars import Bars, bars_from_table, sessions
from barstack.core.times import DAY_US

MINUTE_US = 60_000_000


def filled_table(
    calendar: str = "XNYS",
    *,
    days: int = 60,
    minutes: int = 30,
    seed: int = 0,
    hours: str = "regular",
    first: str = "2025-05-01",
    phase_minutes: int = 0,
) -> pl.DataFrame:
    """Every bar that the calendar expects on `days` sessions, with a random walk for prices.

    phase_minutes  stamps lie so long before the session's grid, as with whole-hour stamps
    """
    rng = np.random.default_rng(seed)
    length_us = minutes * MINUTE_US
    first_day = (date.fromisoformat(first) - date(1970, 1, 1)).days
    found = sessions(calendar, hours)
    if calendar == "24/7":
        stamps = first_day * DAY_US + np.arange(0, days * DAY_US, length_us)
    elif length_us == DAY_US:
        stamps = found.day[np.searchsorted(found.day, first_day) :][:days] * DAY_US
    else:
        row = int(np.searchsorted(found.day, first_day))
        spans = zip(found.open[row : row + days], found.close[row : row + days], strict=True)
        stamps = np.concatenate(
            [np.arange(a - phase_minutes * MINUTE_US, b, length_us) for a, b in spans]
        )
    return walk_table(stamps, rng)


def walk_table(stamps: Any, rng: np.random.Generator) -> pl.DataFrame:
    """Prices and volumes for these times."""
    n = len(stamps)
    close = 100.0 * np.exp(np.cumsum(0.002 * rng.standard_t(5, n)))
    opens = np.concatenate([[100.0], close[:-1]]) * np.exp(0.0005 * rng.normal(size=n))
    reach = np.exp(np.abs(0.001 * rng.normal(size=(2, n))))
    return pl.DataFrame(
        {
            "timestamp": pl.Series(stamps).cast(pl.Datetime("us", "UTC")),
            "open": opens,
            "high": np.maximum(opens, close) * reach[0],
            "low": np.minimum(opens, close) / reach[1],
            "close": close,
            "volume": rng.lognormal(8, 0.6, n).round() + 1,
        }
    )


def filled(
    calendar: str = "XNYS", *, minutes: int = 30, hours: str = "regular", **more: Any
) -> Bars:
    """`filled_table` as bars."""
    table = filled_table(calendar, minutes=minutes, hours=hours, **more)
    return to_bars(table, calendar, minutes=minutes, hours=hours)


def to_bars(
    table: pl.DataFrame, calendar: str, *, minutes: int = 30, hours: str = "regular"
) -> Bars:
    """A table's bars on a calendar."""
    length_us = minutes * MINUTE_US
    return bars_from_table(table, "WALK", length_us=length_us, calendar=calendar, hours=hours)
