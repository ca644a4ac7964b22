"""Connections to the tracking database: a SQLite file in a folder, or a PostgreSQL server."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import weakref
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from barstack.core.errors import ConfigError, MissingPackageError, StorageError

from ._ledger_file import NAME, connect, open_to_read, open_to_write
from ._migrating import VERSIONS, check_version, migrate, version_of

_WRITES = {"barstack_writes": True}


def is_address(where: str | Path) -> bool:
    """Whether it is the URL of a database, rather than a folder."""
    return isinstance(where, str) and "://" in where


class Database:
    """Reading and writing transactions on one tracking database, which is migrated when needed.

    where  a folder, or `postgresql://USER:PASSWORD@HOST:PORT/NAME`
    """

    def __init__(self, where: str | Path) -> None:
        self.file = None if is_address(where) else Path(where) / NAME
        self.called = str(self.file)
        self._up_to_date = False
        if self.file is None:
            url = _postgres_url(str(where))
            self.called = url.render_as_string(hide_password=True)
            self._writer = self._reader = sa.create_engine(
                url, json_serializer=to_json, pool_pre_ping=True
            )
            self._close_when_dropped()
            return
        file = self.file
        self._writer = _sqlite_engine(lambda: open_to_write(file))
        self._reader = _sqlite_engine(lambda: open_to_read(file))
        self._close_when_dropped()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writer.dialect.name

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is committed when the block ends well."""
        with self._explained(), self._writer.connect() as plain:
            connection = plain.execution_options(**_WRITES)
            with connection.begin():
                if not self._up_to_date:
                    migrate(connection)
                yield connection
            self._up_to_date = True

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state. A file of an earlier version is migrated in memory."""
        with self._explained():
            if self.file is None:
                if not self._up_to_date:
                    with self.writing():
                        pass
                with self._reader.connect() as connection:
                    yield connection
                return
            if self._file_is_current():
                with self._reader.connect() as connection:
                    yield connection
                return
            with closing(connect(":memory:")) as copy:
                with closing(open_to_read(self.file)) as source:
                    source.backup(copy)
                engine = _sqlite_engine(lambda: copy, poolclass=StaticPool)
                with engine.connect() as connection:
                    migrate(connection)
                    yield connection

    @contextmanager
    def migrating(self) -> Iterator[sa.Connection]:
        """A transaction on the tables as they are, for migrations."""
        with self._explained(), self._writer.connect() as plain:
            connection = plain.execution_options(**_WRITES)
            with connection.begin():
                yield connection
        self._up_to_date = False

    def close(self) -> None:
        """Close all connections; the next use opens others."""
        self._writer.dispose()
        self._reader.dispose()

    def forget(self) -> None:
        """Leave connections to the process that this one was forked from."""
        self._writer.dispose(close=False)
        self._reader.dispose(close=False)

    def _close_when_dropped(self) -> None:
        weakref.finalize(self, _close_here, os.getpid(), self._writer, self._reader)

    def _file_is_current(self) -> bool:
        if not self._up_to_date:
            assert self.file is not None  # as only files are
            if not self.file.exists():
                return False
            with self._reader.connect() as connection:
                version = version_of(connection)
            check_version(version)
            self._up_to_date = version == VERSIONS[-1]
            if not self._up_to_date:
                self._reader.dispose()
        return self._up_to_date

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error, sa.exc.SQLAlchemyError) as error:
            raise StorageError(
                f"The tracking database {self.called} cannot be used: {_reason(error)}. "
                f"{_WAY_OUT[self.dialect]}"
            ) from error


def _close_here(process: int, *engines: sa.Engine) -> None:
    """Close connections, but not those of the process that this one was forked from."""
    if process == os.getpid():
        for engine in engines:
            engine.dispose()


_WAY_OUT = {
    "sqlite": "Check that the folder may be written to and that the disk has room.",
    "postgresql": "Check that the server runs, its address, and the rights of its user.",
}


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig else error
    return " ".join(str(cause).split()).rstrip(".")


def _postgres_url(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise ConfigError(
            "The address of the tracking database is no URL. Give a folder, or "
            "postgresql://USER:PASSWORD@HOST:PORT/NAME."
        ) from None
    if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise ConfigError(
            f"A tracking database at {url.drivername}:// is not supported. Give a folder, or "
            "postgresql://USER:PASSWORD@HOST:PORT/NAME."
        )
    try:
        import psycopg  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingPackageError(
            "PostgreSQL needs psycopg: pip install 'barstack[sql]'"
        ) from error
    return url.set(drivername="postgresql+psycopg")


def _sqlite_engine(opened: Any, **options: Any) -> sa.Engine:
    engine = sa.create_engine(
        "sqlite://",
        creator=opened,
        json_serializer=to_json,
        **({"poolclass": sa.pool.QueuePool} | options),
    )

    # The driver is told to begin nothing by itself. A writer takes its lock at once: only the
    # start of a transaction waits for its turn.
    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("barstack_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def to_json(content: Any) -> str:
    """Plain data as text, the same for equal content."""
    return json.dumps(plain(content), sort_keys=True, allow_nan=False)


def plain(value: Any) -> Any:
    """A value that a database can hold: numbers of NumPy as Python's, None for what is not finite.

    >>> plain({"a": float("nan"), "b": (1, 2.5)})
    {'a': None, 'b': [1, 2.5]}
    """
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
