"""Features against TA-Lib where it has them, and their definitions written out, to 1e-9."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.conftest import SHARED_DATA
from tests.features.oracle import Oracle, frame_of

from barstack.bars import Bars, bars_from_frame, resample
from barstack.core.times import DAY_US
from barstack.features import FEATURES, Feature, FeatureSet
from barstack.testing import walk

ORACLES: dict[str, Oracle] = {
    name: oracle
    for file in sorted(Path(__file__).parent.glob("oracles_*.py"))
    for name, oracle in import_module(f"tests.features.{file.stem}").ORACLES.items()
}


def _unkind() -> Bars:
    """Stretches without trades and without any range, prices in ticks, half days on Fridays."""
    records = walk(1700, seed=7, missing=0.05).records.copy()
    friday = records["session"] % 7 == 1
    records["session_close"][friday] = records["session_open"][friday] + 195 * 60_000_000
    records = records[records["opened_at"] < records["session_close"]]
    records["closed_at"] = np.minimum(records["closed_at"], records["session_close"])
    for price in ("open", "high", "low", "close"):
        records[price] = records[price].round(1)
    for row in range(0, len(records), 300):
        records["volume"][row + 40 : row + 92] = 0.0
        flat = records[row + 70 : row + 170]
        for price in ("open", "high", "low", "close"):
            flat[price] = flat["close"][0]
    return Bars("UNKIND", 1_800_000_000, records)


def _real(path: str, calendar: str, rows: int = 1500) -> Callable[[], Bars]:
    def load() -> Bars:
        if not SHARED_DATA.is_dir():
            pytest.skip("real bars are not here")
        table = pl.read_parquet(SHARED_DATA / f"{path}.parquet")
        bars = bars_from_frame(table, Path(path).name, calendar=calendar, mostly_inside=False)
        return bars[len(bars) // 3 : len(bars) // 3 + rows]

    return load


SERIES: dict[str, Callable[[], Bars]] = {
    "walk": lambda: walk(1500, seed=4, missing=0.02),
    "unkind": _unkind,
    "days": lambda: resample(walk(6500, seed=2), DAY_US)["WALK"],
    "SPY": _real("us_equities_5m/SPY", "XNYS", 2000),
    "EURUSD without volume": _real("fx_1h_long/EURUSD", "24/7"),
    "BTC with bars missing": _real("crypto_15m/BTC-USD", "24/7", 2400),
    "IBM days": _real("us_equities_1d_long/IBM", "XNYS"),
}


@cache
def _computed(series: str) -> tuple[Any, dict[str, Any]]:
    bars = SERIES[series]()
    features = FeatureSet(features=tuple(Feature(feature=name) for name in ORACLES))
    return frame_of(bars), dict(zip(ORACLES, features.compute(bars).values.T, strict=True))


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("name", ORACLES)
def test_feature_is_what_its_oracle_says(name: str, series: str) -> None:
    frame, computed = _computed(series)
    ours = computed[name]
    with warnings.catch_warnings():  # of 0 / 0 in rows where ours is neutral
        warnings.simplefilter("ignore", RuntimeWarning)
        theirs = np.asarray(ORACLES[name].compute(frame), float)
    known = ~np.isnan(ours)
    # What ours marks as warm-up may have a value there; the reverse would be an error.
    assert known.any()
    assert not np.isnan(theirs[known]).any()
    size = np.abs(theirs[known]).mean()
    np.testing.assert_allclose(ours[known], theirs[known], rtol=1e-9, atol=1e-9 * size)


def test_every_feature_has_an_oracle() -> None:
    assert sorted(ORACLES) == [
        name for name in FEATURES.names() if not Feature(feature=name).needs_market
    ]
