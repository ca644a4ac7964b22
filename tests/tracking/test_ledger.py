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
    ledger.record([(trial, trial) for trial in trials], symbols, "2026-01-01", "2026-02-01")


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
    ledger.record([("a", "another name")], ["SPY"], "2026-01-15", "2026-03-01")
    with closing(sqlite3.connect(ledger.file)) as database:
        (entry,) = database.execute("SELECT what, first_at FROM trials").fetchall()
    assert entry == ("a", "2026-01-01")


def test_another_stretch_of_time_is_another_trial(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for first_at, last_at in (
        ("2026-01-01", "2026-02-01"),
        ("2026-01-01", "2026-02-03"),  # a few bars more: the same idea
        ("2026-03-01", "2026-04-01"),
        ("2025-01-01", "2025-02-01"),
    ):
        ledger.record([("a", "ridge 4h"), ("b", "stack 4h")], ["SPY"], first_at, last_at)
    assert ledger.count(["SPY"]) == 6


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
