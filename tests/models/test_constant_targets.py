"""Labels that hardly differ, as of a share that only rises or a pegged currency."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.conftest import StudyFile, table_of

from barstack import load, run
from barstack.testing import walk


@pytest.mark.parametrize("member", ["catboost", "lightgbm", "xgboost", "ridge"])
def test_a_share_that_only_rises(tmp_path: Path, study_file: StudyFile, member: str) -> None:
    """The return is nearly the same at each bar: so is its forecast, and no library's fault."""
    file = study_file(tmp_path, n_bars=600, members=[member], label={
        "label": "return", "horizons": [3]}, bars={"provider": "files", "path": "bars", "checks": {
            "stale_prices": "ignore", "unadjusted_split": "ignore"}})  # fmt: skip
    close = np.round(100 * 1.0005 ** np.arange(600), 10)
    before = np.append(99.95, close[:-1])
    table = table_of(walk(600)).with_columns(
        open=pl.Series(before), high=pl.Series(close), low=pl.Series(before), close=pl.Series(close)
    )
    table[:500].write_parquet(tmp_path / "bars" / "WALK.parquet")
    predictor = load(run(file, runs=tmp_path / "runs").folder)
    forecasts = predictor.predict(table)["return_3bars"]
    assert forecasts.to_numpy() == pytest.approx(1.0005**3 - 1, rel=0.05)
