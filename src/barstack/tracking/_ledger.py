"""The ledger of trials: every fit ever judged on a symbol, so that luck can be priced."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from barstack.core.errors import StorageError

_TABLE = """
CREATE TABLE IF NOT EXISTS trials (
    trial TEXT NOT NULL,        -- content id of everything that was tried
    symbol TEXT NOT NULL,
    what TEXT NOT NULL,         -- name and horizon, for people
    first_at TEXT NOT NULL,     -- of the decisions it was judged by
    last_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    PRIMARY KEY (trial, symbol, first_at)
)
"""

_ENTER = """
INSERT OR IGNORE INTO trials SELECT ?, ?, ?, ?, ?, ?
WHERE NOT EXISTS (
    SELECT 1 FROM trials WHERE trial = ? AND symbol = ? AND first_at <= ? AND last_at >= ?
)
"""


class Ledger:
    """A SQLite file of trials, safe for several processes.

    A trial is counted once for bars that overlap, so that the same idea on a few bars more stays
    one, and again for each other stretch of time that it is tried on.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def record(
        self, trials: Iterable[tuple[str, str]], symbols: Iterable[str], first_at: str, last_at: str
    ) -> None:
        """Enter trials, given as (id, what), on each symbol, judged from first_at to last_at.

        Those known on overlapping bars stay as they are.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        each_symbol = list(symbols)
        rows = [
            (trial, symbol, what, first_at, last_at, now, trial, symbol, last_at, first_at)
            for trial, what in trials
            for symbol in each_symbol
        ]
        with self._open() as database:
            database.executemany(_ENTER, rows)

    def count(self, symbols: Iterable[str]) -> int:
        """How many different trials have been made on any of the symbols."""
        names = sorted(set(symbols))
        marks = ", ".join("?" * len(names))
        distinct = f"SELECT DISTINCT trial, first_at FROM trials WHERE symbol IN ({marks})"
        query = f"SELECT COUNT(*) FROM ({distinct})"
        with self._open() as database:
            return int(database.execute(query, names).fetchone()[0])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=30)) as database, database:
                # The lock is taken before anything is read: only the beginning of a transaction
                # waits for its turn; one that first reads, then writes, is refused at once.
                database.execute("BEGIN IMMEDIATE")
                database.execute(_TABLE)
                yield database
        except (OSError, sqlite3.DatabaseError) as error:
            raise StorageError(
                f"The ledger of trials {self.file} cannot be used: {error}. It is needed for an "
                "honest verdict; restore it from a copy, or move it away to begin a new count."
            ) from error
