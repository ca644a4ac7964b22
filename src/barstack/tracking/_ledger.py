"""The ledger of trials: all that was ever judged on a symbol, so that luck can be priced."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from barstack.core.clock import timestamp
from barstack.core.errors import StorageError

_TABLE = """
CREATE TABLE IF NOT EXISTS looks (
    trial TEXT NOT NULL,        -- content id of the configuration that was tried
    data TEXT NOT NULL,         -- content id of the bars and series that it was judged on
    symbol TEXT NOT NULL,
    what TEXT NOT NULL,         -- name and horizon, for people
    first_at TEXT NOT NULL,     -- of the decisions it was judged by
    last_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    PRIMARY KEY (trial, data, symbol)
)
"""

# Before looks were told apart, a trial was kept once for each stretch of time.
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_OLD = f"{_TABLES} AND name = 'trials'"
_ADOPT = """
INSERT OR IGNORE INTO looks
SELECT trial, first_at, symbol, what, first_at, last_at, recorded_at FROM trials
"""


class Ledger:
    """A SQLite file of trials, safe for several processes.

    A trial is one look of a configuration at some data: the same on the very same bars and series
    counts once, however often it is run, and again whenever those have grown or changed. Whoever
    looks each time that bars grow would otherwise find luck sooner or later.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def record(
        self,
        trials: Iterable[tuple[str, str]],
        symbols: Iterable[str],
        data: str,
        first_at: str,
        last_at: str,
    ) -> None:
        """Enter trials, given as (id, what), on each symbol, judged from first_at to last_at.

        data  content id of bars and series; what is known on the same data stays as it is
        """
        now = timestamp()
        each_symbol = list(symbols)
        rows = [
            (trial, data, symbol, what, first_at, last_at, now)
            for trial, what in trials
            for symbol in each_symbol
        ]
        known = "SELECT 1 FROM looks WHERE trial = ? AND data = ? AND symbol = ?"
        if all(self._read(known, row[:3]) for row in rows):
            return  # so that a finished run can be looked at where nothing may be written
        with self._open() as database:
            database.executemany("INSERT OR IGNORE INTO looks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def count(self, symbols: Iterable[str]) -> int:
        """How many looks have been taken at any of the symbols, all configurations together."""
        names = sorted(set(symbols))
        marks = ", ".join("?" * len(names))
        distinct = f"SELECT DISTINCT trial, data FROM looks WHERE symbol IN ({marks})"
        return sum(count for (count,) in self._read(f"SELECT COUNT(*) FROM ({distinct})", names))

    def looks(self, trial: str) -> int:
        """On how many different states of its data one configuration has been judged."""
        query = "SELECT COUNT(DISTINCT data) FROM looks WHERE trial = ?"
        return sum(count for (count,) in self._read(query, [trial]))

    def _read(self, query: str, values: Sequence[str]) -> list[tuple[int]]:
        """Rows of a query; none where nothing has been recorded yet."""
        with self._told():
            try:
                self.file.stat()
            except FileNotFoundError:
                return []
            # A URI, in which no character of a folder's name is taken for an option.
            address = f"{self.file.resolve().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, timeout=30, uri=True)) as database:
                tables = {name for (name,) in database.execute(_TABLES)}
                if "trials" not in tables:
                    return database.execute(query, values).fetchall() if tables else []
        with self._open() as database:
            return database.execute(query, values).fetchall()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.DatabaseError) as error:
            raise StorageError(
                f"The ledger of trials {self.file} cannot be used: {error}. It is needed for an "
                "honest verdict; restore it from a copy, or move it away to begin a new count."
            ) from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._told():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=30)) as database, database:
                # The lock is taken before anything is read: only the beginning of a transaction
                # waits for its turn; one that first reads, then writes, is refused at once.
                database.execute("BEGIN IMMEDIATE")
                database.execute(_TABLE)
                if database.execute(_OLD).fetchone():
                    database.execute(_ADOPT)
                    database.execute("DROP TABLE trials")
                yield database
