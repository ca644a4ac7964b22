"""A store on a PostgreSQL server, for a team: its ledger counts what any of them has tried."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from barstack.core.errors import ConfigError, StorageError

from ._store import (
    EMPTY_HEAD,
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

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ._database import Database

_FIELDS = [field.name for field in fields(Trial)]  # as the columns of the same names
_COLUMNS = ", ".join(_FIELDS)
_LOCK = 7_239_101_418  # of whoever appends to the ledger
_ON_SYMBOLS = """
EXISTS (
    SELECT 1 FROM json_array_elements_text(CAST(symbols AS JSON)) AS each(symbol)
    WHERE each.symbol = ANY(CAST(:symbols AS TEXT[]))
)
"""


class PostgresStore(Store):
    """Forecasts and the ledger of trials in a PostgreSQL database.

    Its tables are created by the first use. Text with a null character is refused, as PostgreSQL
    cannot hold it.

    Parameters
    ----------
    address
        `postgresql://USER:PASSWORD@HOST:PORT/NAME`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._opened: Database | None = None
        self._process = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.address,)

    def close(self) -> None:
        """Close connections. The store stays usable."""
        if self._opened is not None:
            self._opened.close()

    def write(self, key: str, forecasts: OutOfFold) -> None:
        check_key(key)
        if self._content(key) is not None:
            return
        content = to_bytes(forecasts)
        with self._database.writing() as connection:
            connection.execute(
                _sql(
                    "INSERT INTO forecasts (key, content, sha256) VALUES (:key, :content, :sha256) "
                    "ON CONFLICT (key) DO UPDATE SET "
                    "content = excluded.content, sha256 = excluded.sha256 "
                    "WHERE encode(sha256(forecasts.content), 'hex') <> forecasts.sha256"
                ),
                {"key": key, "content": content, "sha256": hashlib.sha256(content).hexdigest()},
            )

    def read(self, key: str) -> OutOfFold:
        content = self._content(check_key(key))
        if content is None:
            raise StorageError(
                f"The forecasts under {key!r} are missing in {self._database.called}, or not what "
                "was saved. Run the study again, which makes them again."
            )
        return from_bytes(content)

    def has(self, key: str) -> bool:
        return self._number("SELECT count(*) FROM forecasts WHERE key = :key", key=key) > 0

    def keys(self) -> list[str]:
        with self._database.reading() as connection:
            return sorted(connection.execute(_sql("SELECT key FROM forecasts")).scalars())

    def record(self, trials: Iterable[Trial]) -> None:
        received = [_checked(trial) for trial in trials]
        with self._database.reading() as connection:
            if not _unknown(connection, received):
                return
        with self._database.writing() as connection:
            connection.execute(_sql(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            _append(connection, _unknown(connection, received))

    def trials(self, symbols: Iterable[str] | None = None) -> list[Trial]:
        where, values = _on(symbols)
        query = f"SELECT {_COLUMNS} FROM ledger {where} ORDER BY row"
        with self._database.reading() as connection:
            return [_trial(row) for row in connection.execute(_sql(query), values)]

    def count(self, symbols: Iterable[str]) -> int:
        where, values = _on(symbols)
        return self._number(f"SELECT count(*) FROM ledger {where}", **values)

    def looks(self, trial_id: str) -> int:
        return self._number("SELECT count(*) FROM ledger WHERE id = :id", id=trial_id)

    def head(self) -> str:
        with self._database.reading() as connection:
            return _newest(connection)[1]

    def verify(self) -> None:
        query = f"SELECT row, predecessor, hash, {_COLUMNS} FROM ledger ORDER BY row"
        with self._database.reading() as connection:
            connection.execute(_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            rows = connection.execute(_sql(query)).all()
            recorded = connection.execute(_sql("SELECT recorded FROM ledger_rows")).scalars().all()
        before = EMPTY_HEAD
        for expected, (row, predecessor, stored, *columns) in enumerate(rows, 1):
            if row != expected:
                raise self._altered(f"row {expected} is missing")
            if predecessor != before:
                raise self._altered(f"row {row} does not follow the row before it")
            if stored != link(predecessor, _trial(columns)):
                raise self._altered(f"row {row} is not what was recorded")
            before = stored
        if recorded != [len(rows)]:
            raise self._altered(f"row {len(rows) + 1} is missing; {recorded} were recorded")

        found = {_trial(row[3:]).bars for row in rows} - {""}
        self._check_bars(found, f"in {self._database.called}")

    def keep(self, contents: Mapping[str, bytes]) -> None:
        new = sorted(contents.keys() - self.kept(contents).keys())
        if not new:
            return
        with self._database.writing() as connection:
            connection.execute(
                _sql(
                    "INSERT INTO ledger_bars (key, content) VALUES (:key, :content) "
                    "ON CONFLICT (key) DO NOTHING"
                ),
                [{"key": key, "content": contents[key]} for key in new],
            )

    def kept(self, keys: Iterable[str]) -> dict[str, bytes]:
        query = "SELECT key, content FROM ledger_bars WHERE key = ANY(CAST(:keys AS TEXT[]))"
        with self._database.reading() as connection:
            rows = connection.execute(_sql(query), {"keys": list(keys)}).all()
        return {row.key: bytes(row.content) for row in rows}

    def ledgers(self) -> dict[str, Store]:
        return {"server": self}

    def hashes(self) -> list[str]:
        with self._database.reading() as connection:
            rows = connection.execute(_sql("SELECT hash FROM ledger ORDER BY row")).scalars()
            return [EMPTY_HEAD, *rows]

    def anchor(self) -> Anchor:
        query = (
            "SELECT count(*) AS rows, "
            "coalesce(max(CASE WHEN row = 1 THEN recorded_at END), '') AS since, "
            "coalesce((SELECT hash FROM ledger ORDER BY row DESC LIMIT 1), :empty) AS head "
            "FROM ledger"
        )
        with self._database.reading() as connection:
            found = connection.execute(_sql(query), {"empty": EMPTY_HEAD}).one()
        return Anchor("server", int(found.rows), found.head, found.since)

    @property
    def _database(self) -> Database:
        from ._database import Database  # noqa: PLC0415

        if self._opened is not None and self._process != os.getpid():
            self._opened.forget()
            self._opened = None
        if self._opened is None:
            self._opened, self._process = Database(self.address), os.getpid()
        return self._opened

    def _content(self, key: str) -> bytes | None:
        """The bytes of forecasts; None where they are missing or damaged."""
        query = "SELECT content, sha256 FROM forecasts WHERE key = :key"
        with self._database.reading() as connection:
            found = connection.execute(_sql(query), {"key": key}).first()
        if found is None:
            return None
        content = bytes(found.content)
        return content if hashlib.sha256(content).hexdigest() == found.sha256 else None

    def _number(self, query: str, **values: Any) -> int:
        with self._database.reading() as connection:
            return int(connection.execute(_sql(query), values).scalar_one())

    def _altered(self, what: str) -> StorageError:
        return StorageError(
            f"The ledger of trials in {self._database.called} was altered: {what}. Its count is "
            "needed for an honest verdict; restore it from a copy."
        )


def _sql(text: str) -> sa.TextClause:
    import sqlalchemy as sa  # noqa: PLC0415

    return sa.text(text)


def _append(connection: sa.Connection, trials: Sequence[Trial]) -> None:
    row, head = _newest(connection)
    entered = []
    for trial in map(stamped, trials):
        row += 1
        predecessor, head = head, link(head, trial)
        values = asdict(trial) | {"symbols": json.dumps(trial.symbols)}
        entered.append(values | {"row": row, "predecessor": predecessor, "hash": head})
    if entered:
        names = ["row", *_FIELDS, "predecessor", "hash"]
        marks = ", ".join(f":{name}" for name in names)
        connection.execute(
            _sql(f"INSERT INTO ledger ({', '.join(names)}) VALUES ({marks})"), entered
        )
        connection.execute(_sql("UPDATE ledger_rows SET recorded = :row"), {"row": row})


def _unknown(connection: sa.Connection, trials: Sequence[Trial]) -> list[Trial]:
    """Those that the ledger does not have, each once."""
    query = _sql("SELECT id, data FROM ledger WHERE id = ANY(CAST(:ids AS TEXT[]))")
    ids = sorted({trial.id for trial in trials})
    known = {(row.id, row.data) for row in connection.execute(query, {"ids": ids})}
    new: dict[tuple[str, str], Trial] = {}
    for trial in trials:
        if (trial.id, trial.data) not in known:
            new.setdefault((trial.id, trial.data), trial)
    return list(new.values())


def _newest(connection: sa.Connection) -> tuple[int, str]:
    """Number and hash of the newest row."""
    query = "SELECT row, hash FROM ledger ORDER BY row DESC LIMIT 1"
    found = connection.execute(_sql(query)).first()
    return (0, EMPTY_HEAD) if found is None else (int(found.row), str(found.hash))


def _on(symbols: Iterable[str] | None) -> tuple[str, dict[str, Any]]:
    """The condition that a trial was made on any of the symbols, and its values."""
    if symbols is None:
        return "", {}
    return f"WHERE {_ON_SYMBOLS}", {"symbols": list(symbols)}


def _checked(trial: Trial) -> Trial:
    texts = [text for text in asdict(trial).values() if isinstance(text, str)]
    if any("\0" in text for text in (*texts, *trial.symbols)):
        raise ConfigError(f"Trial {trial.name!r} holds a null character, which no server can keep.")
    return trial


def _trial(row: Sequence[Any]) -> Trial:
    values = dict(zip(_FIELDS, row, strict=True))
    return Trial(**values | {"symbols": tuple(json.loads(values["symbols"]))})
