"""Foreign files: read as they were meant, or asked about; never read as something else."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.bars.filled import filled_table
from tests.bars.foreign import NAMES, TIMES, Foreign, truth, write
from tests.conftest import SHARED_DATA

from barstack.bars import PROVIDERS, Catalog
from barstack.bars._columns import parse_text
from barstack.bars.importing import (
    MARKETS,
    Guess,
    Import,
    ImportOutcome,
    fit_hours,
    guess,
    plan_import,
    run_import,
)
from barstack.core.errors import ConfigError, DataError

MINUTE = 60_000_000
# Symbols, length of a bar, calendar, hours.
REAL = {
    "us_equities_5m": (("SPY", "MELI"), 5 * MINUTE, "XNYS", "regular"),
    "us_equities_1m": (("SPY", "XLK"), MINUTE, "XNYS", "regular"),
    "us_equities_1h_long": (("SPY", "IBM"), 60 * MINUTE, "XNYS", "regular"),
    "us_equities_5m_2y": (("COST", "UNH"), 5 * MINUTE, "XNYS", "extended"),
    "us_etf_15m_spy_2021": (("SPY",), 15 * MINUTE, "XNYS", "extended"),
    "us_equities_1d_88": (("AAPL", "SNP"), 1440 * MINUTE, "XNYS", "regular"),
    "crypto_5m": (("BTCUSDT", "ETHUSDT"), 5 * MINUTE, "24/7", "regular"),
    "crypto_15m": (("BTC-USD",), 15 * MINUTE, "24/7", "regular"),
    "futures_5m": (("ES", "NQ"), 5 * MINUTE, "CMES", "regular"),
    "futures_1m": (("6EH4",), MINUTE, "CMES", "regular"),
    "fx_15m": (("EURUSD",), 15 * MINUTE, "FX", "regular"),
    "fx_1m": (("GBPUSD",), MINUTE, "FX", "regular"),
    "fx_1h_long": (("EURUSD",), 60 * MINUTE, "FX", "regular"),
}
DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%y", "%Y%m%d", "%Y-%m-%d %H:%M:%S", "epoch s")
ZONES = ("UTC", "America/New_York", "America/Chicago", "Europe/Berlin", "Etc/GMT+5",
         "Europe/London", "Asia/Tokyo", "Asia/Kolkata")  # fmt: skip


@cache
def real(folder: str, symbol: str) -> pl.DataFrame:
    return pl.read_parquet(SHARED_DATA / folder / f"{symbol}.parquet")


def brought(path: Path, catalog: Path, **said: Any) -> tuple[Guess, list[ImportOutcome]]:
    (plan,) = plan_import(str(path), "x", said)
    if plan.guess.open:
        return plan.guess, []
    return plan.guess, run_import(Import("x", plan.files, plan.guess.reading), Catalog(catalog))


@st.composite
def foreign(draw: st.DrawFn) -> tuple[str, int, int, bool, Foreign]:
    """Real bars of somewhere, from anywhere on, written in any way."""
    folder = draw(st.sampled_from(sorted(REAL)))
    daily = REAL[folder][1] == 1440 * MINUTE
    decimal, separator = draw(st.sampled_from([(".", ","), (".", ";"), (",", ";"), (",", "\t")]))
    names = draw(st.sampled_from(sorted(NAMES)))
    plain = names == "none"
    how = Foreign(
        names=names,
        time=draw(st.sampled_from(DAYS if daily else TIMES)),
        zone="UTC" if daily else draw(st.sampled_from(ZONES)),
        stamp=draw(st.sampled_from(["open", "open", "close"])),
        pair=draw(st.booleans()) and not daily,
        separator=separator,
        decimal=decimal,
        thousands=draw(st.sampled_from(["", "," if decimal == "." else "."])),
        encoding=draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])),
        ending=draw(st.sampled_from([".csv", ".csv.gz", ".txt"] + ([] if plain else [".parquet"]))),
        volume=draw(st.booleans()),
        long=draw(st.booleans()),
        adjusted=not plain and draw(st.booleans()),
        extra=not plain and draw(st.booleans()),
    )
    # Barstack's own form says that timestamp is the start of a bar; with ends it would be a lie.
    assume(not (how.names == "own" and how.ending == ".parquet" and how.stamp == "close"))
    n_bars = draw(st.sampled_from([5, 60, 700, 3000]))
    return folder, draw(st.integers(0, 100)), n_bars, draw(st.booleans()), how


@given(case=foreign())
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_never_other_bars(shared_data: Path, case: tuple[str, int, int, bool, Foreign]) -> None:
    """The heart of it: the very bars that were written, or a question, or a sentence."""
    folder, percent, n_bars, several, how = case
    symbols, length_us, calendar, hours = REAL[folder]
    whole = real(folder, symbols[0])
    start = percent * max(0, len(whole) - n_bars) // 100
    span = whole["timestamp"][start : start + n_bars]
    tables = {
        symbol: real(folder, symbol).filter(pl.col("timestamp").is_between(span[0], span[-1]))
        for symbol in (symbols if several else symbols[:1])
    }
    tables = {symbol: table for symbol, table in tables.items() if len(table)}
    with tempfile.TemporaryDirectory() as scratch:
        path = write(tables, length_us, how, Path(scratch) / "in")
        guessed, outcomes = brought(path, Path(scratch) / "catalog")
        if guessed.open or any(each.error for each in outcomes):
            assert all(each.because for each in guessed.open)
            return
        collection = Catalog(Path(scratch) / "catalog").collection("x")
        assert collection.symbols() == sorted(tables)
        for symbol, table in tables.items():
            meant = truth(table, symbol, length_us, calendar, hours, how.volume)
            assert collection.bars(symbol).fingerprint == meant.fingerprint, guessed.clues


CERTAIN = [
    ("us_equities_5m", Foreign(names="angle", time="%Y%m%d %H%M%S", zone="America/New_York")),
    ("us_equities_5m", Foreign(time="%d.%m.%y %H:%M", zone="Europe/Berlin", stamp="close",
                               decimal=",", separator=";", thousands=".")),
    ("us_equities_5m", Foreign(names="none", time="%m/%d/%Y %I:%M %p", zone="America/Chicago")),
    ("us_equities_5m", Foreign(names="numbered", zone="UTC", ending=".csv.gz", adjusted=True)),
    ("us_equities_5m", Foreign(names="short", time="epoch ms", stamp="close", long=True)),
    ("us_equities_5m", Foreign(names="middle", time="%Y-%m-%dT%H:%M:%S%:z", volume=False)),
    ("us_equities_5m", Foreign(pair=True, time="%Y.%m.%d %H:%M", zone="America/New_York",
                               separator="\t", ending=".txt", encoding="utf-16")),
    ("us_equities_1m", Foreign(zone="Etc/GMT+5", stamp="close")),
    ("us_equities_1h_long", Foreign(time="epoch s", ending=".parquet")),
    ("us_equities_1d_88", Foreign(time="%d/%m/%Y")),
    ("us_etf_15m_spy_2021", Foreign(time="%b %d, %Y %H:%M", zone="America/New_York",
                                    stamp="close")),
    ("futures_5m", Foreign(time="%Y-%m-%dT%H:%M:%SZ", stamp="close")),
    ("fx_15m", Foreign(time="epoch ns")),
]  # fmt: skip


@pytest.mark.parametrize(("folder", "how"), CERTAIN, ids=range(len(CERTAIN)))
def test_a_whole_history_tells_everything(
    shared_data: Path, tmp_path: Path, folder: str, how: Foreign
) -> None:
    """Half a year of sessions, a change of clocks among them, leaves no question open."""
    symbols, length_us, calendar, hours = REAL[folder]
    tables = {symbol: real(folder, symbol)[-16_000:] for symbol in symbols}
    path = write(tables, length_us, how, tmp_path / "in")
    guessed, outcomes = brought(path, tmp_path / "catalog")
    assert not guessed.open
    assert not [each.error for each in outcomes if each.error]
    for symbol, table in tables.items():
        meant = truth(table, symbol, length_us, calendar, hours, how.volume)
        assert Catalog(tmp_path / "catalog").collection("x").bars(symbol).fingerprint == (
            meant.fingerprint
        )


ASKED = [
    ("crypto_5m", Foreign(time="epoch s"), {"stamp"}),
    ("crypto_5m", Foreign(), {"stamp", "timezone"}),
    ("fx_15m", Foreign(names="own", volume=False, extra=True), set()),
    # Before breakfast a share hardly trades: few sessions of the extended hours begin with a bar.
    ("us_equities_5m_2y", Foreign(zone="America/New_York"), {"stamp", "timezone"}),
    ("us_equities_5m_2y", Foreign(time="epoch us", stamp="close"), {"stamp"}),
]


@pytest.mark.parametrize(("folder", "how", "settings_"), ASKED, ids=range(len(ASKED)))
def test_what_nobody_can_tell_is_asked(
    shared_data: Path, tmp_path: Path, folder: str, how: Foreign, settings_: set[str]
) -> None:
    symbols, length_us, calendar, hours = REAL[folder]
    table = real(folder, symbols[0])[:16_000]
    path = write({symbols[0]: table}, length_us, how, tmp_path / "in")
    found = guess(sorted(path.iterdir()))
    assert {clue.setting for clue in found.open} == settings_
    if settings_:
        with pytest.raises(ConfigError, match=r"Say it with --(stamp|timezone) \("):
            _ = found.reading
    said = {"stamp": how.stamp, "timezone": how.zone}
    answered, outcomes = brought(path, tmp_path / "catalog", **said)
    assert answered.reading.stamp == how.stamp
    assert outcomes[0].error is None
    meant = truth(table, symbols[0], length_us, calendar, hours, how.volume)
    stored = Catalog(tmp_path / "catalog").collection("x").bars(symbols[0])
    assert stored.fingerprint == meant.fingerprint


@pytest.mark.parametrize("stamp", ["open", "close"])
def test_gold_does_not_show_which_end_is_stamped(
    shared_data: Path, tmp_path: Path, stamp: str
) -> None:
    """It rests for an hour that currencies trade through: an hour earlier it fits even better."""
    table = real("fx_1h_long", "XAUUSD")
    how = Foreign(time="%Y-%m-%dT%H:%M:%SZ", stamp=stamp, volume=False)
    path = write({"XAUUSD": table}, 60 * MINUTE, how, tmp_path / "in")
    guessed, _ = brought(path, tmp_path / "catalog")
    assert {clue.setting for clue in guessed.open} == {"stamp"}
    brought(path, tmp_path / "catalog", stamp=stamp)
    stored = Catalog(tmp_path / "catalog").collection("x").bars("XAUUSD")
    meant = truth(table, "XAUUSD", 60 * MINUTE, "FX", "regular", volume=False)
    assert stored.fingerprint == meant.fingerprint


def test_a_few_days_in_years_contradict_nothing() -> None:
    """Of two readings whose bars fill the hours, one is ruled out by many days, not by three."""
    starts = np.asarray(
        pd.date_range("2026-01-05 14:30", periods=78, freq="5min"), "datetime64[us]"
    )
    market = next(each for each in MARKETS if each.calendar == "XNYS")
    best = fit_hours([starts.astype(np.int64)], 5 * MINUTE, market, None, "open")
    best = replace(best, stray=0, days=2000, begins=0.9, ends=0.9, sessions=1900)
    assert best.contradicts(replace(best, stray=30))
    assert not best.contradicts(replace(best, stray=19))
    assert not best.contradicts(replace(best, stray=30, begins=0.95))
    assert not replace(best, ends=0.4).contradicts(replace(best, stray=30, begins=0.1))


def test_a_name_that_says_the_zone_or_the_end(tmp_path: Path, shared_data: Path) -> None:
    table = real("crypto_5m", "BTCUSDT")[:9000]
    naive = table.with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    naive.rename({"timestamp": "Date (UTC)"}).write_csv(tmp_path / "A.csv")
    found = guess(tmp_path / "A.csv")
    assert {each.setting for each in found.open} == {"stamp"}
    assert found.likeliest.timezone == "UTC"
    table.rename({"timestamp": "Open time"}).write_parquet(tmp_path / "A.parquet")
    assert guess(tmp_path / "A.parquet").reading.stamp == "open"


def test_hong_kong_is_not_new_york(tmp_path: Path) -> None:
    """Shares that rest over midday keep the same hours on their clock, and other holidays."""
    starts = [
        day + pd.Timedelta(minutes=minute)
        for day in pd.bdate_range("2026-01-05", periods=9)
        for minute in [*range(570, 720, 5), *range(780, 960, 5)]
    ]
    flat = dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0)
    pd.DataFrame({"time": starts} | flat).to_csv(tmp_path / "0700.csv", index=False)
    assert "calendar" in {each.setting for each in guess(tmp_path / "0700.csv").open}


def test_part_of_a_session_does_not_show_which_end_is_stamped(
    tmp_path: Path, shared_data: Path
) -> None:
    """From ten to three, bars lie inside the session whichever end their times name."""
    hour = pl.col("timestamp").dt.convert_time_zone("America/New_York").dt.hour()
    part = real("us_equities_5m", "SPY")[:4000].filter(hour.is_between(10, 14))
    path = write({"SPY": part}, 5 * MINUTE, Foreign(time="epoch s"), tmp_path / "in")
    found = guess(sorted(path.iterdir()))
    assert {each.setting for each in found.open} == {"stamp"}
    assert found.likeliest.calendar == "XNYS"


def test_a_study_is_told_how_to_read_an_unknown_layout(tmp_path: Path, shared_data: Path) -> None:
    table = real("us_equities_5m", "SPY")
    how = Foreign(time="%d.%m.%Y %H:%M", separator=";", decimal=",", zone="America/New_York")
    folder = write({"SPY": table}, 5 * MINUTE, how, tmp_path / "in")
    source: dict[str, Any] = {"provider": "files", "path": str(folder)}
    with pytest.raises(DataError, match="It looks laid out so") as refused:
        PROVIDERS.parse(source).load()
    import yaml  # noqa: PLC0415

    text = str(refused.value)
    settings_ = yaml.safe_load(text[text.index("bars:") :])["bars"]
    loaded = PROVIDERS.parse(settings_).load()["SPY"]
    assert (
        loaded.fingerprint == truth(table, "SPY", 5 * MINUTE, "XNYS", "regular", True).fingerprint
    )


@pytest.mark.parametrize(
    "values", [[timedelta(1)], [[1, 2]], [{"a": 1}], [b"\xff"],
               pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2))],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", ["tags", "symbol", "close", "volume"])
def test_columns_of_lists_records_or_bytes_are_passed_over(name: str, values: Any) -> None:
    table = filled_table(minutes=30, days=20)
    odd = pl.Series(name, values)
    guessed = guess(table.with_columns(odd.new_from_index(0, len(table))), {"calendar": "XNYS"})
    taken = {each.value for each in guessed.clues if each.setting.startswith("columns.")}
    assert name not in taken
    assert "timestamp" in taken


@pytest.mark.parametrize("values", [[timedelta(1)], [time(1)]], ids=str)
def test_a_length_of_time_or_a_time_of_day_is_no_moment(values: Any) -> None:
    with pytest.raises(DataError, match="says no moment"):
        parse_text(pl.Series("timestamp", values), "file")
