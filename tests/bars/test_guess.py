"""Foreign files: read as they were meant, or asked about; never read as something else."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.bars.foreign import NAMES, TIMES, Foreign, truth, write
from tests.conftest import SHARED_DATA

from barstack.bars import PROVIDERS, Catalog
from barstack.bars.importing import Import, Outcome, plan_import, run_import
from barstack.bars.reading import Guess, guess
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
}
DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%y", "%Y%m%d", "%Y-%m-%d %H:%M:%S", "epoch s")
ZONES = ("UTC", "America/New_York", "America/Chicago", "Europe/Berlin", "Etc/GMT+5",
         "Europe/London", "Asia/Tokyo", "Asia/Kolkata")  # fmt: skip


@cache
def real(folder: str, symbol: str) -> pl.DataFrame:
    return pl.read_parquet(SHARED_DATA / folder / f"{symbol}.parquet")


def brought(path: Path, catalog: Path, **said: Any) -> tuple[Guess, list[Outcome]]:
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
            assert collection.bars(symbol).fingerprint == meant.fingerprint, guessed.findings


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
    ("us_equities_5m_2y", Foreign(time="epoch us", stamp="close")),
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
    ("us_equities_5m_2y", Foreign(zone="America/New_York"), {"timezone"}),
]


@pytest.mark.parametrize(("folder", "how", "settings_"), ASKED, ids=range(len(ASKED)))
def test_what_nobody_can_tell_is_asked(
    shared_data: Path, tmp_path: Path, folder: str, how: Foreign, settings_: set[str]
) -> None:
    symbols, length_us, calendar, hours = REAL[folder]
    table = real(folder, symbols[0])[:16_000]
    path = write({symbols[0]: table}, length_us, how, tmp_path / "in")
    found = guess(sorted(path.iterdir()))
    assert {finding.setting for finding in found.open} == settings_
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


def lines(tmp_path: Path, text: str, name: str = "SPY.csv") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def days(header: str, row: str, first: str = "2026-01-05", n_days: int = 10) -> str:
    """A file of business days; `row` is formatted with the date."""
    dates = pd.bdate_range(first, periods=n_days)
    return "\n".join([header, *(row.format(date=date) for date in dates)]) + "\n"


def settings_of(path: Path, **said: Any) -> dict[str, Any]:
    return guess(path, {"calendar": "XNYS"} | said).reading.settings()


def test_day_and_month_are_told_apart_only_by_a_day_beyond_12(tmp_path: Path) -> None:
    row = "{date:%d/%m/%Y},1,2,1,2,9"
    header = "Date,Open,High,Low,Close,Volume"
    clear = lines(tmp_path, days(header, row))
    assert settings_of(clear)["time_format"] == "%d/%m/%Y"
    american = lines(tmp_path, days(header, "{date:%m/%d/%Y},1,2,1,2,9"))
    assert settings_of(american)["time_format"] == "%m/%d/%Y"
    unclear = lines(tmp_path, days(header, row, "2026-02-02", 5))
    (question,) = guess(unclear, {"calendar": "XNYS"}).open
    assert question.setting == "dayfirst"
    assert question.choices == ("--dayfirst", "--monthfirst")
    assert settings_of(unclear, dayfirst=True)["time_format"] == "%d/%m/%Y"
    assert settings_of(unclear, dayfirst=False)["time_format"] == "%m/%d/%Y"


def test_an_adjusted_close_is_not_taken_for_the_close(tmp_path: Path) -> None:
    both = lines(tmp_path, days("Date,Open,High,Low,Close,Adj Close,Volume",
                                "{date:%Y-%m-%d},1,2,1,2,1.5,9"))  # fmt: skip
    found = guess(both, {"calendar": "XNYS"})
    assert found.reading.columns["close"] == "Close"
    (close,) = [each for each in found.findings if each.setting == "columns.close"]
    assert "'Adj Close' is left out" in close.because
    alone = lines(
        tmp_path, days("Date,Open,High,Low,Adj Close,Volume", "{date:%Y-%m-%d},1,2,1,2,9")
    )
    (question,) = guess(alone, {"calendar": "XNYS"}).open
    assert question.setting == "columns.close"
    assert question.choices == ("Adj Close",)
    assert settings_of(alone, columns={"close": "Adj Close"})["columns"]["close"] == "Adj Close"


def test_volume(tmp_path: Path) -> None:
    none = lines(tmp_path, days("Date,Open,High,Low,Close", "{date:%Y-%m-%d},1,2,1,2"))
    assert settings_of(none)["columns"]["volume"] == "zeros"
    other = lines(tmp_path, days("Date,Open,High,Low,Close,Turnover", "{date:%Y-%m-%d},1,2,1,2,9"))
    (question,) = guess(other, {"calendar": "XNYS"}).open
    assert question.choices == ("Turnover", "zeros")
    ticks = lines(tmp_path, days("<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>,<VOL>,<SPREAD>",
                                 "{date:%Y.%m.%d},1,2,1,2,9,0,3"))  # fmt: skip
    assert settings_of(ticks)["columns"]["volume"] == "<TICKVOL>"


def test_quotes_without_trades_are_asked_about(tmp_path: Path) -> None:
    header = "time,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close,volume"
    file = lines(tmp_path, days(header, "{date:%Y-%m-%d},1,2,1,2,1,2,1,2,9"))
    found = {each.setting: each.choices for each in guess(file).open}
    assert found["columns.close"] == ("bid_close", "ask_close")


def test_a_comma_that_may_be_either_is_asked_about(tmp_path: Path) -> None:
    row = '{date:%Y-%m-%d};"1,234";"2,345";"1,111";"1,500";900'
    file = lines(tmp_path, days("Date;Open;High;Low;Close;Volume", row))
    (question,) = guess(file, {"calendar": "XNYS"}).open
    assert question.setting == "decimal"
    fraction = settings_of(file, decimal=",", thousands="")
    assert fraction["decimal"] == ","


def test_lines_above_the_header_and_several_header_lines(tmp_path: Path) -> None:
    table = days("Date,Open,High,Low,Close,Volume", "{date:%Y-%m-%d},1,2,1,2,9")
    assert settings_of(lines(tmp_path, f"https://bars.example\n{table}"))["skip_lines"] == 1
    yahoo = table.replace("Volume\n", "Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDate,,,,,\n", 1)
    file = lines(tmp_path, yahoo.replace("Date,Open", "Price,Open", 1))
    found = settings_of(file)
    assert found["header_lines"] == 3
    source = {"provider": "files", "path": str(file), "calendar": "XNYS", "header_lines": 3}
    assert len(PROVIDERS.parse(source).load()["SPY"]) == 10


def test_numbers_as_spreadsheets_write_them(tmp_path: Path) -> None:
    row = '{date:%b %d, %Y}|"$1,001.50"|$1,002|"$1,000.5"|"$1,001.75"|"1,234,567"'
    file = lines(tmp_path, days("Date|Open|High|Low|Close/Last|Volume", row))
    found = settings_of(file)
    assert (found["thousands"], found["columns"]["close"]) == (",", "Close/Last")
    source = {"provider": "files", "path": str(file), "calendar": "XNYS"}
    bars = PROVIDERS.parse(source | found).load()["SPY"]
    assert bars.records[0][["open", "close", "volume"]].tolist() == (1001.5, 1001.75, 1_234_567)


def test_absolute_times_come_before_local_ones(tmp_path: Path) -> None:
    row = "{date:%s},{date:%Y-%m-%d},1,2,1,2,9"
    file = lines(tmp_path, days("unix,date,open,high,low,close,volume", row))
    assert settings_of(file)["columns"]["time"] == "unix"


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


@pytest.mark.parametrize("wrong", ["1,23", "12,3456", "1.234,5", "1,234,5"])
def test_numbers_that_are_written_otherwise_further_down_are_refused(
    tmp_path: Path, wrong: str
) -> None:
    row = '{date:%Y-%m-%d},"1,001.50","1,002","1,000.5","1,001.75",9'
    text = days("Date,Open,High,Low,Close,Volume", row)
    file = lines(tmp_path, text + f'2026-01-20,"1,001","1,002","{wrong}","1,001",9\n')
    source = {"provider": "files", "path": str(file), "calendar": "XNYS", "thousands": ","}
    with pytest.raises(DataError, match=rf"'{wrong}' in row 10 of 'Low' is not a number"):
        PROVIDERS.parse(source).load()


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


def test_what_is_no_table_at_all(tmp_path: Path) -> None:
    for text in ("", "hello\n", "a,b,c\n1,2,3\n", "Date,Open,High,Low,Close,Volume\n"):
        with pytest.raises(DataError):
            guess(lines(tmp_path, text))
    with pytest.raises(ConfigError, match=r"Unknown setting 'calender'\. Did you mean 'calendar'"):
        guess(tmp_path / "SPY.csv", {"calender": "XNYS"})
