"""Blocks of bars: as many longer bars as there are bars, and one more, may close in one."""

from __future__ import annotations

import numpy as np

from barstack.bars import BAR, Bars, resample
from barstack.core.times import DAY_US
from barstack.features import Feature, FeatureSet
from barstack.features._engine import _BLOCK_BARS

HOUR_US = 3_600_000_000


def test_a_block_may_close_one_more_longer_bar_than_it_has_bars() -> None:
    days = 3 * _BLOCK_BARS
    records = np.zeros(days, BAR)
    records["session"] = np.arange(days)
    records["session_open"] = records["session"] * DAY_US
    records["session_close"] = records["session_open"] + DAY_US
    # Of every day only its last hour, but for the last day of the first block: its first hour.
    records["closed_at"] = records["session_close"]
    records["closed_at"][_BLOCK_BARS - 1] -= 23 * HOUR_US
    records["opened_at"] = records["closed_at"] - HOUR_US
    records["opened_at"][0] = records["session_open"][0]  # a first day that is whole
    close = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, days)))
    for price in ("open", "high", "low", "close"):
        records[price] = close
    records["volume"] = 1.0
    bars = Bars("SPARSE", HOUR_US, records)
    names = ("log_return", "day_of_week_sin", "sma_distance")
    daily = FeatureSet(features=tuple(Feature(feature=name) for name in names))
    hourly = FeatureSet(features=tuple(Feature(feature=name, timeframe="1d") for name in names))
    expected = daily.compute(resample(bars, DAY_US)["SPARSE"]).values
    computed = hourly.compute(bars).values
    # The day that was forming is known one bar late, with the next day's, and skipped.
    late = _BLOCK_BARS - 1
    np.testing.assert_array_equal(computed[:late], expected[:late])
    np.testing.assert_array_equal(computed[late], expected[late - 1])
    np.testing.assert_array_equal(computed[late + 1 :], expected[late + 1 :])
