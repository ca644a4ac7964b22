"""How far back features reach, proved by altering what lies further back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barstack.bars import Bars
from barstack.core.times import parse_duration
from barstack.features import FEATURES, Feature, FeatureSet
from barstack.splits import memory_bars
from barstack.testing import walk

BARS = walk(1200)
# Averages that forget slowly, and features that count from the first bar: they reach back
# further than any declared length.
SESSION = ("session_vwap_distance", "prior_high_distance", "sessions_since_high")
FINITE: list[dict[str, Any]] = [
    {"feature": "body"},
    {"feature": "log_return", "params": {"window": 8}},
    {"feature": "sma_distance"},
    {"feature": "realized_volatility", "timeframe": "1h"},
    {"feature": "sma_distance", "timeframe": "1d"},
    *({"feature": name} for name in SESSION),
]


@pytest.mark.parametrize("recipe", FINITE, ids=str)
def test_what_lies_further_back_changes_nothing(recipe: dict[str, Any]) -> None:
    feature = Feature(**recipe)
    features = FeatureSet(features=(feature,))
    memory = memory_bars(features, BARS)
    assert 1 <= memory < 800
    whole = features.compute(BARS).values[:, 0]
    altered = BARS.records.copy()
    for name in ("open", "high", "low", "close"):
        altered[name][:200] *= 1.5
    altered["volume"][:200] *= 3
    other = features.compute(Bars(BARS.symbol, BARS.length_us, altered)).values[:, 0]
    # Row u reads bars u - memory + 1 .. u, so from 199 + memory on none that was altered; running
    # sums keep the rounding of all that went through them.
    np.testing.assert_allclose(whole[199 + memory :], other[199 + memory :], rtol=1e-6, atol=1e-9)
    assert (whole[:200] != other[:200]).any()


def test_the_longest_counts_and_windows_add_to_it() -> None:
    short, long = Feature(feature="body"), Feature(feature="sma_distance", params={"window": 50})
    assert memory_bars(FeatureSet(features=(short,)), BARS) == 1
    both = FeatureSet(features=(short, long))
    assert memory_bars(both, BARS) == 50
    assert memory_bars(both, BARS, lookback=60) == 109
    sparse = walk(600, symbol="B", missing=0.3)
    assert memory_bars(both, {"WALK": BARS, "B": sparse}) == 50


def test_longer_bars_count_in_the_bars_they_are_made_of() -> None:
    day = FeatureSet(features=(Feature(feature="body", timeframe="1d"),))
    # A whole session of 13 half hours, and up to 12 of the one under way: 13 with its last.
    assert memory_bars(day, BARS) == 26
    assert memory_bars(day, BARS[:20]) == 20


def test_every_feature_has_one() -> None:
    for name in FEATURES.names():
        found = memory_bars(FeatureSet(features=(Feature(feature=name),)), BARS)
        assert 1 <= found <= len(BARS), name
    assert parse_duration("30min") == BARS.length_us
