"""A million bars later every feature is what it would be of the last few sessions alone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter
from tests.features.oracle import frame_of
from tests.features.test_against_oracles import ORACLES

from barstack.bars import BAR, Bars
from barstack.core.times import DAY_US
from barstack.features import FEATURES, Feature, FeatureSet

BARS = 1_000_000
FRESH = 4000  # bars that the oracles see; what means begin with is forgotten within
FRESH_LEVELS = 25 * 390  # as many where 20 whole sessions, or bars 600 ago, are remembered
COMPARED = 1000  # of which the first 600 are volatile, so that windows straddle the change
MINUTE_US = 60_000_000

NAMES = list(ORACLES)


def _fresh(name: str) -> int:
    kernel = FEATURES.get(name)
    return FRESH_LEVELS if kernel.group == "levels" or kernel.sessions else FRESH


def _bars() -> Bars:
    """Minutes around 5,000 that are wild, 2 % a bar, and calm, 0.001 % a bar, by turns."""
    rng = np.random.default_rng(5)
    row = np.arange(BARS)
    calm = ((BARS - 1 - row) // 400) % 13 == 0  # the last 400 bars are
    steps = rng.standard_t(4, BARS) * np.where(calm, 1e-5, 0.02)
    close = 5000.0 * np.exp(lfilter([1.0], [1.0, -0.999], steps))
    records = np.zeros(BARS, BAR)
    day, minute = np.divmod(row, 390)
    records["session"] = 15_000 + day
    records["session_open"] = (15_000 + day) * DAY_US + 870 * MINUTE_US
    records["session_close"] = records["session_open"] + 390 * MINUTE_US
    records["opened_at"] = records["session_open"] + minute * MINUTE_US
    records["closed_at"] = records["opened_at"] + MINUTE_US
    opening = np.concatenate([[5000.0], close[:-1]])
    reach = np.abs(rng.normal(size=(2, BARS))) * np.where(calm, 1e-5, 0.01)
    records["open"], records["close"] = opening, close
    records["high"] = np.maximum(opening, close) * np.exp(reach[0])
    records["low"] = np.minimum(opening, close) * np.exp(-reach[1])
    records["volume"] = rng.lognormal(np.where(calm, 5, 12), 2).round()
    return Bars("LONG", MINUTE_US, records)


@pytest.fixture(scope="module")
def long() -> tuple[Any, dict[str, Any]]:
    bars = _bars()
    stream = FeatureSet(features=tuple(Feature(feature=name) for name in NAMES)).stream(MINUTE_US)
    for start in range(0, BARS, 50_000):
        values = stream.update(bars.records[start : start + 50_000])
    return frame_of(bars[-FRESH_LEVELS:]), dict(zip(NAMES, values[-COMPARED:].T, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_million_bars_later(name: str, long: tuple[Any, dict[str, Any]]) -> None:
    frame, computed = long
    frame = frame[-_fresh(name) :].reset_index(drop=True)
    with warnings.catch_warnings():  # of 0 / 0 in rows where ours is neutral
        warnings.simplefilter("ignore", RuntimeWarning)
        theirs = np.asarray(ORACLES[name].compute(frame), float)[-COMPARED:]
    for part in (slice(0, 600), slice(600, 850), slice(850, None)):  # wild, straddling, calm
        ours, fresh = computed[name][part], theirs[part]
        np.testing.assert_allclose(ours, fresh, rtol=1e-9, atol=1e-9 * np.abs(fresh).mean())
