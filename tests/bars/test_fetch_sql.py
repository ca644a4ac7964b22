"""Bars from real databases: PostgreSQL and SQLite, with times of every kind."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from tests.bars.sources import impatient
from tests.bars.vendor import Row, Vendor, market_of
from tests.postgres import postgres_server

from barstack.bars import PROVIDERS
from barstack.bars.catalog import Catalog
from barstack.bars.sources import PagedProvider, fetch, sql
from barstack.core.errors import ConfigError, DataError, MissingPackageError, SourceError

pytestmark = pytest.mark.slow

HOUR_US = 3_600_000_000
SYMBOLS = ("SPY", "QQQ", "it's; DROP TABLE bars --")
TRUTH: dict[str, list[Row]] = Vendor(market_of(SYMBOLS, "2024-03-01", 400, HOUR_US)).rows


@pytest.fixture(scope="module")
def postgres() -> Iterator[sa.Engine]:
    """A database server of its own."""
    with postgres_server() as address:
        url = sa.make_url(address).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url)
        fill(engine)
        yield engine
        engine.dispose()


def fill(engine: sa.Engine) -> None:
    """One table for each kind of time column."""
    with engine.begin() as connection:
        for name, kind in (("bars", "timestamptz"), ("naive", "timestamp"), ("Days", "date")):
            connection.exec_driver_sql(
                f'CREATE TABLE "{name}" (ts {kind}, "Ticker" text, open numeric, high numeric,'
                " low numeric, close numeric, volume bigint)"
            )
        insert = sa.text("INSERT INTO bars VALUES (:t, :s, :o, :h, :l, :c, :v)")
        naive = sa.text("INSERT INTO naive VALUES (:t, :s, :o, :h, :l, :c, :v)")
        for symbol, bars in TRUTH.items():
            connection.execute(insert, [values(symbol, row, "UTC") for row in bars])
            connection.execute(naive, [values(symbol, row, "America/New_York") for row in bars])


def values(symbol: str, row: Row, zone: str) -> dict[str, Any]:
    """A row to insert: aware in UTC, or naive on the clock of a place."""
    moment = pl.Series([row[0]]).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    if zone != "UTC":
        moment = moment.dt.replace_time_zone(None)
    return dict(zip("tsohlcv", (moment[0], symbol, *row[1:]), strict=True))


def remote(monkeypatch: pytest.MonkeyPatch, url: object, **changes: Any) -> PagedProvider:
    text = url.render_as_string(hide_password=False) if isinstance(url, sa.URL) else str(url)
    monkeypatch.setenv("BARSTACK_SQL_URL", text)
    settings = {
        "provider": "sql",
        "symbols": SYMBOLS,
        "bar": "1h",
        "start": "2024-03-02",
        "end": "2024-03-16",
        "columns": {"timestamp": "ts", "symbol": "Ticker"},
        "table": "bars",
    }
    found = PROVIDERS.parse(settings | changes)
    assert isinstance(found, PagedProvider)
    return found


def held(tables: dict[str, pl.DataFrame]) -> dict[str, list[tuple[Any, ...]]]:
    return {
        symbol: table.with_columns(pl.col("timestamp").to_physical()).rows()
        for symbol, table in tables.items()
    }


def expected(source: PagedProvider) -> dict[str, list[Row]]:
    begin, end = source.wanted(2**62)
    return {symbol: [r for r in TRUTH[symbol] if begin <= r[0] < end] for symbol in SYMBOLS}


@pytest.mark.parametrize("rows", [7, 100, 50_000])
@pytest.mark.parametrize(
    "changes",
    [
        {"table": "bars"},
        {"table": "public.bars"},
        {"table": "naive", "timezone": "America/New_York"},
        {"table": None, "query": "SELECT * FROM bars WHERE \"Ticker\" <> '12:30' ORDER BY ts;"},
    ],
    ids=["aware", "with a schema", "naive", "a query"],
)
def test_reads_what_the_database_holds(
    changes: dict[str, Any], rows: int, postgres: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pages of any size, over times that several symbols share."""
    monkeypatch.setattr(sql, "_ROWS", rows)
    source = remote(monkeypatch, postgres.url, **changes)
    assert held(source.tables()) == expected(source)


def test_a_study_reads_directly_and_fetch_copies(
    postgres: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BARSTACK_CATALOG", str(tmp_path / "catalog"))
    source = remote(monkeypatch, postgres.url)
    panel = source.load()
    assert {symbol: len(bars) for symbol, bars in panel.items()} == {
        symbol: len(rows) for symbol, rows in expected(source).items()
    }
    assert not (tmp_path / "catalog").exists()
    collection = source.collection_in(Catalog())
    assert fetch(source, collection).errors == {}
    assert held({symbol: collection.table(symbol) for symbol in SYMBOLS}) == expected(source)
    assert collection.bars("SPY").fingerprint == panel["SPY"].fingerprint


def test_stamps_at_the_close_come_out_an_hour_earlier(
    postgres: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opens, closes = (remote(monkeypatch, postgres.url, stamp=end) for end in ("open", "close"))
    late = opens.load()["SPY"]
    early = closes.load()["SPY"]
    assert early.closed_at[0] == np.datetime64("2024-03-02T01:00")
    both = np.intersect1d(late.opened_at, early.closed_at)
    assert len(both) >= len(late) - 1
    collection = closes.collection_in(Catalog(tmp_path))
    assert fetch(closes, collection).errors == {}
    assert collection.bars("SPY").fingerprint == early.fingerprint


def test_naive_times_need_a_zone(postgres: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="carry no timezone"):
        remote(monkeypatch, postgres.url, table="naive").tables()


def test_an_hour_that_comes_twice_is_refused(
    postgres: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When clocks go back, 01:30 of a naive column may be either of two moments."""
    with postgres.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE twice AS SELECT * FROM naive LIMIT 0")
        row = values("SPY", TRUTH["SPY"][0], "UTC") | {"t": datetime(2024, 11, 3, 1, 30)}
        insert = sa.text("INSERT INTO twice VALUES (:t, :s, :o, :h, :l, :c, :v)")
        connection.execute(insert, row)
    for minutes in ("05:15", "05:45", "06:15"):  # 01:15 summer, 01:45 summer, 01:15 winter time
        source = remote(
            monkeypatch, postgres.url, table="twice", timezone="America/New_York", symbols=["SPY"],
            start=f"2024-11-03T{minutes}", end="2024-11-04",
        )  # fmt: skip
        with pytest.raises(DataError, match="cannot read the times as America/New_York"):
            source.tables()


def test_days_are_dates(postgres: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO \"Days\" SELECT day, 'SPY', 1, 1, 1, 1, 1 "
            "FROM generate_series(date '2025-11-24', date '2025-12-05', '1 day') day "
            "WHERE extract(isodow FROM day) < 6 AND day <> date '2025-11-27'"
        )
    source = remote(
        monkeypatch, postgres.url, table="Days", bar="1d", calendar="XNYS", symbols=["SPY"],
        start="2025-11-26", end="2025-12-02",
    )  # fmt: skip
    closes = [str(close)[:16] for close in source.load()["SPY"].closed_at]
    assert closes == ["2025-11-26T21:00", "2025-11-28T18:00", "2025-12-01T21:00"]


def test_a_killed_connection_is_opened_again(
    postgres: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Between two pages the server ends all sessions but its own; twice."""
    monkeypatch.setattr(sql, "_ROWS", 100)
    source = remote(monkeypatch, postgres.url, symbols=["SPY"])
    kills: list[Any] = []
    page = sql.Sql.page

    def killing(self: Any, client: Any, *asked: Any) -> Any:
        with client.engine.connect() as connection:  # a session that the page would use again
            connection.exec_driver_sql("SELECT 1")
        if len(kills) < 2:
            with postgres.connect() as other:
                kills.append(
                    other.exec_driver_sql(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                        "WHERE pid <> pg_backend_pid() AND datname = current_database()"
                    ).scalar()
                )
        return page(self, client, *asked)

    monkeypatch.setattr(sql.Sql, "page", killing)
    collection = source.collection_in(Catalog(tmp_path))
    assert fetch(source, collection, policy=impatient()).errors == {}
    assert all(kills)
    assert held({"SPY": collection.table("SPY")})["SPY"] == expected(source)["SPY"]


def test_a_session_killed_in_the_middle_of_a_query_is_asked_again(
    postgres: sa.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The query ends the session that runs it, for as long as table `switch` has a row."""
    with postgres.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE switch AS SELECT 1 AS one")
    faults: list[Exception] = []
    fault = sql.Sql.fault

    def counting(self: Any, error: Exception) -> Any:
        faults.append(error)
        if len(faults) == 2:
            with postgres.begin() as connection:
                connection.exec_driver_sql("DELETE FROM switch")
        return fault(self, error)

    monkeypatch.setattr(sql.Sql, "fault", counting)
    source = remote(
        monkeypatch,
        postgres.url,
        symbols=["SPY"],
        table=None,
        query="SELECT bars.* FROM bars, (SELECT count(pg_terminate_backend(pg_backend_pid())) "
        "FROM switch) AS once",
    )
    collection = source.collection_in(Catalog(tmp_path))
    fetched = fetch(source, collection, policy=impatient())
    assert fetched.errors == {}
    assert fetched.symbols["SPY"].counts.retries == len(faults) == 2
    assert held({"SPY": collection.table("SPY")})["SPY"] == expected(source)["SPY"]


def test_the_database_is_not_written_to(
    postgres: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.begin() as connection:
        connection.exec_driver_sql("CREATE SEQUENCE numbers")
    query = "SELECT *, nextval('numbers') FROM bars"
    source = remote(monkeypatch, postgres.url, table=None, query=query)
    with pytest.raises(SourceError, match="read-only transaction"):
        source.tables()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"table": "nothing"}, 'relation "nothing" does not exist'),
        ({"table": 'bars"; DROP TABLE bars; --'}, "does not exist"),
        ({"columns": {"timestamp": "when", "symbol": "Ticker"}}, '"?bars"?.when.? does not exist'),
        ({"table": None, "query": "SELEC"}, "syntax error"),
    ],
)
def test_what_will_not_change_is_not_asked_again(
    changes: dict[str, Any],
    said: str,
    postgres: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    source = remote(monkeypatch, postgres.url, symbols=["SPY"], **changes)
    fetched = fetch(source, source.collection_in(Catalog(tmp_path)), policy=impatient())
    assert fetched.symbols["SPY"].counts.requests == 1
    with pytest.raises(SourceError, match=said):
        raise SourceError(fetched.errors["SPY"])


def test_an_unreachable_server_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = remote(monkeypatch, "postgresql://me:hunter2@127.0.0.1:9/none", symbols=["SPY"])
    collection = source.collection_in(Catalog(tmp_path))
    fetched = fetch(source, collection, policy=impatient(attempts=2))
    assert "connection failed" in fetched.errors["SPY"]
    assert "2 times" in fetched.errors["SPY"]
    assert "hunter2" not in fetched.errors["SPY"]
    assert "BARSTACK_SQL_URL" in collection.facts.source


@pytest.mark.parametrize("url", ["", "hunter2", "postgresql:hunter2"])
def test_what_is_no_url_is_told_without_showing_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="BARSTACK_SQL_URL") as caught:
        remote(monkeypatch, url).tables()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.000000", "%Y-%m-%d %H:%M:%S.%f"]
)
def test_sqlite(form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Times are text there; the stretch begins and ends exactly on a bar."""
    file = tmp_path / "bars.db"
    with sqlite3.connect(file) as connection:
        connection.execute('CREATE TABLE bars (ts, "Ticker", open, high, low, close, volume)')
        for symbol, bars in TRUTH.items():
            for row in bars:
                text = values(symbol, row, "UTC")["t"].strftime(form)
                connection.execute(
                    "INSERT INTO bars VALUES (?,?,?,?,?,?,?)", (text, symbol, *row[1:])
                )
    connection.close()
    monkeypatch.setattr(sql, "_ROWS", 50)
    source = remote(monkeypatch, f"sqlite:///{file}", timezone="UTC")
    assert held(source.tables()) == expected(source)


def test_times_without_a_certain_order_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "bars.db"
    with sqlite3.connect(file) as connection:
        connection.execute('CREATE TABLE bars (ts, "Ticker", open, high, low, close, volume)')
        connection.execute("INSERT INTO bars VALUES (1700000000, 'SPY', 1, 1, 1, 1, 1)")
    connection.close()
    with pytest.raises(DataError, match=r"holds 1700000000, a int .* with datetime\(\.\.\.\)"):
        remote(monkeypatch, f"sqlite:///{file}", symbols=["SPY"]).tables()
    source = remote(
        monkeypatch,
        f"sqlite:///{file}",
        symbols=["SPY"],
        table=None,
        query="SELECT datetime(ts, 'unixepoch') AS time, bars.* FROM bars",
        columns={"timestamp": "time", "symbol": "Ticker"},
        timezone="UTC",
        start="2023-11-14",
        end="2023-11-16",
    )
    assert len(source.load()["SPY"]) == 1
    missing = remote(monkeypatch, f"sqlite:///{tmp_path / 'no' / 'such.db'}", symbols=["SPY"])
    with pytest.raises(SourceError, match="unable to open"):
        missing.tables()


def test_passwords_are_known_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed, that is what is told, and no message shows the password."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    source = remote(monkeypatch, "postgresql://u:p%40ss-word@h/db", symbols=["SPY"])
    assert {"p%40ss-word", "p@ss-word"} <= set(source.secrets())
    with pytest.raises(MissingPackageError, match=r"barstack\[sql\]"):
        source.tables()
