"""`barstack fetch` as a process: killed, interrupted, refused, and what it prints."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from tests.bars.conftest import PointAt
from tests.bars.fetch_kills import SYMBOLS, begun, completed, killed, vendor_of
from tests.bars.sources import SOURCES
from tests.bars.vendor import Vendor
from tests.conftest import Barstack

from barstack.bars.catalog import Catalog

ALPACA = SOURCES["alpaca"]
WHOLE = ["--bar", "5min", "--start", ALPACA.at_bar(0), "--end", ALPACA.at_bar(200)]
AROUND_THE_CLOCK = ["--option", "calendar=24/7"]


@pytest.mark.parametrize(("seed", "moody"), [(1, False), (2, True)])
def test_kill_9_loses_nothing_and_asks_nothing_twice(
    seed: int, moody: bool, tmp_path: Path, point_at: PointAt
) -> None:
    with vendor_of(seed, moody=moody) as vendor:
        point_at(vendor)
        kill = killed(vendor, tmp_path, seed)
        assert not kill.finished
        found = completed(vendor, tmp_path)
    assert (found.lost, found.asked_again, found.wrong, found.unreadable) == (0, 0, 0, 0)


def test_ctrl_c_keeps_what_has_arrived(tmp_path: Path, point_at: PointAt) -> None:
    with vendor_of(4) as vendor:
        point_at(vendor)
        process = begun(vendor, tmp_path)
        while len(vendor.asked) < 12:
            time.sleep(0.005)
        vendor.delay_s = 20.0  # it must not wait for those who are in a request
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=15)
        vendor.delay_s = 0.0
        assert process.returncode == 130
        assert "Interrupted" in said
        kept = Catalog(tmp_path).collection("ccxt_binance_5min")
        assert any(kept.covered(symbol) for symbol in SYMBOLS)
        found = completed(vendor, tmp_path)
    assert (found.lost, found.asked_again, found.wrong, found.unreadable) == (0, 0, 0, 0)


def test_prints_what_arrived(tmp_path: Path, point_at: PointAt, barstack: Barstack) -> None:
    catalog = ["--catalog", str(tmp_path)]
    with Vendor(ALPACA.market(300)) as vendor:
        point_at(vendor)
        ran = barstack("fetch", "alpaca", *ALPACA.symbols, *WHOLE, *AROUND_THE_CLOCK, *catalog)
        count = len(vendor.between("SPY", 0, 2**62)[:1])
        assert ran.code == 0, ran.err
        spy = next(line for line in ran.out.splitlines() if line.startswith("SPY"))
        new, pages, retries = spy.split()[1:4]
        assert (pages, retries) == ("1", "0")
        assert count <= int(new) <= 200
        assert "2024-01-01 00:" in spy
        assert max(len(line) for line in ran.out.splitlines()[:3]) <= 80

        ran = barstack(
            "fetch", "alpaca", *ALPACA.symbols, *WHOLE, *AROUND_THE_CLOCK, *catalog, "--json"
        )
        answer = ran.json
        assert answer["collection"] == "alpaca_5min"
        assert answer["symbols"]["SPY"]["asked"] == []
        assert answer["folder"] == str(tmp_path / "alpaca_5min")
        ran = barstack("fetch", "alpaca", "SPY", *WHOLE, *AROUND_THE_CLOCK, *catalog)
        assert "SPY: nothing was missing" in ran.out


def test_exit_code_3_when_the_source_failed(
    tmp_path: Path, point_at: PointAt, barstack: Barstack
) -> None:
    with Vendor(ALPACA.market(300)) as vendor:
        point_at(vendor)
        ran = barstack(
            *("fetch", "alpaca", "SPY", "NOPE", *WHOLE, *AROUND_THE_CLOCK),
            *("--catalog", str(tmp_path)),
        )
    assert ran.code == 3
    assert "NOPE from alpaca: answer 400" in ran.err
    assert "invalid symbol: NOPE" in ran.err
    assert Catalog(tmp_path).collection("alpaca_5min").symbols() == ["SPY"]


def test_missing_keys_are_named_before_anything_is_asked(
    tmp_path: Path, point_at: PointAt, barstack: Barstack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vendor(ALPACA.market(300)) as vendor:
        point_at(vendor)
        monkeypatch.delenv("APCA_API_KEY_ID")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "")
        ran = barstack("fetch", "alpaca", "SPY", *WHOLE, "--catalog", str(tmp_path))
        assert vendor.asked == []
    assert ran.code == 2
    assert "set APCA_API_KEY_ID and APCA_API_SECRET_KEY in the environment" in ran.err


def test_wrong_keys_are_not_tried_twice(
    tmp_path: Path, point_at: PointAt, barstack: Barstack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vendor(ALPACA.market(300)) as vendor:
        point_at(vendor)
        monkeypatch.setenv("APCA_API_SECRET_KEY", "hunter2")
        ran = barstack("fetch", "alpaca", "SPY", *WHOLE, "--catalog", str(tmp_path), "--json")
    assert ran.code == 3
    spy = ran.json["symbols"]["SPY"]
    assert "answer 403" in spy["error"]
    assert Catalog(tmp_path).names() == []
    assert "hunter2" not in ran.out + ran.err
    assert (spy["requests"], spy["retries"]) == (1, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["alpcaa", "SPY"], "Did you mean 'alpaca'"),
        (["sample", "AAPL"], "Sources to fetch from: alpaca, ccxt, sql, yfinance"),
        (["alpaca", "SPY", "--bar", "5min"], "alpaca.start is missing"),
        (["alpaca", "--bar", "5min", "--start", "2024-01-01"], "alpaca.symbols is missing"),
        (
            ["alpaca", "SPY", "--bar", "1h", "--start", "2024-02-01", "--end", "2024-01-01"],
            "start 2024-02-01 is later than end 2024-01-01",
        ),
        (["alpaca", "SPY", "--bar", "7h", "--start", "2024-01"], "not a UTC time"),
        (["alpaca", "SPY", "--bar", "2d", "--start", "2024-01-01"], "Alpaca has no bars of 2d"),
        (["alpaca", "SPY", *WHOLE, "--option", "feed=tape"], "alpaca.feed"),
        (["alpaca", "SPY", *WHOLE, "--option", "feed"], "Write --option FIELD=VALUE"),
        (["alpaca", "SPY", *WHOLE, "--option", "feed=[sip"], "Cannot read '[sip' in --option"),
        (["ccxt", "A/B", *WHOLE, "--option", "exchange=binanse"], "Did you mean 'binance'"),
        (["ccxt", "A/B", *WHOLE], "ccxt.exchange is missing"),
        (["yfinance", "SPY", "--bar", "4h", "--start", "2024-01-01"], "Yahoo has no bars of 4h"),
        (["sql", "SPY", *WHOLE], "Give either table or query"),
        (["sql", "SPY", *WHOLE, "--option", "table=bars"], "Set BARSTACK_SQL_URL"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    barstack: Barstack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BARSTACK_SQL_URL", raising=False)
    ran = barstack("fetch", *arguments, "--catalog", str(tmp_path))
    assert ran.code == 2, ran.out
    assert said in ran.err


def test_yahoo_says_for_how_long_it_keeps_bars(
    tmp_path: Path, point_at: PointAt, barstack: Barstack
) -> None:
    with Vendor(SOURCES["yfinance"].market(10)) as vendor:
        point_at(vendor)
        ran = barstack(
            *("fetch", "yfinance", "SPY", "--bar", "5min", "--start", "2020-01-01"),
            *("--catalog", str(tmp_path)),
        )
        assert vendor.asked == []
    assert ran.code == 2
    assert "Yahoo keeps 5min bars for 60 days" in ran.err


def test_fetches_what_a_study_needs(tmp_path: Path, point_at: PointAt, barstack: Barstack) -> None:
    study = tmp_path / "study.yaml"
    bars = ALPACA.remote(200).content()
    text = {"bars": bars, "label": {"label": "return", "horizons": [1]}, "members": ["ridge"]}
    study.write_text(json.dumps(text))
    with Vendor(ALPACA.market(300)) as vendor:
        point_at(vendor)
        ran = barstack("fetch", str(study), "--catalog", str(tmp_path))
        assert ran.code == 0, ran.err
        assert sorted(asked.symbol for asked in vendor.asked) == sorted(ALPACA.symbols)
