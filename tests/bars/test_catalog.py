"""What the catalog gives back is what came in, however it came."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.bars.catalog_tables import (
    MINUTE_US,
    PRICES,
    START_US,
    collection_in,
    later,
    made,
    parquet_files,
    session_table,
    stamps_of,
)

from barstack.bars import Catalog, Collection, bars_from_table
from barstack.bars.catalog import _writing
from barstack.bars.catalog._folders import folder_of, symbol_of
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DAY_US

WHOLE = made(240)
in_a_folder = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return collection_in(tmp_path)


WHOLE = made(240)
chunks = st.tuples(st.integers(0, 239), st.integers(1, 120)).map(
    lambda at: range(at[0], min(sum(at), 240))
)
scattered = st.sets(st.integers(0, 239), max_size=25).map(sorted)


@in_a_folder
@given(pieces=st.lists(chunks | scattered, min_size=1, max_size=12))
def test_any_order_of_adds_is_the_sorted_union(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[Any]
) -> None:
    collection = collection_in(tmp_path_factory.mktemp("catalog"))
    seen: set[int] = set()
    spans = []
    for piece in pieces:
        rows = list(piece)
        part = WHOLE[rows]
        span = (stamps_of(part)[0], stamps_of(part)[-1] + MINUTE_US) if rows else None
        added = collection.add("A", part, covered=span)
        spans += [span] if span else []
        assert (added.new, added.same, added.revised) == (
            len(set(rows) - seen),
            len(set(rows) & seen),
            0,
        )
        seen |= set(rows)
    if not seen:
        assert collection.symbols() == []
        return
    union = WHOLE[sorted(seen)]
    assert_frame_equal(collection.table("A"), union)
    stored = collection.scan().collect()
    assert_frame_equal(stored.select(union.columns), union)
    assert collection.verify("A").rows == len(union)
    at_once = collection_in(tmp_path_factory.mktemp("catalog"))
    at_once.add("A", union)
    assert collection.fingerprint == at_once.fingerprint
    covered = collection.covered("A")
    assert all(before[1] < after[0] for before, after in pairwise(covered))
    minutes = {
        minute for begin, end in spans for minute in range(begin // MINUTE_US, end // MINUTE_US)
    }
    assert minutes == {
        minute for begin, end in covered for minute in range(begin // MINUTE_US, end // MINUTE_US)
    }


@in_a_folder
@given(
    start=st.none() | st.integers(-5, 245),
    end=st.none() | st.integers(-5, 245),
    last=st.none() | st.integers(1, 300),
    known=st.none() | st.integers(-5, 245),
)
def test_any_stretch_is_that_of_the_whole(
    cut_up: Collection, start: int | None, end: int | None, last: int | None, known: int | None
) -> None:
    step = 30 * MINUTE_US
    moments = [None if each is None else START_US + each * step for each in (start, end, known)]
    begin, stop, known_by = moments
    rows = np.arange(240)
    if start is not None:
        rows = rows[rows >= start]
    if end is not None:
        rows = rows[rows < end]
    newest = rows if last is None else rows[-last:]
    table = cut_up.table("A", start_us=begin, end_us=stop, last=last)
    assert_frame_equal(table, WHOLE[newest])
    if known is not None:
        rows = rows[rows + 1 <= known]  # a bar is known when the next begins
    newest = rows if last is None else rows[-last:]
    bars = cut_up.bars("A", start_us=begin, end_us=stop, last=last, known_by_us=known_by)
    assert bars.records["opened_at"].tolist() == (START_US + newest * step).tolist()
    assert bars.records["close"].tolist() == WHOLE["close"].to_numpy()[newest].tolist()


@pytest.fixture(scope="module")
def cut_up(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """All of WHOLE in eight parts of two periods; for reading only."""
    collection = collection_in(tmp_path_factory.mktemp("catalog"))
    for start in range(0, 240, 30):
        collection.add("A", WHOLE[start : start + 30])
    assert collection.summary("A").parts >= 8
    return collection


@pytest.mark.parametrize("column", WHOLE.columns)
def test_the_fingerprint_changes_with_any_value(collection: Collection, column: str) -> None:
    collection.add("A", WHOLE)
    collection.add("B", WHOLE)
    before = collection.fingerprint
    other = WHOLE.with_row_index()
    if column == "timestamp":
        table = WHOLE[:77].vstack(WHOLE[78:])
    else:
        least = 1 + np.finfo(float).eps if column != "low" else 1 - np.finfo(float).eps
        moved = pl.when(pl.col("index") == 77).then(
            pl.col(column) * least + (column == "volume") * 1
        )
        table = other.with_columns(moved.otherwise(pl.col(column)).alias(column)).drop("index")
        if column in ("open", "close"):
            table = table.with_columns(pl.max_horizontal(PRICES).alias("high"))
    changed = collection_in(collection.folder.parent, "other")
    changed.add("A", table)
    changed.add("B", WHOLE)
    assert changed.fingerprint != before
    changed.remove("A")
    changed.add("A", WHOLE)
    assert changed.fingerprint == before


def test_the_fingerprint_tells_symbols_apart(collection: Collection) -> None:
    other = collection_in(collection.folder.parent, "other")
    collection.add("A", WHOLE)
    other.add("B", WHOLE)
    assert collection.fingerprint != other.fingerprint
    hourly = collection_in(collection.folder.parent, "hourly", bar="1h")
    hourly.add("A", WHOLE[:20][::2])
    collection.remove("A")
    collection.add("A", WHOLE[:20][::2])
    assert hourly.fingerprint != collection.fingerprint, "the same stamps, known at other times"


def test_a_top_up_touches_only_new_files(collection: Collection) -> None:
    collection.add("A", WHOLE[:100])
    for start in range(100, 240, 5):
        before = parquet_files(collection, "A")
        collection.add("A", WHOLE[start : start + 5])
        after = parquet_files(collection, "A")
        assert before.items() <= after.items()
        assert len(after) == len(before) + 1
    assert collection.summary("A").parts <= 2 * _writing.MOST_PARTS


def test_nothing_is_written_where_nothing_is_new(collection: Collection) -> None:
    collection.add("A", WHOLE, covered=(0, 5))
    folder = collection.folder / "A"
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    again = collection.add("A", WHOLE[3:50], covered=(1, 4))
    assert (again.new, again.same) == (0, 47)
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_the_source_was_asked_and_had_nothing(collection: Collection) -> None:
    collection.add("A", WHOLE.clear(), covered=(0, 5))
    assert collection.symbols() == ["A"]
    assert collection.covered("A") == [(0, 5)]
    assert collection.covered("B") == []
    assert len(collection.bars("A")) == len(collection.table("A", last=5)) == 0
    assert collection.scan().collect().is_empty()
    for wrong in ((5, 5), (6, 5)):
        with pytest.raises(ConfigError, match=r"from before to, not \("):
            collection.add("A", WHOLE, covered=wrong)


@pytest.mark.parametrize(("bar", "step", "name"), [
    ("1s", MINUTE_US // 60, "2025-12-30-"), ("1min", MINUTE_US, "2025-12-"),
    ("5min", 5 * MINUTE_US, "2025-"), ("1h", 60 * MINUTE_US, "2020s-"), ("1d", DAY_US, "2020s-"),
])  # fmt: skip
def test_periods_suit_the_bars(tmp_path: Path, bar: str, step: int, name: str) -> None:
    collection = collection_in(tmp_path, bar=bar)
    collection.add("A", made(50, length_us=step))
    assert sorted(parquet_files(collection, "A"))[0].startswith(name)
    before_1970 = later(made(50, length_us=step), days=-30_000)
    collection.add("A", before_1970)
    assert collection.table("A", last=1).equals(made(50, length_us=step)[-1:])
    assert collection.verify("A").rows == 100


@pytest.fixture(scope="module")
def shares(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Half-hourly US shares from 04:00 to 20:00 over a half day; for reading only."""
    collection = collection_in(tmp_path_factory.mktemp("shares"), calendar="XNYS")
    collection.add("A", session_table(40))
    return collection


@pytest.mark.parametrize("hours", ["regular", "extended"])
def test_bars_are_those_of_the_door(shares: Collection, hours: str) -> None:
    bars = shares.bars("A", hours=hours)
    table = session_table(40)
    door = bars_from_table(table, "A", length_us=30 * MINUTE_US, calendar="XNYS", hours=hours)
    assert bars.fingerprint == door.fingerprint
    assert bars.outside == door.outside
    for last in (1, 13, 200, 10_000):
        assert (shares.bars("A", last=last, hours=hours).records == door.records[-last:]).all()
    for known_by in door.records["closed_at"][[0, 20, 21, -1]]:
        for moment in (known_by - 1, known_by):
            known = door.records[door.records["closed_at"] <= moment]
            got = shares.bars("A", known_by_us=int(moment), hours=hours)
            assert (got.records == known).all()
            newest = shares.bars("A", known_by_us=int(moment), last=7, hours=hours)
            assert (newest.records == known[-7:]).all()


def test_what_is_stored_beside_prices_follows_from_the_calendar(shares: Collection) -> None:
    rows = shares.scan().collect()
    assert rows.columns == ["symbol", "timestamp", "closed_at", *PRICES, "volume"]
    bars = shares.bars("A")
    inside = rows.filter(
        pl.col("timestamp").to_physical().is_in(bars.records["opened_at"].tolist())
    )
    assert inside["closed_at"].to_physical().to_list() == bars.records["closed_at"].tolist()
    outside = rows.filter(
        ~pl.col("timestamp").to_physical().is_in(bars.records["opened_at"].tolist())
    )
    assert len(outside) == bars.outside
    assert ((outside["closed_at"] - outside["timestamp"]).dt.total_minutes() == 30).all()


def test_daily_bars_are_known_at_the_close(tmp_path: Path) -> None:
    collection = collection_in(tmp_path, bar="1d", calendar="XNYS")
    days = [f"2025-11-{day}" for day in (24, 25, 26, 28)]
    stamps = pl.Series("timestamp", days).str.to_datetime(time_unit="us", time_zone="UTC")
    collection.add("A", made(4).with_columns(stamps))
    close = collection.scan().collect()["closed_at"]
    assert [f"{moment:%d %H:%M}" for moment in close] == [
        "24 21:00",
        "25 21:00",
        "26 21:00",
        "28 18:00",
    ]
    half_day = int(close.to_physical()[3])
    assert len(collection.bars("A", known_by_us=half_day)) == 4
    assert len(collection.bars("A", known_by_us=half_day - 1)) == 3
    with pytest.raises(DataError, match="1 of 1 bars of A lie outside the regular sessions"):
        collection.add("A", made(1).with_columns(stamps[:1] + pl.duration(days=-2)))


def test_a_morning_before_the_open_is_no_wrong_calendar(tmp_path: Path) -> None:
    collection = collection_in(tmp_path, calendar="XNYS")
    table = session_table(30)
    collection.add("A", table[:8])  # 04:00 to 08:00
    assert len(collection.bars("A")) == 0
    assert collection.bars("A", hours="extended").outside == 0
    night = table.with_columns(pl.col("timestamp") + pl.duration(hours=10))
    with pytest.raises(DataError, match=r"of B lie outside the regular sessions of calendar XNYS"):
        collection.add("B", night)
    with pytest.raises(ConfigError, match=r"Unknown hours 'night'"):
        collection.bars("A", hours="night")


STRANGE = [
    "BTC/USDT", "BTC/USDT:USDT", "RDS.B", "^VIX", "MES=F", "BRK", "brk", "..", ".", "CON", "nul.X",
    "A B", "Ä", "100%", "%2E", "*", "[A]", "C:\\", "日経",
]  # fmt: skip


def test_strange_symbols(collection: Collection) -> None:
    for number, symbol in enumerate(STRANGE):
        collection.add(symbol, made(5, seed=number))
    assert collection.symbols() == sorted(STRANGE)
    for number, symbol in enumerate(STRANGE):
        assert_frame_equal(collection.table(symbol), made(5, seed=number))
        assert_frame_equal(collection.table(symbol, last=2), made(5, seed=number)[-2:])
    names = collection.scan().collect()["symbol"].unique(maintain_order=True).to_list()
    assert names == sorted(STRANGE)
    assert {folder.parent for folder in collection.folder.iterdir()} == {collection.folder}


@given(st.text(max_size=20), st.text(max_size=20))
def test_folders_keep_symbols_apart_on_any_file_system(one: str, other: str) -> None:
    try:
        folders = folder_of(one), folder_of(other)
    except ConfigError:
        return
    assert (folders[0].casefold() == folders[1].casefold()) == (one == other)
    for symbol, folder in zip((one, other), folders, strict=True):
        assert symbol_of(folder) == symbol
        assert folder.isascii()
        assert not set(folder) & set('/\\:*?"<>| ')
        assert not folder.startswith(".")
        assert not folder.endswith(".")


@pytest.mark.parametrize("symbol", ["", " A", "A\n", "X" * 201, "日" * 40])
def test_what_cannot_be_a_symbol(collection: Collection, symbol: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be a symbol|too long"):
        collection.add(symbol, WHOLE)
    assert collection.symbols() == []


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", ".a", "a.", "con", "a b", "x" * 81])
def test_what_cannot_be_a_collection(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be the name of a collection\. Use up to 80"):
        collection_in(tmp_path / "catalog", name)
    assert not (tmp_path / "catalog").exists()


def test_where_the_catalog_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BARSTACK_CATALOG", raising=False)
    assert Catalog().folder == Path("catalog")
    assert Catalog().names() == []
    with pytest.raises(ConfigError, match=rf"no catalog at {tmp_path}/catalog.* BARSTACK_CATALOG"):
        Catalog().collection("some")
    monkeypatch.setenv("BARSTACK_CATALOG", str(tmp_path / "kept"))
    collection_in(Catalog().folder).add("A", WHOLE)
    assert (tmp_path / "kept/some/about.json").is_file()
    assert Catalog().names() == ["some"]
    with pytest.raises(ConfigError, match=r"has no 'sone'\. Did you mean 'some'\?"):
        Catalog().collection("sone")


def test_a_collection_keeps_its_facts(tmp_path: Path) -> None:
    first = collection_in(tmp_path, bar="60min", calendar="XNYS", source="a friend")
    first.add("A", made(48, length_us=60 * MINUTE_US))
    again = collection_in(tmp_path, bar="1h", calendar="XNYS", hours="extended")
    assert again.facts == first.facts == Catalog(tmp_path).collection("some").facts
    with pytest.raises(ConfigError, match=r"'some' has bars 60min, not 5min\. .* another name"):
        collection_in(tmp_path, bar="5min", calendar="XNYS")
    with pytest.raises(ConfigError, match=r"'some' has calendar XNYS, not 24/7"):
        collection_in(tmp_path, bar="1h")
    with pytest.raises(ConfigError, match=r"Unknown calendar 'XNYZ'\. Did you mean 'XN"):
        collection_in(tmp_path, "other", calendar="XNYZ")
    assert [each.name for each in tmp_path.iterdir()] == ["some"]


def test_a_collection_begins_with_its_first_rows(tmp_path: Path) -> None:
    """What fails before leaves no name that would keep other bars out."""
    wrong = collection_in(tmp_path, bar="5min")
    with pytest.raises(DataError, match="most are 30min"):
        wrong.add("A", WHOLE)
    assert Catalog(tmp_path).names() == []
    right = collection_in(tmp_path)
    right.add("A", WHOLE)
    assert Catalog(tmp_path).collection("some").facts == right.facts
    five = made(40, length_us=5 * MINUTE_US)
    with pytest.raises(ConfigError, match=r"'some' has bars 30min, not 5min\."):
        wrong.add("B", five)
    assert collection_in(tmp_path).symbols() == ["A"]
    assert not (wrong.folder / "B").exists()


def test_no_such_symbol(collection: Collection) -> None:
    collection.add("SPY", WHOLE)
    for ask in (collection.bars, collection.table, collection.summary, collection.verify):
        with pytest.raises(DataError, match=r"'some' has no 'SPX'\. Did you mean 'SPY'\?"):
            ask("SPX")
    for number in range(31):
        collection.add(f"S{number}", WHOLE[:2])
    with pytest.raises(DataError, match=r"has 32 symbols; of similar name: SPY\.$"):
        collection.bars("SPYG")
