"""A store in a folder: the ledger in SQLite, forecasts as parquet files."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from filelock import FileLock

from barstack.core.errors import StorageError
from barstack.core.files import new_file

from ._ledger_file import NAME, connect, open_to_read, open_to_write, tables
from ._store import (
    EMPTY_HEAD,
    LATER,
    Anchor,
    OutOfFold,
    Store,
    Trial,
    check_key,
    from_bytes,
    link,
    stamped,
    to_bytes,
)

# With AUTOINCREMENT SQLite remembers the largest row ever, which tells when the newest are missing.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    data TEXT NOT NULL,
    name TEXT NOT NULL,
    horizon TEXT NOT NULL,
    symbols TEXT NOT NULL,  -- JSON list
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    forecasts TEXT,
    recorded_at TEXT NOT NULL,
    predecessor TEXT NOT NULL,  -- hash of the row before
    hash TEXT NOT NULL,
    bars TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT 'trial',
    note TEXT NOT NULL DEFAULT '',
    UNIQUE (id, data)
)
"""
# What is kept of bars: contents by key.
_BARS = """
CREATE TABLE IF NOT EXISTS ledger_bars (key TEXT NOT NULL PRIMARY KEY, content BLOB NOT NULL)
"""
_FIELDS = [field.name for field in fields(Trial)]  # as the columns of the same names
_COLUMNS = ", ".join(_FIELDS)
_ON_SYMBOLS = """
EXISTS (SELECT 1 FROM json_each(symbols) WHERE value IN (SELECT value FROM json_each(?)))
"""

# Tables of earlier versions hold a row per trial and symbol, with name and horizon in `what`. The
# older one tells states of the data apart by their first decision.
_EARLIER = {"trials": "first_at", "looks": "data"}
_AS_TRIALS = """
SELECT trial, {data}, min(what), json_group_array(DISTINCT symbol), min(first_at), max(last_at),
    min(recorded_at)
FROM (SELECT *, rowid FROM {table} ORDER BY symbol) GROUP BY trial, {data} ORDER BY min(rowid)
"""


class SqliteStore(Store):
    """A store in a folder of a local disk, safe for several processes.

    Trials are in FOLDER/.ledger.sqlite (SQLite in WAL mode), beside the store of everything that
    can be made again, so that clearing that does not forget them. Forecasts are in
    FOLDER/.store/forecasts, a parquet file for each key with its SHA-256 beside it. A ledger of
    an earlier version is read as it is, and converted by the first write. Nothing is created
    before something is written.

    Parameters
    ----------
    folder
        The folder of runs.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     SqliteStore(Path(folder)).count(["SPY"])
    0
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.ledger = self.folder / NAME
        self.forecasts = self.folder / ".store" / "forecasts"

    def write(self, key: str, forecasts: OutOfFold) -> None:
        file = self._file(key)
        if self._content(file) is not None:
            return
        content = to_bytes(forecasts)
        try:
            self.forecasts.mkdir(parents=True, exist_ok=True)
            # Two files cannot appear at once: the lock keeps one writer's hash from another's file.
            with FileLock(self.forecasts / ".lock"):
                if self._content(file) is None:
                    with new_file(_hash_file(file)) as scratch:
                        scratch.write_text(hashlib.sha256(content).hexdigest())
                    with new_file(file) as scratch:
                        scratch.write_bytes(content)
        except OSError as error:
            raise StorageError(
                f"Cannot write {file}: {error}. Check that the folder may be written to and that "
                "the disk has room."
            ) from error

    def read(self, key: str) -> OutOfFold:
        file = self._file(key)
        content = self._content(file)
        if content is None:
            raise StorageError(
                f"The forecasts {file} are missing or not what was saved. Delete the file, and "
                "the same run makes it again."
            )
        return from_bytes(content)

    def has(self, key: str) -> bool:
        file = self._file(key)
        return file.is_file() and _hash_file(file).is_file()

    def keys(self) -> list[str]:
        files = self.forecasts.glob("*.parquet")
        return sorted(file.stem for file in files if _hash_file(file).is_file())

    def record(self, trials: Iterable[Trial]) -> None:
        received = list(trials)
        with self._reading() as database:
            if all(_known(database, trial) for trial in received):
                return
        with self._writing() as database:
            _append(database, map(stamped, received))

    def trials(self, symbols: Iterable[str] | None = None) -> list[Trial]:
        where, values = _on(symbols)
        query = f"SELECT {_COLUMNS} FROM ledger {where} ORDER BY row"
        with self._reading() as database:
            return [_trial(row) for row in database.execute(query, values)]

    def count(self, symbols: Iterable[str]) -> int:
        where, values = _on(symbols)
        with self._reading() as database:
            return _number(database, f"SELECT count(*) FROM ledger {where}", *values)

    def looks(self, trial_id: str) -> int:
        with self._reading() as database:
            return _number(database, "SELECT count(*) FROM ledger WHERE id = ?", trial_id)

    def head(self) -> str:
        with self._reading() as database:
            return _head(database)

    def verify(self) -> None:
        with self._reading() as database:
            database.execute("BEGIN")  # so that both queries see the same state
            query = f"SELECT row, predecessor, hash, {_COLUMNS} FROM ledger ORDER BY row"
            rows = database.execute(query).fetchall()
            newest = "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'ledger'"
            recorded = _number(database, newest)
        before = EMPTY_HEAD
        for expected, (row, predecessor, stored, *columns) in enumerate(rows, 1):
            if row != expected:
                raise self._altered(f"row {expected} is missing")
            if predecessor != before:
                raise self._altered(f"row {row} does not follow the row before it")
            if stored != link(predecessor, _trial(columns)):
                raise self._altered(f"row {row} is not what was recorded")
            before = stored
        if len(rows) != recorded:
            raise self._altered(f"row {len(rows) + 1} is missing; {recorded} were recorded")

        self._check_bars(
            {each.bars for each in map(_trial, (row[3:] for row in rows))} - {""}, str(self.ledger)
        )

    def keep(self, contents: Mapping[str, bytes]) -> None:
        new = contents.keys() - self.kept(contents).keys()
        if new:
            with self._writing() as database:
                database.executemany(
                    "INSERT OR IGNORE INTO ledger_bars VALUES (?, ?)",
                    [(key, contents[key]) for key in sorted(new)],
                )

    def kept(self, keys: Iterable[str]) -> dict[str, bytes]:
        query = "SELECT key, content FROM ledger_bars WHERE key IN (SELECT value FROM json_each(?))"
        with self._reading() as database:
            return dict(database.execute(query, [json.dumps(list(keys))]).fetchall())

    def hashes(self) -> list[str]:
        with self._reading() as database:
            rows = database.execute("SELECT hash FROM ledger ORDER BY row").fetchall()
        return [EMPTY_HEAD, *(found for (found,) in rows)]

    def anchor(self) -> Anchor:
        query = (
            "SELECT count(*), ifnull(max(CASE WHEN row = 1 THEN recorded_at END), '') FROM ledger"
        )
        with self._reading() as database:
            database.execute("BEGIN")  # so that both queries see the same state
            rows, since = database.execute(query).fetchone()
            return Anchor("runs", int(rows), _head(database), since)

    def _file(self, key: str) -> Path:
        return self.forecasts / f"{check_key(key)}.parquet"

    def _content(self, file: Path) -> bytes | None:
        """The bytes of a forecasts file; None where it is missing or damaged."""
        try:
            content, expected = file.read_bytes(), _hash_file(file).read_text()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StorageError(f"Cannot read {file}: {error}.") from error
        return content if hashlib.sha256(content).hexdigest() == expected else None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The ledger in its present form, which one of an earlier version is given in memory."""
        with self._explained(), closing(open_to_read(self.ledger)) as database:
            found = tables(database)
            if "ledger_bars" in found and not found & _EARLIER.keys():
                yield database
                return
            with closing(connect(":memory:")) as copy:
                database.backup(copy)
                convert_ledger(copy)
                yield copy

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction on the ledger, which is created or converted first where necessary."""
        with self._explained(), closing(open_to_write(self.ledger)) as database:
            # The lock is taken before anything is read: only the start of a transaction waits
            # for its turn; one that first reads and then writes is refused at once.
            database.execute("BEGIN IMMEDIATE")
            convert_ledger(database)
            yield database
            database.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.DatabaseError) as error:
            raise StorageError(
                f"The ledger of trials {self.ledger} cannot be used: {error}. It is needed for an "
                "honest verdict; restore it from a copy, or move it away to begin a new count."
            ) from error

    def _altered(self, what: str) -> StorageError:
        return StorageError(
            f"The ledger of trials {self.ledger} was altered: {what}. Its count is needed for an "
            "honest verdict; restore it from a copy."
        )


def convert_ledger(database: sqlite3.Connection) -> None:
    """Create the tables, and move into them what those of earlier versions hold."""
    database.execute(_SCHEMA)
    there = {name for _, name, *_ in database.execute("PRAGMA table_info(ledger)")}
    for name, value in LATER.items():
        if name not in there:
            database.execute(
                f"ALTER TABLE ledger ADD COLUMN {name} TEXT NOT NULL DEFAULT '{value}'"
            )
    database.execute(_BARS)
    for table in sorted(_EARLIER.keys() & tables(database), reverse=True):
        rows = database.execute(_AS_TRIALS.format(data=_EARLIER[table], table=table)).fetchall()
        _append(database, (_converted(*row) for row in rows))
        database.execute(f"DROP TABLE {table}")


def _converted(
    trial: str, data: str, what: str, symbols: str, first_at: str, last_at: str, recorded_at: str
) -> Trial:
    name, _, horizon = what.rpartition(" ")
    return Trial(
        id=trial,
        data=data,
        name=name,
        horizon=horizon,
        symbols=tuple(json.loads(symbols)),
        first_at=first_at,
        last_at=last_at,
        recorded_at=recorded_at,
    )


def _append(database: sqlite3.Connection, trials: Iterable[Trial]) -> None:
    head = _head(database)
    for trial in trials:
        if not _known(database, trial):
            predecessor, head = head, link(head, trial)
            row = (*_row(trial), predecessor, head)
            marks = ", ".join("?" * len(row))
            database.execute(
                f"INSERT INTO ledger ({_COLUMNS}, predecessor, hash) VALUES ({marks})", row
            )


def _known(database: sqlite3.Connection, trial: Trial) -> bool:
    query = "SELECT count(*) FROM ledger WHERE id = ? AND data = ?"
    return _number(database, query, trial.id, trial.data) > 0


def _head(database: sqlite3.Connection) -> str:
    newest = database.execute("SELECT hash FROM ledger ORDER BY row DESC LIMIT 1").fetchone()
    return newest[0] if newest else EMPTY_HEAD


def _number(database: sqlite3.Connection, query: str, *values: str) -> int:
    return int(database.execute(query, values).fetchone()[0])


def _on(symbols: Iterable[str] | None) -> tuple[str, list[str]]:
    """The condition that a trial was made on any of the symbols, and its values."""
    return ("", []) if symbols is None else (f"WHERE {_ON_SYMBOLS}", [json.dumps(list(symbols))])


def _row(trial: Trial) -> list[str | None]:
    values = asdict(trial) | {"symbols": json.dumps(trial.symbols)}
    return [values[name] for name in _FIELDS]


def _trial(row: Sequence[Any]) -> Trial:
    values = dict(zip(_FIELDS, row, strict=True))
    return Trial(**values | {"symbols": tuple(json.loads(values["symbols"]))})


def _hash_file(file: Path) -> Path:
    return file.with_suffix(".sha256")
