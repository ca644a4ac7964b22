"""Every folder of real bars loads, on the calendar its market trades on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barstack.bars import PROVIDERS

FOLDERS = {
    "crypto_15m": ("24/7", "regular"),
    "crypto_1h_2017": ("24/7", "regular"),
    "crypto_1m": ("24/7", "regular"),
    "crypto_5m": ("24/7", "regular"),
    "futures_1m": ("CMES", "regular"),
    "futures_5m": ("CMES", "regular"),
    "futures_5m_micro": ("CMES", "regular"),
    "fx_15m": ("24/7", "regular"),
    "fx_1h_long": ("24/7", "regular"),
    "fx_1m": ("24/7", "regular"),
    "us_equities_1d_2013_2023": ("XNYS", "regular"),
    "us_equities_1d_88": ("XNYS", "regular"),
    "us_equities_1d_long": ("XNYS", "regular"),
    "us_equities_1h_2020": ("XNYS", "regular"),
    "us_equities_1h_long": ("XNYS", "regular"),
    "us_equities_1m": ("XNYS", "regular"),
    "us_equities_5m": ("XNYS", "regular"),
    "us_equities_5m_2y": ("XNYS", "extended"),
    "us_etf_15m_spy_2021": ("XNYS", "regular"),
    "us_etf_1m_spy_2024": ("XNYS", "regular"),
}


def test_every_folder_is_tested(shared_data: Path) -> None:
    assert {folder.name for folder in shared_data.iterdir() if folder.is_dir()} == set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_it_loads_and_no_bar_is_known_too_early(shared_data: Path, name: str) -> None:
    calendar, hours = FOLDERS[name]
    folder = shared_data / name
    source = {"provider": "files", "path": str(folder), "calendar": calendar, "hours": hours}
    panel = PROVIDERS.parse(source).load()
    assert sorted(panel) == sorted(file.stem for file in folder.glob("*.parquet"))
    for symbol, bars in list(panel.items())[:5]:
        stamps = (
            pl.read_parquet(folder / f"{symbol}.parquet")["timestamp"].dt.epoch("us").to_numpy()
        )
        opened, closed = bars.records["opened_at"], bars.records["closed_at"]
        assert (np.diff(closed) > 0).all()
        assert (closed <= bars.records["session_close"]).all() or calendar == "24/7"
        if bars.length_us == 86_400_000_000:  # stamped with the session's date
            assert len(bars) == len(stamps)
            assert (opened > stamps).all()
            assert (closed == bars.records["session_close"]).all()
        else:
            # Cut short only by the session's own end, after which nothing traded.
            cut = closed < opened + bars.length_us
            session_ends = closed == bars.records["session_close"]
            begins = opened == bars.records["session_open"]
            assert (session_ends | begins)[cut].all()
            assert np.isin(opened, stamps)[~begins].all()
