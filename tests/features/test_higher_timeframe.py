"""A feature of longer bars sees closed ones alone."""

from __future__ import annotations

import numpy as np
import pytest

from barstack.bars import resample
from barstack.core.times import DAY_US
from barstack.features import Feature, FeatureSet
from barstack.testing import walk

BARS = walk(3000, seed=4, missing=0.02)


@pytest.mark.parametrize("name", ["rsi", "median_distance", "session_position"])
def test_it_is_the_feature_of_closed_longer_bars(name: str) -> None:
    daily = resample(BARS, DAY_US)["WALK"]
    on_days = FeatureSet(features=(Feature(feature=name),)).compute(daily).values[:, 0]
    features = FeatureSet(features=(Feature(feature=name, timeframe="1d"),))
    got = features.compute(BARS).values[:, 0]
    # A day is known with its last bar, or, where that is missing, with the first bar after it.
    place = np.searchsorted(daily.closed_at, BARS.closed_at, side="right") - 1
    expected = np.where(place >= 0, on_days[np.maximum(place, 0)], np.nan)
    np.testing.assert_array_equal(got, expected)
