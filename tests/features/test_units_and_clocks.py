"""What must not matter: the unit that volume is counted in, and summer time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from barstack.bars import Bars, bars_from_frame
from barstack.features import FEATURE_SETS, FEATURES, Feature, FeatureSet, named_set
from barstack.testing import walk

IN_UNITS_OF_VOLUME = {"dollar_volume", "log_volume"}  # and say so
HALF_HOURS = 13


def _compute(bars: Bars, names: list[str]) -> Any:
    return FeatureSet(features=tuple(Feature(feature=name) for name in names)).compute(bars).values


def test_volume_in_another_unit_changes_nothing() -> None:
    bars = walk(900, missing=0.03)
    names = [
        name
        for name in FEATURES.names()
        if "volume" in FEATURES.get(name).inputs and name not in IN_UNITS_OF_VOLUME
    ]
    assert len(names) > 20
    records = bars.records.copy()
    records["volume"] *= 1e-5  # bitcoins rather than shares
    small = _compute(Bars(bars.symbol, bars.length_us, records), names)
    for name, ours, same in zip(names, small.T, _compute(bars, names).T, strict=True):
        np.testing.assert_allclose(
            ours, same, rtol=1e-9, atol=1e-9 * np.nanmean(np.abs(same)), err_msg=name
        )


@pytest.mark.parametrize("name", sorted(FEATURE_SETS))
def test_prices_in_another_unit_change_nothing_in_a_named_set(name: str) -> None:
    """But for the few that say so: round numbers are round in one unit only."""
    bars = walk(3000, missing=0.01)
    features = named_set(name, bars.length_us if name != "hourly85" else 3_600_000_000)
    records = bars.records.copy()
    for price in ("open", "high", "low", "close"):
        records[price] *= 137.7
    ours = features.compute(Bars(bars.symbol, bars.length_us, records)).values
    same = features.compute(bars).values
    differing = set()
    for feature, one, other in zip(features.features, ours.T, same.T, strict=True):
        scale = np.nanstd(other) or 1.0
        if np.nanmax(np.abs(one - other)) > 1e-6 * scale:
            differing.add(feature.feature)
    assert differing <= {"round_number_distance", "volume_above"}


def test_daylight_saving_time_changes_nothing_in_a_session() -> None:
    """New York put its clocks forward on Sunday 8 March 2026."""
    opened_at = [
        pd.Timestamp(f"{day} 09:30", tz="America/New_York") + pd.Timedelta(minutes=30 * row)
        for day in pd.bdate_range("2026-02-16", "2026-03-20").strftime("%Y-%m-%d")
        for row in range(HALF_HOURS)
    ]
    stamps = pd.DatetimeIndex(opened_at)
    frame = pd.DataFrame({"timestamp": stamps.tz_convert("UTC")})
    # Each half hour of the day has a volume of its own, the same every day.
    place = ((stamps.hour * 60 + stamps.minute) - 570) // 30
    for name in ("open", "high", "low", "close"):
        frame[name] = 100.0
    frame["volume"] = 1000.0 + 100.0 * place
    bars = bars_from_frame(frame, "SPY", calendar="XNYS")
    names = ["time_of_day_sin", "time_of_day_cos", "session_smile", "minutes_from_open"]
    by_session = _compute(bars, names).reshape(-1, HALF_HOURS, len(names))
    np.testing.assert_array_equal(by_session, np.broadcast_to(by_session[0], by_session.shape))
    by_time = _compute(bars, ["relative_volume_by_time"])[10 * HALF_HOURS :]
    assert len(by_time) > 10 * HALF_HOURS
    np.testing.assert_array_equal(by_time, 0.0)
