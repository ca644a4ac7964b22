"""The ledger of trials: all that was ever judged on a symbol, so that luck can be priced."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

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
_OLD = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'trials'"
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
        now = datetime.now(UTC).isoformat(timespec="seconds")
        each_symbol = list(symbols)
        rows = [
            (trial, data, symbol, what, first_at, last_at, now)
            for trial, what in trials
            for symbol in each_symbol
        ]
        with self._open() as database:
            database.executemany("INSERT OR IGNORE INTO looks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def count(self, symbols: Iterable[str]) -> int:
        """How many looks have been taken at any of the symbols, all configurations together."""
        names = sorted(set(symbols))
        marks = ", ".join("?" * len(names))
        distinct = f"SELECT DISTINCT trial, data FROM looks WHERE symbol IN ({marks})"
        with self._open() as database:
            return int(database.execute(f"SELECT COUNT(*) FROM ({distinct})", names).fetchone()[0])

    def looks(self, trial: str) -> int:
        """On how many different states of its data one configuration has been judged."""
        query = "SELECT COUNT(DISTINCT data) FROM looks WHERE trial = ?"
        with self._open() as database:
            return int(database.execute(query, [trial]).fetchone()[0])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
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
        except (OSError, sqlite3.DatabaseError) as error:
            raise StorageError(
                f"The ledger of trials {self.file} cannot be used: {error}. It is needed for an "
                "honest verdict; restore it from a copy, or move it away to begin a new count."
            ) from error
