"""A SQLite file that somebody else has written, read without believing it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from barstack.core.errors import DataError

_LONGEST_VALUE = 16 * 2**20  # bytes
_PATIENCE_S = 120.0
_STEPS = 100_000  # of its virtual machine between two looks at the clock


@contextmanager
def foreign_database(file: Path) -> Iterator[sqlite3.Connection]:
    """The file, to read only: no function of its schema runs, no value and no query is endless."""
    began = time.monotonic()
    try:
        address = f"{file.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=10.0)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA query_only = ON")
            database.execute("PRAGMA cell_size_check = ON")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            database.set_progress_handler(lambda: time.monotonic() - began > _PATIENCE_S, _STEPS)
            yield database
    except (sqlite3.Error, OverflowError) as error:
        raise DataError(
            f"{file} cannot be read as a database of trials: {error}. Restore it from a copy, or "
            "export it anew with the program that wrote it."
        ) from None


def columns_of(database: sqlite3.Connection, table: str) -> set[str]:
    """Columns of a table; none where there is no such table (a view is none)."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    if database.execute(query, (table,)).fetchone() is None:
        return set()
    return {row[0] for row in database.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def has_tables(database: sqlite3.Connection, expected: dict[str, Sequence[str]]) -> bool:
    """Whether there are these tables with at least these columns."""
    return all(columns_of(database, table) >= set(names) for table, names in expected.items())


def by_key(rows: Any) -> dict[Any, dict[str, Any]]:
    """Rows of (key, name, value) as dicts by key."""
    found: dict[Any, dict[str, Any]] = {}
    for key, name, value in rows:
        found.setdefault(key, {})[str(name)] = value
    return found
