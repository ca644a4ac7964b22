"""Tracking databases of both kinds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.postgres import postgres_server


@pytest.fixture(scope="session")
def new_postgres() -> Iterator[Callable[[], str]]:
    """Each call makes an empty database on a server of our own, and returns its address."""
    with postgres_server() as address:
        url = sa.make_url(address).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        numbers = itertools.count()

        def new() -> str:
            name = f"barstack_{next(numbers)}"
            with engine.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
            made = url.set(drivername="postgresql", database=name)
            return made.render_as_string(hide_password=False)

        yield new
        engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty tracking database is: a folder, or an address."""
    if request.param == "sqlite":
        return str(tmp_path / "runs")
    new: Callable[[], str] = request.getfixturevalue("new_postgres")
    return new()
