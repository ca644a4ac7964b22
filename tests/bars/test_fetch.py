"""Only what is missing is asked for, several symbols at once, and nothing that arrived is lost."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bars.conftest import PointAt
from tests.bars.sources import SOURCES, Source, impatient
from tests.bars.vendor import Vendor

from barstack.bars.catalog import Catalog, Facts
from barstack.bars.sources import Page, Remote, fetch
from barstack.bars.sources._fetch import missing_ranges
from barstack.core.errors import ConfigError, SourceError
from barstack.core.progress import Progress

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
each_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
pytestmark = pytest.mark.usefixtures("yahoo_forgets")
ALPACA, CCXT = SOURCES["alpaca"], SOURCES["ccxt"]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def rows(table: pl.DataFrame) -> list[tuple[Any, ...]]:
    return table.with_columns(pl.col("timestamp").to_physical()).rows()


@each_source
def test_only_what_is_missing_is_asked_for(
    source: Source, catalog: Catalog, point_at: PointAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vendor(source.market(1200)) as vendor:
        point_at(vendor)
        collection = source.remote().collection_in(catalog)

        def asked_for(start_bar: int, end_bar: int) -> set[tuple[str, int]]:
            """Symbols and numbers of the bars from which on something was asked for."""
            before = len(vendor.asked)
            remote = source.remote(end_bar - start_bar, start_bar)
            assert fetch(remote, collection, policy=impatient()).errors == {}
            first = int(np.datetime64(source.start, "us").astype(np.int64))
            return {
                (asked.symbol, (asked.start_us - first) // source.length_us)
                for asked in vendor.asked[before:]
            }

        one, other = source.symbols
        assert asked_for(100, 200) == {(one, 100), (other, 100)}
        assert asked_for(100, 200) == set()
        assert asked_for(100, 300) == {(one, 200), (other, 200)}  # the tail
        assert asked_for(50, 300) == {(one, 50), (other, 50)}  # the head
        assert asked_for(400, 500) == {(one, 400), (other, 400)}
        assert asked_for(50, 500) == {(one, 300), (other, 300)}  # the hole
        for symbol in source.symbols:
            true = vendor.between(symbol, *source.remote(450, 50).wanted(2**62))
            assert rows(collection.table(symbol)) == true

    # With nothing missing no client is made: the vendor has gone, and so have the keys.
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.delenv(name)
    assert fetch(source.remote(450, 50), collection).new == 0


def test_a_request_ends_where_the_stretch_ends(catalog: Catalog, point_at: PointAt) -> None:
    with Vendor(ALPACA.market(1200)) as vendor:
        point_at(vendor)
        for bars, start in ((100, 100), (100, 300), (400, 50)):
            remote = ALPACA.remote(bars, start)
            fetch(remote, remote.collection_in(catalog))
        first = int(np.datetime64(ALPACA.start, "us").astype(np.int64))
        stretches = {
            ((a.start_us - first) // ALPACA.length_us, (a.end_us - first) // ALPACA.length_us)
            for a in vendor.asked
        }
    assert stretches == {(100, 200), (300, 400), (50, 100), (200, 300), (400, 450)}


@each_source
def test_one_bad_symbol_does_not_stop_the_others(
    source: Source, catalog: Catalog, point_at: PointAt
) -> None:
    with Vendor(source.market(300)) as vendor:
        point_at(vendor)
        bad = "NO/PE" if "/" in source.symbols[0] else "NOPE"
        remote = source.remote(200, symbols=[source.symbols[0], bad, source.symbols[1]])
        collection = remote.collection_in(catalog)
        fetched = fetch(remote, collection, policy=impatient())
        assert set(fetched.errors) == {bad}
        assert bad in fetched.errors[bad]
        assert fetched.symbols[bad].counts.retries == 0
        for symbol in source.symbols:
            assert rows(collection.table(symbol)) == vendor.between(symbol, *remote.wanted(2**62))


def test_a_source_that_stays_broken_fails_in_a_sentence(
    catalog: Catalog, point_at: PointAt
) -> None:
    with Vendor(ALPACA.market(300), moods=["error_500"], always=True) as vendor:
        point_at(vendor)
        remote = ALPACA.remote(200, symbols=["SPY"])
        fetched = fetch(remote, remote.collection_in(catalog), policy=impatient(attempts=4))
        assert len(vendor.asked) == 4
    assert fetched.errors["SPY"].startswith("SPY from alpaca: answer 500, 4 times. Try again")
    assert fetched.symbols["SPY"].counts.retries == 3


def test_what_arrived_before_a_fault_is_kept(
    catalog: Catalog, point_at: PointAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vendor(CCXT.market(2900)) as vendor:
        point_at(vendor)
        remote = CCXT.remote(2800, symbols=["BTC/USDT"])
        collection = remote.collection_in(catalog)
        plain = vendor.mood
        monkeypatch.setattr(
            vendor, "mood", lambda request: "cut" if len(vendor.asked) >= 2 else plain(request)
        )
        fetched = fetch(remote, collection, policy=impatient(attempts=2))
        assert set(fetched.errors) == {"BTC/USDT"}
        ((begin, end),) = collection.covered("BTC/USDT")
        assert rows(collection.table("BTC/USDT")) == vendor.between("BTC/USDT", begin, end)
        assert fetched.symbols["BTC/USDT"].pages == 2
        monkeypatch.undo()
        point_at(vendor)
        seen = len(vendor.asked)
        assert fetch(remote, collection).errors == {}
        assert min(asked.start_us for asked in vendor.asked[seen:]) >= end


def test_a_contradiction_is_refused_and_not_stored(catalog: Catalog, point_at: PointAt) -> None:
    with Vendor(ALPACA.market(300), moods=["contradiction"], always=True) as vendor:
        point_at(vendor)
        remote = ALPACA.remote(200)
        collection = remote.collection_in(catalog)
        fetched = fetch(remote, collection)
        row = vendor.rows["SPY"][0]
    at = str(np.datetime64(row[0], "us").astype("datetime64[m]")).replace("T", " ")
    assert f"two bars of {at} UTC, with open {row[1]:g} and" in fetched.errors["SPY"]
    assert collection.symbols() == []


def test_symbols_are_fetched_at_the_same_time(catalog: Catalog, point_at: PointAt) -> None:
    with Vendor(ALPACA.market(300), delay_s=0.3) as vendor:
        point_at(vendor)
        remote = ALPACA.remote(200)
        fetch(remote, remote.collection_in(catalog), workers=2)
        one, other = vendor.asked
        assert one.began_s < other.ended_s
        assert other.began_s < one.ended_s
        fetch(remote, remote.collection_in(catalog), workers=1, again=True)
        third, fourth = vendor.asked[2:]
        assert third.ended_s <= fourth.began_s or fourth.ended_s <= third.began_s


def test_one_pause_holds_for_all(catalog: Catalog, point_at: PointAt) -> None:
    """After the source has said 429, nobody asks before the time it has named."""
    with Vendor(
        CCXT.market(5000),
        moods=["limit"],
        share=0.3,
        seed=5,
        in_a_row=1,
        retry_after="0.8",
        delay_s=0.15,
    ) as vendor:
        point_at(vendor)
        remote = CCXT.remote(4800)
        fetched = fetch(remote, remote.collection_in(catalog), policy=impatient(timeout_s=5))
        turned_away = [asked for asked in vendor.asked if asked.mood == "limit"]
        assert fetched.errors == {}
    assert turned_away
    for away in turned_away:
        others = [asked.began_s - away.ended_s for asked in vendor.asked]
        assert not [wait for wait in others if 0.3 < wait < 0.75]  # before, some were on their way


class Notes(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.total = self.advanced = 0

    def step(self, name: str, total: int) -> Any:
        self.total += total
        return super().step(name, total)

    def advance(self, units: int = 1) -> None:
        self.advanced += units

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_progress_counts_days_and_tells_of_waits(catalog: Catalog, point_at: PointAt) -> None:
    progress = Notes()
    with Vendor(
        ALPACA.market(2100), moods=["limit"], share=1, retry_after="1", in_a_row=1
    ) as vendor:
        point_at(vendor)
        remote = ALPACA.remote(288 * 7, symbols=["SPY"])
        fetch(remote, remote.collection_in(catalog), progress, policy=impatient(timeout_s=5))
    assert progress.total == progress.advanced == 7
    assert "the source asks to wait 1 s" in progress.notes


def test_again_revises_the_whole_history(catalog: Catalog, point_at: PointAt) -> None:
    """As after a split: all prices halve, and a fetch of what is missing would not see it."""
    with Vendor(CCXT.market(2900)) as vendor:
        point_at(vendor)
        remote = CCXT.remote(2400)
        collection = remote.collection_in(catalog)
        fetch(remote, collection)
        vendor.rows = {
            symbol: [(row[0], *(price / 2 for price in row[1:5]), row[5] * 2) for row in bars]  # type: ignore[misc]
            for symbol, bars in vendor.rows.items()
        }
        assert fetch(remote, collection).new == 0
        fetched = fetch(remote, collection, again=True)
        assert fetched.errors == {}
        for symbol in CCXT.symbols:
            true = vendor.between(symbol, *remote.wanted(2**62))
            assert rows(collection.table(symbol)) == true
            assert fetched.symbols[symbol].revised == len(true)


def test_one_collection_holds_bars_of_one_source(catalog: Catalog) -> None:
    ALPACA.remote().collection_in(catalog).add("A", table_of([0]))
    with pytest.raises(ConfigError, match=r"feed iex.* would come from Alpaca, shares, feed sip"):
        ALPACA.remote(feed="sip").collection_in(catalog)
    ALPACA.remote(feed="sip", collection="alpaca_sip").collection_in(catalog)


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_must_be_there(workers: int, catalog: Catalog) -> None:
    with pytest.raises(ConfigError, match="workers must be 1 or more"):
        fetch(ALPACA.remote(), ALPACA.remote().collection_in(catalog), workers=workers)


# A source whose answers a test can write down, for what no well-known API does.
class Listed(Remote):
    """Bars at given stamps, so many a page."""

    symbols: tuple[str, ...] = ("A",)
    stamps: tuple[int, ...]
    rows: int = 3

    def connect(self, timeout_s: float) -> Any:
        return self

    def page(self, client: Any, symbol: str, start_us: int, end_us: int) -> Page:
        found = [stamp for stamp in self.stamps if start_us <= stamp < end_us]
        through = found[self.rows - 1] + 1 if len(found) >= self.rows else end_us
        return Page(table_of(found[: self.rows]), through)


def table_of(stamps: list[int]) -> pl.DataFrame:
    time = pl.Series("timestamp", stamps, pl.Int64).cast(pl.Datetime("us", "UTC"))
    price = pl.Series([stamp % 997 + 1.0 for stamp in stamps], dtype=pl.Float64)
    return pl.DataFrame(
        {"timestamp": time, **dict.fromkeys(("open", "high", "low", "close", "volume"), price)}
    )


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_stretches_in_any_order_give_the_same(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bars with any holes, pages of any size, stamps at either end, fetched piece by piece."""
    stamp = data.draw(st.sampled_from(["open", "close"]))
    numbers = data.draw(st.sets(st.integers(0, 60)))
    shift = HOUR_US if stamp == "close" else 0
    starts = sorted(number * HOUR_US for number in numbers)
    collection = Catalog(tmp_path_factory.mktemp("any")).create("a", Facts(bar="1h"))
    for _ in range(data.draw(st.integers(1, 4))):
        begin, end = sorted(data.draw(st.tuples(st.integers(0, 60), st.integers(0, 60))))
        remote = Listed(
            bar="1h",
            stamp=stamp,
            stamps=[start + shift for start in starts],
            rows=data.draw(st.integers(1, 9)),
            start=_iso(begin),
            end=_iso(end),
        )
        assert fetch(remote, collection).errors == {}
        if begin < end:
            table = collection.table("A", start_us=begin * HOUR_US, end_us=end * HOUR_US)
            stored = table["timestamp"].to_physical().to_list()
            assert stored == [s for s in starts if begin * HOUR_US <= s < end * HOUR_US]
            covered = collection.covered("A")
            assert missing_ranges((begin * HOUR_US, end * HOUR_US), covered) == []


def _iso(hours: int) -> str:
    return str(np.datetime64(hours * HOUR_US, "us"))


@given(
    st.tuples(st.integers(0, 50), st.integers(0, 50)),
    st.sets(st.integers(0, 50), max_size=50),
)
def test_missing_is_what_is_wanted_and_not_covered(
    wanted: tuple[int, int], units: set[int]
) -> None:
    covered: list[tuple[int, int]] = []
    for unit in sorted(units):
        if covered and covered[-1][1] == unit:
            covered[-1] = (covered[-1][0], unit + 1)
        else:
            covered.append((unit, unit + 1))
    found = missing_ranges(wanted, covered)
    assert (
        set(itertools.chain(*(range(*stretch) for stretch in found))) == set(range(*wanted)) - units
    )
    assert all(begin < end for begin, end in found)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(found))


def test_a_source_without_progress_is_an_error(catalog: Catalog) -> None:
    class Stuck(Listed):
        def page(self, client: Any, symbol: str, start_us: int, end_us: int) -> Page:
            return Page(table_of([start_us]), start_us)

    remote = Stuck(bar="1h", start="2024-01-01", end="2024-01-02", stamps=[])
    fetched = fetch(remote, catalog.create("a", Facts(bar="1h")))
    assert "2024-01-01 00:00 UTC on, the source answers with nothing new" in fetched.errors["A"]


def test_a_client_that_breaks_on_an_answer_is_told_and_stops_no_other(catalog: Catalog) -> None:
    class Wrong(Listed):
        def page(self, client: Any, symbol: str, start_us: int, end_us: int) -> Page:
            raise ZeroDivisionError("a secret of nobody")

    remote = Wrong(bar="1h", start="2024-01-01", end="2024-01-02", stamps=[])
    fetched = fetch(remote, catalog.create("a", Facts(bar="1h")))
    assert "cannot be read as bars (ZeroDivisionError: a secret of nobody)" in fetched.errors["A"]
    assert fetched.symbols["A"].counts.retries == 0


def test_a_clock_that_was_set_back_is_named(catalog: Catalog) -> None:
    stamps = [number * HOUR_US for number in range(0, 24 * 30)]
    remote = Listed(bar="1h", start="1970-01-01", stamps=stamps)
    collection = catalog.create("a", Facts(bar="1h"))
    fetch(remote, collection, now_us=24 * 30 * HOUR_US)
    with pytest.raises(ConfigError, match=r"says 1970-01-11 .*, and A was fetched through 1970-01"):
        fetch(remote, collection, now_us=24 * 10 * HOUR_US)
    ahead = Listed(bar="1h", start="1971-01-01", stamps=stamps)
    with pytest.raises(ConfigError, match="no bar of 1h from 1971-01-01 on is complete at 1970"):
        fetch(ahead, collection, now_us=24 * 30 * HOUR_US)


def test_a_bar_off_the_grid_is_refused(catalog: Catalog) -> None:
    stamps = [HOUR_US, 2 * HOUR_US + 3 * MINUTE_US + 17_000_000, 3 * HOUR_US]
    remote = Listed(bar="1h", start="1970-01-01", end="1970-01-02", stamps=stamps)
    fetched = fetch(remote, catalog.create("a", Facts(bar="1h")))
    assert "1 of 3 bars are off the grid of 1h bars, the first at 1970-01-01 02:03:17" in str(
        fetched.errors
    )


def test_rows_that_are_no_bars_are_refused(catalog: Catalog) -> None:
    class Broken(Listed):
        def page(self, client: Any, symbol: str, start_us: int, end_us: int) -> Page:
            return Page(table_of([start_us]).with_columns(high=pl.lit(0.5)), end_us)

    remote = Broken(bar="1h", start="2024-01-01", end="2024-01-02", stamps=[])
    fetched = fetch(remote, catalog.create("a", Facts(bar="1h")))
    assert (
        "A from broken: row 0 of A (2024-01-01 00:00 UTC) has a high below" in fetched.errors["A"]
    )


def test_a_bar_that_is_still_forming_is_neither_stored_nor_covered(catalog: Catalog) -> None:
    stamps = [number * HOUR_US for number in range(1, 24)]
    remote = Listed(bar="1h", start="1970-01-01", stamps=stamps)
    collection = catalog.create("a", Facts(bar="1h"))
    for minutes in (10 * 60 + 30, 11 * 60 - 1, 11 * 60, 11 * 60 + 1, 11 * 60 + 59, 20 * 60 + 7):
        now_us = minutes * MINUTE_US
        assert fetch(remote, collection, now_us=now_us).errors == {}
        table = collection.table("A")["timestamp"].to_physical().to_list()
        settled_us = now_us - remote.settled_after_us
        assert table == [stamp for stamp in stamps if stamp + HOUR_US < settled_us]
        assert collection.covered("A")[-1][1] <= settled_us


DAYS = ("2025-11-26", "2025-11-28", "2025-12-01")  # the second, after Thanksgiving, ends at 18:00


@pytest.mark.parametrize("hour", [0, 5, 14], ids=["date", "midnight in New York", "open"])
def test_a_day_is_known_at_its_sessions_close(hour: int, catalog: Catalog) -> None:
    stamps = [int(np.datetime64(f"{day}T{hour:02}:30", "us").astype(np.int64)) for day in DAYS]
    remote = Listed(bar="1d", calendar="XNYS", start="2025-11-26", stamps=stamps)
    collection = catalog.create("a", Facts(bar="1d", calendar="XNYS"))
    for now, days in (
        ("2025-11-26T20:59", 0),
        ("2025-11-26T21:02", 1),
        ("2025-11-28T17:59", 1),
        ("2025-11-28T18:02", 2),
        ("2025-12-01T20:59", 2),
        ("2025-12-02T04:00", 3),
    ):
        now_us = int(np.datetime64(now, "us").astype(np.int64))
        assert fetch(remote, collection, now_us=now_us).errors == {}
        known = len(collection.table("A")) if collection.symbols() else 0
        assert known == days, now
    closes = [str(close)[:16] for close in collection.bars("A").closed_at]
    assert closes == ["2025-11-26T21:00", "2025-11-28T18:00", "2025-12-01T21:00"]


def test_a_study_reads_from_the_catalog_what_it_covers(
    tmp_path: Path, point_at: PointAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BARSTACK_CATALOG", str(tmp_path / "catalog"))
    with Vendor(ALPACA.market(1200)) as vendor:
        point_at(vendor)
        online = ALPACA.remote(1000).load()
    offline = ALPACA.remote(1000).load()
    assert {name: bars.fingerprint for name, bars in online.items()} == {
        name: bars.fingerprint for name, bars in offline.items()
    }
    assert len(online["SPY"]) == len(vendor.between("SPY", *ALPACA.remote(1000).wanted(2**62)))
    monkeypatch.setattr("barstack.bars.sources._fetch.RetryPolicy", lambda: impatient(attempts=1))
    with pytest.raises(SourceError, match="With an end that the catalog covers"):
        ALPACA.remote(1100).load()


def test_differing_bars_are_not_stored_without_being_asked_to(
    catalog: Catalog, point_at: PointAt
) -> None:
    """What covers nothing yet but is stored, as from files, stays; the sentence tells the way."""
    with Vendor(ALPACA.market(300)) as vendor:
        point_at(vendor)
        remote = ALPACA.remote(200)
        collection = remote.collection_in(catalog)
        other = Vendor(ALPACA.market(300, seed=9)).rows["SPY"][:50]
        columns = ("timestamp", "open", "high", "low", "close", "volume")
        table = pl.DataFrame(other, columns, orient="row").cast(
            {"timestamp": pl.Datetime("us", "UTC")}
        )
        collection.add("SPY", table)
        fetched = fetch(remote, collection)
        assert "revise" in fetched.errors["SPY"]
        assert collection.covered("SPY") == []
        assert len(collection.table("SPY")) == 50
