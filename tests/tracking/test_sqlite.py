"""What the folder of a store withstands: tampering, damage, earlier versions, read-only places."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from barstack.core.errors import StorageError
from barstack.testing import made_up_forecasts, made_up_trial
from barstack.tracking import SqliteStore


def execute(store: SqliteStore, *queries: str) -> None:
    with closing(sqlite3.connect(store.ledger)) as database, database:
        for query in queries:
            database.execute(query)


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        *(
            (f"UPDATE ledger SET {column} = '[\"other\"]' WHERE row = 3", "row 3 is not what was")
            for column in ("id", "data", "name", "horizon", "symbols", "first_at", "last_at")
        ),
        ("UPDATE ledger SET forecasts = NULL WHERE row = 3", "row 3 is not what was recorded"),
        ("UPDATE ledger SET recorded_at = '' WHERE row = 3", "row 3 is not what was recorded"),
        ("UPDATE ledger SET hash = '0' WHERE row = 3", "row 3 is not what was recorded"),
        ("UPDATE ledger SET predecessor = '0' WHERE row = 3", "row 3 does not follow"),
        ("UPDATE ledger SET row = 99 WHERE row = 3", "row 3 is missing"),
        ("DELETE FROM ledger WHERE row = 1", "row 1 is missing"),
        ("DELETE FROM ledger WHERE row = 5", "row 5 is missing; 5 were recorded"),
        ("DELETE FROM ledger", "row 1 is missing; 5 were recorded"),
    ],
)
def test_tampering_is_noticed(tmp_path: Path, tampering: str, found: str) -> None:
    store = SqliteStore(tmp_path)
    store.record(made_up_trial(number) for number in range(5))
    store.verify()
    execute(store, tampering)
    with pytest.raises(StorageError, match=rf"\.ledger\.sqlite was altered: {found}"):
        store.verify()


def test_a_row_rewritten_with_its_hash_no_longer_fits_the_next(tmp_path: Path) -> None:
    one, other = SqliteStore(tmp_path / "one"), SqliteStore(tmp_path / "other")
    for store, number in ((one, 0), (other, 9)):
        store.record([made_up_trial(number), made_up_trial(1)])
    execute(
        one,
        f"ATTACH '{other.ledger}' AS other",
        "DELETE FROM ledger WHERE row = 1",
        "INSERT INTO ledger SELECT * FROM other.ledger WHERE row = 1",
    )
    with pytest.raises(StorageError, match="row 2 does not follow the row before it"):
        one.verify()


LOOKS = """
CREATE TABLE looks (
    trial TEXT NOT NULL, data TEXT NOT NULL, symbol TEXT NOT NULL, what TEXT NOT NULL,
    first_at TEXT NOT NULL, last_at TEXT NOT NULL, recorded_at TEXT NOT NULL,
    PRIMARY KEY (trial, data, symbol)
)
"""
TRIALS = """
CREATE TABLE trials (
    trial TEXT NOT NULL, symbol TEXT NOT NULL, what TEXT NOT NULL, first_at TEXT NOT NULL,
    last_at TEXT NOT NULL, recorded_at TEXT NOT NULL, PRIMARY KEY (trial, symbol, first_at)
)
"""


def test_a_ledger_of_looks_is_read_and_then_converted(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    rows = [("b", "1", "SPY"), ("a", "1", "SPY"), ("a", "1", "QQQ"), ("a", "2", "SPY")]
    values = [
        f"('{trial}', '{data}', '{symbol}', 'my ridge 4h', 'f', 'l', 'r')"
        for trial, data, symbol in rows
    ]
    execute(store, LOOKS, f"INSERT INTO looks VALUES {', '.join(values)}")
    before = store.ledger.read_bytes()
    found, head = store.trials(), store.head()
    assert [(trial.id, trial.data, trial.symbols) for trial in found] == [
        ("b", "1", ("SPY",)),
        ("a", "1", ("QQQ", "SPY")),
        ("a", "2", ("SPY",)),
    ]
    assert {(trial.name, trial.horizon, trial.recorded_at) for trial in found} == {
        ("my ridge", "4h", "r")
    }
    assert (store.count(["SPY"]), store.count(["QQQ"]), store.looks("a")) == (3, 1, 2)
    store.record(found)
    assert store.ledger.read_bytes() == before
    store.record([made_up_trial(0)])
    assert store.trials()[:3] == found
    assert store.count(["SPY"]) == 4
    assert store.head() != head
    store.verify()
    with closing(sqlite3.connect(store.ledger)) as database:
        assert not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'looks'").fetchall()


def test_a_ledger_from_before_states_of_data_were_distinguished(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    rows = [("a", "SPY", "1"), ("a", "QQQ", "1"), ("a", "SPY", "2")]
    values = [
        f"('{trial}', '{symbol}', 'ridge 4h', '{first_at}', '9', 'now')"
        for trial, symbol, first_at in rows
    ]
    execute(store, TRIALS, f"INSERT INTO trials VALUES {', '.join(values)}")
    assert (store.count(["SPY"]), store.count(["QQQ"]), store.looks("a")) == (2, 1, 2)
    store.record([made_up_trial(0)])
    assert (store.count(["SPY"]), store.count(["QQQ"]), store.looks("a")) == (3, 1, 2)
    store.verify()


@pytest.mark.parametrize("content", [b"no database " * 100, b"SQLite format 3\0" + b"\xff" * 500])
def test_a_damaged_ledger_gets_a_sentence(tmp_path: Path, content: bytes) -> None:
    store = SqliteStore(tmp_path)
    store.ledger.write_bytes(content)
    for use in (store.trials, store.head, store.verify, lambda: store.record([made_up_trial(0)])):
        with pytest.raises(StorageError, match=r"ledger\.sqlite cannot be used: .*honest verdict"):
            use()
    assert store.ledger.read_bytes() == content


def test_a_place_that_cannot_be_used_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SqliteStore(tmp_path / "file")
    with pytest.raises(StorageError, match="cannot be used"):
        store.count(["SPY"])
    with pytest.raises(StorageError, match="cannot be used"):
        store.record([made_up_trial(0)])
    with pytest.raises(StorageError, match="Cannot"):
        store.write("key", made_up_forecasts())
    (tmp_path / ".ledger.sqlite").mkdir()
    with pytest.raises(StorageError, match="cannot be used"):
        SqliteStore(tmp_path).count(["SPY"])


def test_a_waiting_writer_delays_no_reader(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.record([made_up_trial(0)])
    with closing(sqlite3.connect(store.ledger)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        store.record([made_up_trial(0)])
        assert store.count(["SPY"]) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_is_known_needs_no_permission_to_write(tmp_path: Path) -> None:
    """A finished run can be looked at where nothing may be written, as on a read-only mount."""
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    store = SqliteStore(tmp_path)
    store.record([made_up_trial(0)])
    store.write("key", made_up_forecasts())
    os.seteuid(65534)
    try:
        store.record([made_up_trial(0)])
        store.write("key", made_up_forecasts(seed=1))
        assert store.count(["SPY"]) == 1
        assert store.keys() == ["key"]
        store.verify()
        store.read("key")
        with pytest.raises(StorageError, match="cannot be used"):
            store.record([made_up_trial(1)])
        with pytest.raises(StorageError, match="Cannot write"):
            store.write("other", made_up_forecasts())
    finally:
        os.seteuid(0)


def test_every_damaged_byte_is_noticed_and_can_be_repaired(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.write("key", made_up_forecasts())
    file = store.forecasts / "key.parquet"
    whole = file.read_bytes()
    for place in range(0, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(StorageError, match=r"key\.parquet are missing or not what was saved"):
            store.read("key")
    store.write("key", made_up_forecasts())
    assert file.read_bytes() == whole
    file.with_suffix(".sha256").unlink()
    assert not store.has("key")
    assert store.keys() == []
    store.write("key", made_up_forecasts())
    store.read("key")
