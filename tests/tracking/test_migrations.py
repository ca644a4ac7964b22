"""Versions of the tables: up and down with all rows kept, from ledgers of any age."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from tests.postgres import postgres_server
from tests.tracking.test_questions import filled
from tests.tracking.test_tracker import made_up

from barstack.core.errors import ConfigError, StorageError
from barstack.testing import made_up_trial
from barstack.tracking import (
    EpochMeasure,
    ExperimentTracker,
    PostgresStore,
    SqliteStore,
    Store,
    SweepSize,
)
from barstack.tracking import _migrating as migrating
from barstack.tracking._tables import METADATA


def store_at(where: str) -> Store:
    return PostgresStore(where) if "://" in where else SqliteStore(Path(where))


def all_rows(tracker: ExperimentTracker) -> dict[str, list[Any]]:
    """Every row of every table, as text."""
    names = [*METADATA.tables, "ledger"]
    with tracker._database().migrating() as connection:
        return {
            name: sorted(map(str, connection.execute(sa.text(f"SELECT * FROM {name}"))))
            for name in names
        }


def test_down_and_up_keeps_every_row(where: str) -> None:
    tracker = filled(where)
    curve = [EpochMeasure(fold=0, epoch=1, measure="loss", value=1.0)]
    tracker.finish(made_up(0, ic=0.1), curve)
    tracker.note_sweep(SweepSize("sweep", "Ä grid", 1620))
    store = store_at(where)
    store.record(made_up_trial(number) for number in range(5))
    before = all_rows(tracker)
    assert all(before.values())
    for version in ("0003", "0001", "0005", "0002", "0001", "0004", "0005"):
        tracker.migrate(version)
        assert all_rows(tracker) == before
        store.verify()
    assert tracker.migrate() == ("0005", "0005")
    assert tracker.experiments()[0].ic == 0.1
    tracker.migrate("0001")
    tracker.finish(made_up(1))  # which first goes up again
    assert len(tracker.statuses()) == 2


def test_the_newest_migration_makes_the_tables_that_the_code_uses(where: str) -> None:
    tracker = ExperimentTracker(where)
    tracker.migrate()
    with tracker._database().migrating() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
    others = {"ledger", "forecasts", "ledger_rows", "ledger_bars"}
    assert [each for each in differences if each[1].name not in others] == []


def test_every_migration_is_known() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrating._FOLDER))
    script = ScriptDirectory.from_config(config)
    found = [each.revision for each in script.walk_revisions()]
    assert found[::-1] == list(migrating.VERSIONS)


def test_a_ledger_of_before_keeps_its_trials(tmp_path: Path) -> None:
    """A file that has only ever held the ledger, which the store alone has written."""
    store = SqliteStore(tmp_path)
    store.record(made_up_trial(number) for number in range(5))
    trials, head = store.trials(), store.head()
    tracker = ExperimentTracker(tmp_path)
    content = store.ledger.read_bytes()
    assert tracker.get_statistics()["total"] == 0  # reading migrates a copy in memory
    assert store.ledger.read_bytes() == content
    tracker.start(made_up(0))
    store.verify()
    assert (store.trials(), store.head()) == (trials, head)
    store.record([made_up_trial(5)])
    store.verify()
    assert tracker.statuses() == {"e00000": "running"}


def test_a_ledger_of_looks_is_converted(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / ".ledger.sqlite")) as database, database:
        database.execute(
            "CREATE TABLE looks (trial TEXT, data TEXT, symbol TEXT, what TEXT, first_at TEXT, "
            "last_at TEXT, recorded_at TEXT, PRIMARY KEY (trial, data, symbol))"
        )
        database.execute("INSERT INTO looks VALUES ('a', '1', 'SPY', 'my ridge 4h', 'f', 'l', 'r')")
    store = SqliteStore(tmp_path)
    before = store.trials()
    ExperimentTracker(tmp_path).start(made_up(0))
    assert store.trials() == before
    store.verify()
    with closing(sqlite3.connect(tmp_path / ".ledger.sqlite")) as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert "looks" not in names
    assert "experiments" in names


def test_a_later_version_is_refused_and_an_unknown_one_named(where: str) -> None:
    tracker = ExperimentTracker(where)
    tracker.start(made_up(0))
    with pytest.raises(ConfigError, match="There is no version '3'"):
        tracker.migrate("3")
    with tracker._database().migrating() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    tracker.close()
    other = ExperimentTracker(where)
    for use in (other.statuses, lambda: other.start(made_up(1)), other.migrate):
        with pytest.raises(
            StorageError, match=r"version 9999.* Install the barstack that wrote it"
        ):
            use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_read_only_folder_answers_and_refuses_with_a_sentence(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    written = ExperimentTracker(tmp_path)
    written.finish(made_up(0, ic=0.1))
    written.close()
    tracker = ExperimentTracker(tmp_path)
    os.seteuid(65534)
    try:
        assert tracker.statuses() == {"e00000": "completed"}
        assert tracker.get_statistics()["completed"] == 1
        with pytest.raises(StorageError, match=r"cannot be used: .*Check that the folder may be"):
            tracker.start(made_up(1))
    finally:
        os.seteuid(0)
    tracker.close()


@pytest.mark.slow
def test_a_full_disk_gets_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    """SQLite is told that the disk ends, as there is none here that may be filled."""
    tracker = ExperimentTracker(tmp_path)
    tracker.start(made_up(0))
    database = tracker._database()
    limits: list[sqlite3.Connection] = []

    @sa.event.listens_for(database._writer, "checkout")
    def shrink(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA max_page_count = 60")
        limits.append(connection)

    number = 0
    with pytest.raises(StorageError, match=r"disk is full.*has room"):  # noqa: PT012
        for number in range(1, 10_000):
            tracker.finish(made_up(number, params={"text": "x" * 2000}))
    assert limits
    kept = ExperimentTracker(tmp_path)
    assert set(kept.statuses()) == {f"e{n:05d}" for n in range(number)}


TIMESCALE = """
CREATE TABLE made (relation REGCLASS, dimension TEXT, if_not_exists BOOL, migrate_data BOOL);
CREATE TYPE dimension_info AS (said TEXT);
CREATE FUNCTION by_range(
    column_name NAME, partition_interval ANYELEMENT DEFAULT NULL::BIGINT,
    partition_func REGPROC DEFAULT NULL
) RETURNS dimension_info LANGUAGE sql AS
$$ SELECT ROW(column_name || ' ' || partition_interval::TEXT)::dimension_info $$;
CREATE FUNCTION create_hypertable(
    relation REGCLASS, dimension dimension_info, create_default_indexes BOOLEAN DEFAULT TRUE,
    if_not_exists BOOLEAN DEFAULT FALSE, migrate_data BOOLEAN DEFAULT FALSE
) RETURNS TABLE (hypertable_id INT, created BOOL) LANGUAGE sql AS
$$ INSERT INTO made VALUES (relation, (dimension).said, if_not_exists, migrate_data)
   RETURNING 1, TRUE $$;
"""


@pytest.mark.slow
def test_hypertables_are_requested_where_timescaledb_is_installed() -> None:
    """By a stand-in with the documented signatures: the extension itself is in no registry."""
    with postgres_server() as address:
        folder = Path(tempfile.mkdtemp(prefix="barstack_extension_"))
        (folder / "extension").mkdir(parents=True)
        folder.chmod(0o755)
        try:
            control = "default_version = '2.13'\nrelocatable = true\n"
            (folder / "extension" / "timescaledb.control").write_text(control)
            (folder / "extension" / "timescaledb--2.13.sql").write_text(TIMESCALE)
            url = sa.make_url(address).set(drivername="postgresql+psycopg")
            engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
            with engine.connect() as connection:
                connection.exec_driver_sql(
                    f"ALTER SYSTEM SET extension_control_path = '{folder}:$system'"
                )
                connection.exec_driver_sql("SELECT pg_reload_conf()")
            with engine.connect() as connection:
                connection.exec_driver_sql("CREATE EXTENSION timescaledb")
            tracker = ExperimentTracker(address)
            tracker.start(made_up(0))
            tracker.close()
            with engine.connect() as connection:
                query = "SELECT relation::TEXT, dimension, if_not_exists, migrate_data FROM made"
                made = connection.execute(sa.text(query)).all()
            assert sorted(tuple(row) for row in made) == [
                ("ensemble_performance_per_regime", "recorded_at 30 days", True, True),
                ("ensemble_predictions", "decided_at 30 days", True, True),
                ("training_history", "recorded_at 30 days", True, True),
            ]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
