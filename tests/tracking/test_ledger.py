from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from barstack.core.errors import StorageError
from barstack.tracking import Ledger


def record(ledger: Ledger, trials: list[str], symbols: list[str]) -> None:
    pairs = [(trial, trial) for trial in trials]
    ledger.record(pairs, symbols, "bars", "2026-01-01", "2026-02-01")


def test_a_trial_counts_once_ever(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "store" / "ledger.sqlite")
    assert ledger.count(["SPY"]) == 0
    record(ledger, ["a", "b", "a"], ["SPY"])
    record(Ledger(ledger.file), ["b", "c"], ["SPY", "QQQ"])
    assert ledger.count(["SPY"]) == 3
    assert ledger.count(["QQQ"]) == 2
    assert ledger.count(["SPY", "QQQ", "SPY"]) == 3  # of the same idea on two symbols: one
    assert ledger.count(["IWM"]) == 0


def test_what_is_entered_stays_as_it_is(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    record(ledger, ["a"], ["SPY"])
    ledger.record([("a", "another name")], ["SPY"], "bars", "2026-01-15", "2026-03-01")
    with closing(sqlite3.connect(ledger.file)) as database:
        (entry,) = database.execute("SELECT what, first_at FROM looks").fetchall()
    assert entry == ("a", "2026-01-01")


def test_a_look_at_other_data_is_another_trial(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for data in ("bars", "bars", "a few bars more"):
        ledger.record([("a", "ridge 4h"), ("b", "stack 4h")], ["SPY"], data, "2026", "2027")
    ledger.record([("b", "stack 4h")], ["SPY"], "other bars", "2020", "2021")
    assert ledger.count(["SPY"]) == 5
    assert [ledger.looks(trial) for trial in "abc"] == [2, 3, 0]


OLD = """
CREATE TABLE trials (
    trial TEXT NOT NULL, symbol TEXT NOT NULL, what TEXT NOT NULL, first_at TEXT NOT NULL,
    last_at TEXT NOT NULL, recorded_at TEXT NOT NULL, PRIMARY KEY (trial, symbol, first_at)
)
"""


def test_what_was_counted_before_looks_were_told_apart_still_counts(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(OLD)
        for trial, symbol, first_at in [("a", "SPY", "1"), ("a", "QQQ", "1"), ("a", "SPY", "2")]:
            row = [trial, symbol, "ridge", first_at, "9", "now"]
            database.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)", row)
    assert Ledger(file).count(["SPY"]) == 2
    assert Ledger(file).count(["QQQ", "SPY"]) == 2


def enter(file: Path, together: Barrier, worker: int) -> None:
    together.wait()
    record(Ledger(file), [f"{worker}"], ["SPY"])


def test_many_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(40):  # a file that none of them has made yet, each time
            file = tmp_path / str(number) / "ledger.sqlite"
            list(pool.map(partial(enter, file, Barrier(8)), range(8)))
            assert Ledger(file).count(["SPY"]) == 8


@pytest.mark.parametrize("content", [b"no database " * 100, b"SQLite format 3\0" + b"\xff" * 500])
def test_a_damaged_file_gets_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_bytes(content)
    with pytest.raises(StorageError, match=r"ledger\.sqlite cannot be used: .*honest verdict"):
        Ledger(file).count(["SPY"])
    assert file.read_bytes() == content


def test_a_place_that_cannot_be_used_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be used"):
        Ledger(tmp_path / "file" / "ledger.sqlite").count(["SPY"])
    with pytest.raises(StorageError, match="cannot be used"):
        Ledger(tmp_path).count(["SPY"])


def test_what_is_known_needs_no_right_to_write(tmp_path: Path) -> None:
    """A finished run can be looked at where nothing may be written, as on a read-only mount."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    record(ledger, ["a"], ["SPY"])
    before = ledger.file.read_bytes(), ledger.file.stat().st_mtime_ns
    with closing(sqlite3.connect(ledger.file)) as holder:
        holder.execute("BEGIN IMMEDIATE")  # whoever wanted to write would wait here
        record(ledger, ["a"], ["SPY"])
        assert ledger.count(["SPY"]) == 1
    assert (ledger.file.read_bytes(), ledger.file.stat().st_mtime_ns) == before
