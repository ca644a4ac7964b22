"""What the checks find in real bars: the defects that are known, and no split that is none."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.bars.test_shared_data import FOLDERS

from barstack.bars import PROVIDERS, Bars
from barstack.bars.checks import CHECKS, Finding, find

CALENDARS = FOLDERS | {name: ("FX", "regular") for name in FOLDERS if name.startswith("fx_")}
CALENDARS["us_etf_15m_spy_2021"] = ("XNYS", "extended")


@cache
def panel(folder: Path) -> dict[str, Bars]:
    calendar, hours = CALENDARS[folder.name]
    source = {"provider": "files", "path": str(folder), "calendar": calendar, "hours": hours}
    return PROVIDERS.parse(source).load()


@cache
def found(folder: Path) -> list[Finding]:
    calendar, hours = CALENDARS[folder.name]
    return find(panel(folder), calendar=calendar, hours=hours)


def counts(folder: Path, *checks: str) -> dict[tuple[str, str], int]:
    return {
        (each.symbol, each.check): each.count
        for each in found(folder)
        if not checks or each.check in checks
    }


@pytest.mark.parametrize("name", CALENDARS)
def test_nothing_that_refuses(shared_data: Path, name: str) -> None:
    """All files are adjusted for the splits inside them, and real crashes are no splits."""
    assert [each for each in found(shared_data / name) if each.level == "refuse"] == []


def test_the_data_does_hold_a_crash_by_half(shared_data: Path) -> None:
    """Apple opened at 53 % of its last close on 2000-09-29; without it the test above is weak."""
    bars = panel(shared_data / "us_equities_1d_long")["AAPL"].records
    ratios = bars["open"][1:] / bars["close"][:-1]
    assert ratios.min() < 0.53


def test_crypto_15m(shared_data: Path) -> None:
    by_check = {each.check: each for each in found(shared_data / "crypto_15m")}
    assert by_check["zero_volume"].count == 2079
    assert by_check["missing_bars"].count + 96 == 243
    assert "1 of 94 days (96 bars)" in by_check["missing_sessions"].what
    assert "2021-11-28" in by_check["missing_sessions"].what


def test_crypto_1h_2017(shared_data: Path) -> None:
    assert counts(shared_data / "crypto_1h_2017", "missing_bars", "zero_volume") == {
        ("BTCUSD", "zero_volume"): 28
    }


@pytest.mark.parametrize("name", ["crypto_1m", "crypto_5m", "us_equities_1d_2013_2023"])
def test_clean_folders(shared_data: Path, name: str) -> None:
    assert found(shared_data / name) == []


def test_us_equities_5m(shared_data: Path) -> None:
    folder = shared_data / "us_equities_5m"
    assert counts(folder, "zero_volume") == {
        ("MELI", "zero_volume"): 803,
        ("XYZ", "zero_volume"): 4,
    }
    assert {each.check for each in found(folder)} == {"zero_volume", "bad_prints"}
    assert counts(folder, "bad_prints").keys() == {("MRNA", "bad_prints"), ("SPY", "bad_prints")}


def test_us_equities_1m(shared_data: Path) -> None:
    folder = shared_data / "us_equities_1m"
    missing = counts(folder, "missing_bars")
    assert missing["XLK", "missing_bars"] == 34_350 - 31_324
    assert missing["NVDA", "missing_bars"] == 34_350 - len(panel(folder)["NVDA"])
    for each in found(folder):  # nine of 34,350, beside bars as busy as any, got lost
        if each.check == "missing_bars":
            assert ("without a trade" in each.advice) == (each.symbol != "NVDA")


def test_futures_5m_micro(shared_data: Path) -> None:
    """Whole sessions are absent, and of most the evening."""
    by_name = {(each.symbol, each.check): each for each in found(shared_data / "futures_5m_micro")}
    assert (
        "2025-10-17, 2025-10-21, 2025-10-23, 2025-10-27" in by_name["MES", "missing_sessions"].what
    )
    assert by_name["MNQ", "missing_sessions"].count == 5
    assert "20:20-23:00" in by_name["MES", "missing_hours"].values
    for symbol, bars in panel(shared_data / "futures_5m_micro").items():
        lost = [
            each
            for (name, _), each in by_name.items()
            if name == symbol and "missing" in each.check
        ]
        times = np.concatenate([each.at for each in lost if each.check != "missing_sessions"])
        assert not np.isin(times, bars.records["opened_at"]).any()
        assert len(np.unique(times)) == len(times)


def test_futures_5m(shared_data: Path) -> None:
    by_name = {(each.symbol, each.check): each for each in found(shared_data / "futures_5m")}
    assert by_name["ES", "missing_hours"].values == "16:00-17:00 America/Chicago"
    assert "30 of them at 17:00 America/Chicago" in by_name["ES", "zero_volume"].what


def test_currencies(shared_data: Path) -> None:
    for name in ("fx_1h_long", "fx_1m"):
        no_volume = counts(shared_data / name, "no_volume", "zero_volume", "volume_break")
        assert {check for _, check in no_volume} == {"no_volume"}
        assert len(no_volume) == len(panel(shared_data / name))
    assert "no_volume" not in {check for _, check in counts(shared_data / "fx_15m")}
    (christmas,) = [each for each in found(shared_data / "fx_1h_long")
                    if (each.symbol, each.check) == ("EURUSD", "missing_sessions")]  # fmt: skip
    days = {str(np.datetime64(int(at), "us"))[5:10] for at in christmas.at}
    assert Counter(day[:2] for day in days).keys() <= {"12", "01"}


def test_us_equities_1d_88(shared_data: Path) -> None:
    folder = shared_data / "us_equities_1d_88"
    assert counts(folder, "zero_volume") == {
        ("AGFS", "zero_volume"): 49,
        ("SPLP", "zero_volume"): 61,
    }
    missing = counts(folder, "missing_sessions", "missing_bars")
    assert missing == {("REX", "missing_sessions"): 1, ("SNP", "missing_sessions"): 1}


def test_known_bad_prints_of_the_long_folders(shared_data: Path) -> None:
    """Opens and lows that no one could have traded, among them an IBM open at twice its price."""
    told = {
        (each.symbol, at)
        for each in found(shared_data / "us_equities_1d_long")
        if each.check == "bad_prints"
        for at in each.at.astype("datetime64[us]").astype("datetime64[D]").astype(str)
    }
    assert {("IBM", "2002-12-23"), ("AAPL", "2009-09-21"), ("SPY", "2000-12-18")} <= told
    assert {("IWM", "2008-09-19"), ("BAC", "2001-11-12")} <= told  # a high at twice the price
    assert len(told) == 11


@pytest.mark.parametrize("name", ["us_equities_5m", "us_equities_1d_88", "crypto_5m", "fx_15m"])
def test_splits_planted_into_real_bars_are_found(shared_data: Path, name: str) -> None:
    """At least nineteen of twenty, each at its bar and by its ratio."""
    calendar, hours = CALENDARS[name]
    rng = np.random.default_rng(0)
    total = hits = 0
    only_splits = {check: "ignore" for check in CHECKS.names() if check != "unadjusted_split"}
    for symbol, bars in panel(shared_data / name).items():
        starts = np.flatnonzero(np.diff(bars.records["session"])) + 1
        for _ in range(3):
            row, ratio = int(rng.choice(starts[2:-2])), float(rng.choice([2, 3, 4, 5, 10, 20, 0.1]))
            records = bars.records.copy()
            for price in ("open", "high", "low", "close"):
                records[price][:row] *= ratio
            records["volume"][:row] /= ratio
            planted = Bars(symbol, bars.length_us, records)
            told = find(planted, calendar=calendar, hours=hours, levels=only_splits)
            name_of = f"{ratio:g}:1" if ratio > 1 else f"1:{1 / ratio:g}"
            total += 1
            hits += any(
                each.at.tolist() == [records["opened_at"][row]] and f"For {name_of}:" in each.advice
                for each in told
            )
    assert hits >= 0.95 * total
