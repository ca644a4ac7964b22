"""Files, stamps and clocks that users of other tools have stumbled over: right, or a sentence."""

from __future__ import annotations

import gzip
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.bars.test_shared_data import FOLDERS
from tests.conftest import Barstack

from barstack.bars import PROVIDERS, Catalog, Series, bars_from_frame, sessions
from barstack.bars.importing import find_files, guess
from barstack.core.errors import BarstackError, ConfigError, DataError

HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000


def made(index: Any, seed: int = 0, digits: int = 2, start: float = 100.0) -> pd.DataFrame:
    """Prices at these times."""
    rng = np.random.default_rng(seed)
    close = np.round(start * np.exp(np.cumsum(0.002 * rng.normal(size=len(index)))), digits)
    opens = np.append(start, close[:-1])
    columns = {"open": opens, "high": np.maximum(opens, close), "low": np.minimum(opens, close)}
    columns |= {"close": close, "volume": rng.integers(100, 9000, len(index)).astype(float)}
    return pd.DataFrame(columns, index=index)


# Names


def test_a_path_is_a_path_whatever_marks_are_in_it(tmp_path: Path) -> None:
    odd = ("A[1]", "B*", "C?", "{symbol}")
    hours = pd.date_range("2026-01-05", periods=60, freq="1h", tz="UTC")
    for place, name in enumerate((*odd, "A1", "BB", "CC", "D")):
        table = pl.DataFrame(made(hours, place).reset_index(names="timestamp"))
        table.write_parquet(tmp_path / f"{name}.parquet")
    for place, name in enumerate(odd):
        path = tmp_path / f"{name}.parquet"
        assert find_files(path) == {name: [path]}
        (bars,) = PROVIDERS.parse({"provider": "files", "path": str(path)}).load().values()
        assert bars.close.tolist() == made(hours, place)["close"].tolist()
        assert guess(path).likeliest.bar == "1h"
    for folder in ("a[1]", "b*"):  # and the folder that a pattern is looked for in
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "X_1h.parquet").write_bytes((tmp_path / "D.parquet").read_bytes())
        assert list(find_files("*_1h.parquet", tmp_path / folder)) == ["X"]


def test_a_series_file_is_the_one_that_is_named(tmp_path: Path) -> None:
    from barstack.bars import SeriesFile  # noqa: PLC0415

    for place, name in enumerate(("n[1]", "n1")):
        table = pl.DataFrame({"known_at": ["2026-01-05T21:30Z"], "mood": [float(place)]})
        table.write_parquet(tmp_path / f"{name}.parquet")
        table.write_csv(tmp_path / f"{name}.csv")
    for ending in ("parquet", "csv"):
        spec = SeriesFile(path=f"n[1].{ending}", columns=["mood"], per_symbol=False)
        assert spec.load(tmp_path).values.tolist() == [[0.0]]


# Years


@pytest.mark.parametrize("first", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("then", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_counts_that_change_their_unit(tmp_path: Path, first: str, then: str, ending: str) -> None:
    if first == then:
        return
    frame = made(pd.date_range("2024-12-20", periods=400, freq="1h", tz="UTC"))
    per = {"s": 1_000_000, "ms": 1_000, "us": 1}
    us = frame.index.to_numpy("datetime64[us]").astype(np.int64)
    counts = {unit: us // per[unit] if unit in per else us * 1000 for unit in (first, then)}
    mixed = np.where(np.arange(400) < 300, counts[first], counts[then])
    table = pl.DataFrame(frame.reset_index(drop=True).assign(open_time=mixed))
    file = tmp_path / f"B.{ending}"
    table.write_csv(file) if ending == "csv" else table.write_parquet(file)
    assert guess(file).open
    layout = {"columns": {"time": "open_time"}, "time_format": f"epoch {first}"}
    with pytest.raises(DataError, match=r"row 300 of 'open_time'.*(year|lies in 1970)"):
        PROVIDERS.parse({"provider": "files", "path": str(file), **layout}).load()


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("year", [24, 1776, 2150, 30_000])
def test_years_that_no_bar_has(unit: str, year: int) -> None:
    good = np.datetime64("2026-01-05") + np.arange(20).astype("timedelta64[D]")
    days = good.astype(f"datetime64[{unit}]")
    days[10:] = np.datetime64(f"{year:04}-01-01") + np.arange(10).astype("timedelta64[D]")
    frame = made(range(20)).assign(timestamp=pd.Series(days))
    for calendar in ("24/7", "XNYS", "FX"):
        with pytest.raises(DataError, match=rf"row 10 of 'timestamp' lies in the year {year}\b"):
            bars_from_frame(frame, "T", calendar=calendar)
    series = Series(columns=["close"], per_symbol=False, known_at="timestamp", timezone="UTC")
    with pytest.raises(DataError, match="lies in the year"):
        series.read(frame.assign(timestamp=frame["timestamp"] + pd.Timedelta("1h")))


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("%d/%m/%Y", "05/01/24", "lies in the year 24"),
        ("%d/%m/%y", "05/01/62", "two digits do not tell the century"),
        (None, "0024-01-05", "lies in the year 24"),
    ],
)
def test_years_of_two_digits(tmp_path: Path, form: str | None, text: str, said: str) -> None:
    frame = made(range(1)).assign(date=[text])
    frame.to_csv(tmp_path / "T.csv", index=False)
    source = {"provider": "files", "path": str(tmp_path / "T.csv"), "time_format": form}
    with pytest.raises(DataError, match=said):
        PROVIDERS.parse({**source, "bar": "1d"}).load()


# Days of 23 and 25 hours


@pytest.mark.parametrize("zone", ["America/Chicago", "Europe/Berlin", "Australia/Sydney"])
@pytest.mark.parametrize("written", ["utc", "zoned", "naive", "close"])
def test_a_day_ends_where_the_next_begins(zone: str, written: str) -> None:
    days = pd.date_range("2025-03-01", "2026-04-20", freq="1D", tz=zone)
    frame = made(days)
    options: dict[str, Any] = {}
    if written != "zoned":
        frame.index = days.tz_convert("UTC")
    if written == "naive":
        frame.index, options = days.tz_localize(None), {"timezone": zone}
    if written == "close":
        frame.index, options = (days + pd.DateOffset(days=1)).tz_convert("UTC"), {"stamp": "close"}
    bars = bars_from_frame(frame, "T", length_us=DAY_US, **options)
    assert (bars.opened_at[1:] == bars.closed_at[:-1]).all()
    hours = np.diff(bars.opened_at).astype("timedelta64[h]").astype(int)
    assert sorted(set(hours.tolist())) == [23, 24, 25]


def test_weeks_months_and_hours_of_a_clock() -> None:
    for freq, length_us in (("W-MON", 7 * DAY_US), ("MS", 31 * DAY_US), ("MS", 30 * DAY_US)):
        starts = pd.date_range("2023-01-01", periods=30, freq=freq, tz="America/New_York")
        bars = bars_from_frame(made(starts.tz_convert("UTC")), "T", length_us=length_us)
        assert (bars.opened_at[1:] == bars.closed_at[:-1]).all()
    midnights = pd.date_range("2025-03-01", "2025-11-20", freq="1D", tz="America/New_York")
    naive = pd.DatetimeIndex(
        [
            day.tz_localize(None) + pd.Timedelta(hours=h)
            for day in midnights
            for h in range(0, 24, 4)
        ]
    )
    frame = made(naive.tz_localize("America/New_York").tz_convert("UTC"))
    bars = bars_from_frame(frame, "T", length_us=4 * HOUR_US)
    assert (bars.opened_at[1:] == bars.closed_at[:-1]).all()


def test_the_catalog_keeps_the_clock_of_days(tmp_path: Path, barstack: Barstack) -> None:
    days = pd.date_range("2025-01-01", "2025-11-30", freq="1D", tz="America/Chicago")
    frame = made(days.tz_convert("UTC")).reset_index(names="timestamp")
    pl.DataFrame(frame).write_parquet(tmp_path / "BTC.parquet")
    barstack("import", tmp_path / "BTC.parquet", "--into", "days", "--yes", code=0)
    collection = Catalog(tmp_path / "catalog").collection("days")
    assert collection.facts.day_zone is not None
    end_us = pd.Timestamp("2025-11-02T06:00Z").value // 1000
    (day,) = collection.bars("BTC", end_us=end_us, last=1).records
    assert day["closed_at"] - day["opened_at"] == 25 * HOUR_US
    (stored,) = (
        collection.scan().filter(pl.col("timestamp") == pd.Timestamp("2025-11-02T05:00Z")).collect()
    )["closed_at"]
    assert stored == pd.Timestamp("2025-11-03T06:00Z")


# Live rows


@pytest.mark.parametrize(
    ("freq", "length_us", "late"),
    [("1D", DAY_US, "15h41min"), ("1D", DAY_US, "35h12min"), ("7D", 7 * DAY_US, "9D"),
     ("7D", 7 * DAY_US, "4D"), ("1h", HOUR_US, "67min"), ("1h", HOUR_US, "7min")],
)  # fmt: skip
def test_a_live_row_is_no_bar(freq: str, length_us: int, late: str) -> None:
    frame = made(pd.date_range("2025-06-02", periods=40, freq=freq, tz="America/New_York"))
    live = frame.iloc[[-1]].set_axis([frame.index[-1] + pd.Timedelta(late)])
    assert len(bars_from_frame(frame, "T", length_us=length_us)) == 40
    with pytest.raises(DataError, match="newest row of T"):
        bars_from_frame(pd.concat([frame, live]), "T", length_us=length_us)


def test_days_and_weeks_that_overlap_are_refused() -> None:
    days = made(pd.date_range("2025-06-02", periods=40, freq="1D", tz="UTC"))
    extra = days.iloc[[20]].set_axis([days.index[20] + pd.Timedelta("13h")])
    with pytest.raises(DataError, match="begins before the bar before it ends"):
        bars_from_frame(pd.concat([days, extra]).sort_index(), "T", length_us=DAY_US)


def test_a_bar_that_is_still_forming_is_refused() -> None:
    now = pd.Timestamp(time.time(), unit="s", tz="UTC").floor("1h")
    if time.time() % 3600 > 3500:
        pytest.skip("the hour is nearly over")
    forming = made(pd.date_range(end=now, periods=50, freq="1h"))
    with pytest.raises(DataError, match="is still forming"):
        bars_from_frame(forming, "T")
    assert len(bars_from_frame(forming[:-1], "T")) == 49
    ahead = made(pd.date_range(end=now + pd.Timedelta("30D"), periods=50, freq="1h"))
    with pytest.warns(UserWarning, match="which lies ahead"):
        bars_from_frame(ahead, "T")


# Calendars


@pytest.mark.parametrize(("first", "close"), [("1962-01-02", "20:30"), ("1927-12-30", "20:00")])
def test_sessions_before_1970(first: str, close: str, tmp_path: Path) -> None:
    found = sessions("XNYS", since_us=-1)
    days = found.day[np.searchsorted(found.day, np.datetime64(first).astype(int)) :][:300]
    frame = made(range(300)).assign(date=days.astype("datetime64[D]").astype("datetime64[s]"))
    bars = bars_from_frame(frame, "IBM", calendar="XNYS", length_us=DAY_US)
    assert len(bars) == 300
    assert (
        bars.closed_at.view(np.int64).tolist()
        == found.close[np.searchsorted(found.day, days)].tolist()
    )
    frame["date"] = frame["date"].dt.strftime("%Y-%m-%d")
    frame.to_csv(tmp_path / "IBM.csv", index=False)
    source = {"provider": "files", "path": str(tmp_path / "IBM.csv"), "calendar": "XNYS"}
    assert PROVIDERS.parse({**source, "bar": "1d"}).load()["IBM"].fingerprint == bars.fingerprint


def test_beyond_what_a_calendar_knows() -> None:
    frame = made(pd.bdate_range("2062-01-02", periods=50)).reset_index(names="date")
    with (
        pytest.warns(UserWarning, match="which lies ahead"),
        pytest.raises(DataError, match="sessions of XNYS are known from 1970-01-02 to 20"),
    ):
        bars_from_frame(frame, "T", calendar="XNYS", length_us=DAY_US)


@pytest.mark.parametrize("name", ["ASEX", "XBEL", "XBSE", "XCYS", "XTAE"])
def test_a_calendar_that_cannot_be_built(name: str, tmp_path: Path, barstack: Barstack) -> None:
    with pytest.raises(ConfigError, match=f"cannot build calendar {name}"):
        sessions(name)
    made(pd.bdate_range("2025-01-06", periods=60)).to_csv(tmp_path / "T.csv", index_label="date")
    for command in (["data"], ["import", "--into", "x", "--stamp", "open", "--yes"]):
        called = barstack(*command, tmp_path / "T.csv", "--calendar", name, code=2)
        assert name in called.err


def fx(first: str, last: str, freq: str = "30min") -> pd.DatetimeIndex:
    """Sunday 17:00 to Friday 17:00 New York."""
    utc = pd.date_range(first, last, freq=freq, tz="UTC")
    local = utc.tz_convert("America/New_York")
    day, hour = local.day_of_week, local.hour
    return utc[(day < 4) | ((day == 4) & (hour < 17)) | ((day == 6) & (hour >= 17))]


@pytest.mark.parametrize("hours_ahead", [7, 6, 8])
def test_a_clock_of_new_york_and_some_hours(tmp_path: Path, hours_ahead: int) -> None:
    """MetaTrader's is known; of others none is sure that fits most of the year."""
    utc = fx("2025-01-05", "2025-12-19")
    ahead = pd.Timedelta(hours=hours_ahead)
    wall = utc.tz_convert("America/New_York").tz_localize(None) + ahead
    frame = made(wall, digits=5, start=1.08)
    file = tmp_path / "EURUSD.csv"
    frame.assign(volume=0).to_csv(file, index_label="time")
    found = guess(file)
    zone = next(clue for clue in found.clues if clue.setting == "timezone")
    if hours_ahead != 7:
        assert zone.open or zone.value is None
        return
    assert (zone.value, zone.certainty) == ("America/New_York+7h", "sure")
    settings = found.reading.settings()
    (bars,) = PROVIDERS.parse({"provider": "files", "path": str(file), **settings}).load().values()
    assert (bars.opened_at == utc.tz_localize(None).to_numpy("datetime64[us]")).all()


# Text


def text_of(frame: pd.DataFrame, mark: str, point: str = ",") -> str:
    swap = str.maketrans(",.", f"\0{point}")
    rows = [
        ";".join([f"{day:%d/%m/%Y}", *(f"{v:,.2f}".translate(swap) for v in row)])
        for day, *row in frame.itertuples()
    ]
    return "Date;Open;High;Low;Close;Volume\n" + "\n".join(rows).replace("\0", mark) + "\n"


@pytest.mark.parametrize("mark", ["\u00a0", "\u202f", " ", "."])
def test_groups_of_digits(tmp_path: Path, mark: str) -> None:
    frame = made(pd.bdate_range("2024-01-02", periods=60), start=2400.0)
    file = tmp_path / "T.csv"
    file.write_text(text_of(frame, mark))
    settings = guess(file, {"calendar": "24/7"}).likeliest.settings()
    source = {"provider": "files", "path": str(file), **settings}
    (bars,) = PROVIDERS.parse(source | {"bar": "1d"}).load().values()
    assert bars.close.tolist() == frame["close"].tolist()
    assert bars.records["volume"].tolist() == frame["volume"].tolist()


def indian(value: float) -> str:
    digits = f"{int(value)}"
    head, tail = digits[:-3], digits[-3:]
    pairs = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)][::-1]
    return ",".join([*pairs, tail])


def test_groups_of_two_digits_as_in_india(tmp_path: Path) -> None:
    frame = made(pd.bdate_range("2024-01-02", periods=60), start=2400.0)
    frame["volume"] *= 1234
    rows = frame.assign(volume=frame["volume"].map(indian))
    rows.to_csv(tmp_path / "T.csv", index_label="Date")
    settings = guess(tmp_path / "T.csv", {"calendar": "24/7"}).likeliest.settings()
    source = {"provider": "files", "path": str(tmp_path / "T.csv"), **settings}
    (bars,) = PROVIDERS.parse(source | {"bar": "1d"}).load().values()
    assert bars.records["volume"].tolist() == frame["volume"].tolist()


HEAD = "Date,Open,High,Low,Close,Volume"


@pytest.mark.parametrize(
    ("above", "tail", "below", "end"),
    [
        ("", "", "", "\r"),
        ("", ",,,", ",,,,,,,,\r\n,,,,,,,,\r\n", "\r\n"),
        ("TOY Inc.,,,,,\r\nExported 1/20/2024,,,,,\r\n", "", "", "\r\n"),
        ("\r\n\r\n", "", "\r\n\r\n", "\r\n"),
        ("TOY Inc.\n\n", "", "", "\n"),
    ],
)
def test_what_a_sheet_leaves(tmp_path: Path, above: str, tail: str, below: str, end: str) -> None:
    frame = made(pd.bdate_range("2024-01-02", periods=60))
    rows = [f"{day:%Y-%m-%d}," + ",".join(map(str, row)) for day, *row in frame.itertuples()]
    body = end.join(f"{row}{tail}" for row in [HEAD, *rows])
    (tmp_path / "T.csv").write_bytes(f"{above}{body}{end}{below}".encode())
    settings = guess(tmp_path / "T.csv", {"calendar": "24/7"}).likeliest.settings()
    source = {"provider": "files", "path": str(tmp_path / "T.csv"), **settings}
    (bars,) = PROVIDERS.parse(source | {"bar": "1d"}).load().values()
    assert bars.close.tolist() == frame["close"].tolist()


def test_tables_that_are_none(tmp_path: Path) -> None:
    hours = pd.date_range("2026-01-05", periods=60, freq="1h", tz="UTC")
    frame = made(hours).reset_index(names="timestamp")
    table = pl.DataFrame(frame)
    lists = table.with_columns(pl.col("close").reshape((-1, 1)).arr.to_list())
    endless = table.with_columns(high=pl.lit(float("inf")))
    for name, wrong in (("lists", lists), ("endless", endless)):
        wrong.write_parquet(tmp_path / f"{name}.parquet")
        source = {"provider": "files", "path": str(tmp_path / f"{name}.parquet")}
        with pytest.raises(DataError, match=r"not numbers|no finite high"):
            PROVIDERS.parse(source).load()
        with pytest.raises(DataError, match=r"not numbers|no finite high"):
            bars_from_frame(wrong, "T")
    two_levels = made(hours)
    two_levels.columns = pd.MultiIndex.from_product([two_levels.columns, ["SPY"]])
    for ask in (lambda: bars_from_frame(two_levels, "T"), lambda: guess(two_levels)):
        with pytest.raises(DataError, match=r"two levels, such as .*yfinance"):
            ask()


def test_twenty_thousand_columns(tmp_path: Path) -> None:
    hours = pd.date_range("2026-01-05", periods=40, freq="1h", tz="UTC")
    frame = made(hours).reset_index(names="timestamp")
    wide = pl.DataFrame(frame).hstack(
        pl.DataFrame({f"other_{n}": np.zeros(40) for n in range(20_000)})
    )
    wide.write_csv(tmp_path / "W.csv")
    (bars,) = (
        PROVIDERS.parse({"provider": "files", "path": str(tmp_path / "W.csv")}).load().values()
    )
    assert bars.close.tolist() == frame["close"].tolist()


def test_what_unpacks_to_far_more_than_a_table_could(tmp_path: Path) -> None:
    line = b"2026-01-05T00:00:00Z,1,1,1,1,0\n" * 100_000
    with gzip.open(tmp_path / "B.csv.gz", "wb", compresslevel=9) as packed:
        packed.write(b"timestamp,open,high,low,close,volume\n")
        for _ in range(100):
            packed.write(line)
    with pytest.raises(BarstackError, match="unpacks to over"):
        PROVIDERS.parse({"provider": "files", "path": str(tmp_path / "B.csv.gz")}).load()
    with gzip.open(tmp_path / "L.csv.gz", "wb") as packed:  # and a line without an end
        packed.write(b"timestamp,open,high,low,close,volume\n")
        for _ in range(70):
            packed.write(b"1" * (1 << 20))
    with pytest.raises(BarstackError, match=r"line of over|unpacks"):
        PROVIDERS.parse({"provider": "files", "path": str(tmp_path / "L.csv.gz")}).load()


# Real bars

ASKED = {}  # type: dict[str, list[str]]


@pytest.mark.parametrize("name", FOLDERS)
def test_real_bars_ask_nothing_new(shared_data: Path, name: str) -> None:
    files = [file for each in find_files(shared_data / name).values() for file in each]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = guess(files)
    assert [clue.setting for clue in found.open] == ASKED.get(name, [])


def test_a_line_of_hundreds_of_thousands_of_columns_is_refused(
    tmp_path: Path, barstack: Barstack
) -> None:
    """It took 90 seconds and 1.5 GiB."""
    file = tmp_path / "T.txt"
    file.write_text("1," * 300_000)
    shown = barstack("data", file, "--html", tmp_path / "page.html", code=2)
    assert "has 300,001 columns, and no table of bars has more than 100,000" in " ".join(
        shown.err.split()
    )
