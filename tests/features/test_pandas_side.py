"""What `benchmarks/features.py` times is the same on both sides."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from tests.conftest import SHARED_DATA

from barstack.bars import Bars, bars_from_frame
from barstack.features import FeatureSet, named_set
from barstack.testing import walk


@pytest.fixture(scope="module")
def pandas_side() -> ModuleType:
    """The module of that folder of scripts, which is no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(Path(__file__).parents[2] / "benchmarks"), *sys.path])
        import _pandas_features  # noqa: PLC0415  it is found only here

    return _pandas_features


def _real(path: str, calendar: str) -> Callable[[], Bars]:
    def load() -> Bars:
        if not SHARED_DATA.is_dir():
            pytest.skip("real bars are not here")
        table = pl.read_parquet(SHARED_DATA / f"{path}.parquet")
        bars = bars_from_frame(table, Path(path).name, calendar=calendar, mostly_inside=False)
        return bars[len(bars) // 3 : len(bars) // 3 + 6000]

    return load


SERIES = {
    "walk": lambda: walk(5000, seed=4, missing=0.02),
    "SPY": _real("us_equities_5m/SPY", "XNYS"),
    "EURUSD without volume": _real("fx_15m/EURUSD", "24/7"),
    "BTC": _real("crypto_5m/BTCUSDT", "24/7"),
}


@pytest.mark.parametrize("series", SERIES)
def test_pandas_computes_the_same_columns(pandas_side: ModuleType, series: str) -> None:
    bars = SERIES[series]()
    core = [each for each in named_set("core107", bars.length_us).features if not each.timeframe]
    columns = [each for each in core if each.feature not in pandas_side.ONLY_BY_LOOP]
    assert {each.feature for each in columns} == set(pandas_side.PANDAS)
    assert pandas_side.differing(FeatureSet(features=tuple(columns)), bars) == []
