"""Longer bars among short ones, and in their place, are found; bars that are missing are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.bars.filled import filled_table, to_bars

from barstack.bars.checks import Finding, find
from barstack.core.times import DAY_US

GRIDS: list[dict[str, Any]] = [
    {"calendar": "24/7", "minutes": 15, "days": 40},
    {"calendar": "24/7", "minutes": 1440, "days": 400},
    {"calendar": "XNYS", "minutes": 30, "days": 80, "first": "2025-10-20"},
    {"calendar": "XNYS", "minutes": 1440, "days": 500},
    {"calendar": "FX", "minutes": 60, "days": 60, "first": "2025-10-20"},
]


def lengths_in(table: pl.DataFrame, grid: dict[str, Any]) -> list[Finding]:
    bars = to_bars(table, grid["calendar"], minutes=grid["minutes"])
    return [each for each in find(bars, calendar=grid["calendar"]) if each.check == "longer_bars"]


@pytest.mark.parametrize("times", [2, 4])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_stretch_of_longer_bars_refuses(grid: dict[str, Any], times: int) -> None:
    table = filled_table(**grid)
    half = len(table) // 2
    later = table[half:].gather_every(times)
    (found,) = lengths_in(pl.concat([table[:half], later]), grid)
    assert found.level == "refuse"
    assert abs(found.count - len(later)) <= 2
    begins = later["timestamp"][0].timestamp() * 1e6
    assert found.first_at_us is not None
    assert begins - 4 * DAY_US <= found.first_at_us <= begins + DAY_US  # a weekend may lie between


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_whole_series_of_longer_bars_refuses(grid: dict[str, Any]) -> None:
    table = filled_table(**grid).gather_every(4)[:24]
    assert len(lengths_in(table, grid)) == 1


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_bars_that_are_missing_anywhere_are_no_longer_bars(
    grid: dict[str, Any], share: float, seed: int
) -> None:
    table = filled_table(**grid)
    kept = np.random.default_rng(seed).random(len(table)) < share
    assert lengths_in(table.filter(pl.Series(kept)), grid) == []


def test_daily_bars_are_no_hourly_ones() -> None:
    grid: dict[str, Any] = {"calendar": "24/7", "minutes": 60, "days": 60}
    table = filled_table(**grid).gather_every(24)
    (found,) = lengths_in(table, grid)
    assert "by 1h, and 59 of 59 do by 1d" in found.what
