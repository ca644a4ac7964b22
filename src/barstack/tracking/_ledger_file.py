"""The SQLite file that holds the ledger and the tables of experiments: how it is opened."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

NAME = ".ledger.sqlite"
_PATIENCE_S = 60.0  # for other writers, each of which takes milliseconds


def connect(address: str) -> sqlite3.Connection:
    """A connection in which transactions begin and end where the code says so."""
    return sqlite3.connect(
        address, timeout=_PATIENCE_S, isolation_level=None, uri=True, check_same_thread=False
    )


def open_to_write(file: Path) -> sqlite3.Connection:
    """The file, created where it is not there, with its folder; a commit waits for the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    database = connect(file.resolve().as_uri())
    with suppress(sqlite3.OperationalError):  # in use: the next writer switches it
        database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    return database


def open_to_read(file: Path) -> sqlite3.Connection:
    """The file, which may lie where nothing can be written; an empty database where it is not."""
    try:
        file.stat()
    except FileNotFoundError:
        return connect(":memory:")
    # A URI, in which no character of a folder's name is taken for an option.
    address = f"{file.resolve().as_uri()}?mode=ro"
    database = connect(address)
    try:
        tables(database)
    except sqlite3.OperationalError as error:
        database.close()
        # In WAL mode a reader too makes a file beside the ledger, which a read-only mount
        # refuses. There nothing changes, so that the file can be read without one, unless a
        # writer was killed and left its last trials in a log.
        log = file.with_name(f"{file.name}-wal")
        refused = error.sqlite_errorcode & 0xFF in (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY,
        )
        if not refused or (log.is_file() and log.stat().st_size):
            raise
        return connect(f"{address}&immutable=1")
    return database


def tables(database: sqlite3.Connection) -> set[str]:
    """Names of its tables."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    return {name for (name,) in database.execute(query)}
