"""All stores against the contract, and against one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barstack.core.errors import ConfigError, StorageError
from barstack.testing import (
    BoundCheck,
    StoreIn,
    made_up_forecasts,
    made_up_trial,
    parametrize_with_checks,
)
from barstack.testing._store import (
    SHARED_STORE_CHECKS,
    STORE_CHECKS,
    Opener,
    assert_same_forecasts,
)
from barstack.tracking import (
    MemoryStore,
    PostgresStore,
    SharedLedgerStore,
    SqliteStore,
    Store,
    Trial,
    UserLedgerStore,
)


def in_memory(folder: Path) -> Store:
    return MemoryStore()


def odd_name(folder: Path) -> Store:
    return SqliteStore(folder.with_name("runs?mode=memory#"))


def shared_ledger(folder: Path) -> Store:
    return SharedLedgerStore(SqliteStore(folder), SqliteStore(folder / "team"))


def user_ledger(folder: Path) -> Store:
    return UserLedgerStore(SqliteStore(folder), SqliteStore(folder / "user"))


@parametrize_with_checks(
    [
        StoreIn(in_memory, shared=False),
        StoreIn(SqliteStore),
        StoreIn(odd_name),
        StoreIn(shared_ledger),
        StoreIn(user_ledger),
    ]
)
def test_a_store_keeps_its_promises(part: StoreIn, check: BoundCheck) -> None:
    check(part)


@pytest.mark.slow
@pytest.mark.parametrize("check", STORE_CHECKS)
def test_a_store_on_a_server_keeps_its_promises(
    check: Callable[[Store], None], new_postgres: Callable[[], str]
) -> None:
    check(PostgresStore(new_postgres()))


@pytest.mark.slow
@pytest.mark.parametrize("check", SHARED_STORE_CHECKS)
def test_processes_share_a_store_on_a_server(
    check: Callable[[Opener], None], new_postgres: Callable[[], str]
) -> None:
    check(partial(PostgresStore, new_postgres()))


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
SYMBOLS = st.lists(st.sampled_from(["SPY", "QQQ", "IWM", "O\"D'D%", "Ä\u0301"]), max_size=4)
TRIALS = st.builds(
    Trial,
    id=st.sampled_from("abc"),
    data=st.sampled_from(["bars", "grown", ""]),
    name=TEXT,
    horizon=TEXT,
    symbols=SYMBOLS.map(tuple),
    first_at=TEXT,
    last_at=TEXT,
    forecasts=st.none() | TEXT,
)
STEPS = st.one_of(
    st.tuples(st.just("record"), st.lists(TRIALS, max_size=5)),
    st.tuples(st.just("write"), st.tuples(st.sampled_from("kl"), st.integers(0, 3))),
)


Steps = list[tuple[str, Any]]


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=8), wanted=SYMBOLS)
def test_stores_agree_with_a_plain_list(
    steps: Steps, wanted: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stores = [MemoryStore(), SqliteStore(tmp_path_factory.mktemp("runs"))]
    check_against_a_list(stores, steps, wanted)


@pytest.fixture(scope="module")
def server(new_postgres: Callable[[], str]) -> Iterator[PostgresStore]:
    store = PostgresStore(new_postgres())
    yield store
    store.close()


def empty(server: PostgresStore) -> None:
    with server._database.writing() as connection:
        connection.exec_driver_sql("TRUNCATE ledger, forecasts")
        connection.exec_driver_sql("UPDATE ledger_rows SET recorded = 0")


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=8), wanted=SYMBOLS)
def test_a_server_agrees_with_a_plain_list(
    steps: Steps, wanted: list[str], server: PostgresStore
) -> None:
    empty(server)
    check_against_a_list([server], steps, wanted)


def check_against_a_list(stores: Sequence[Store], steps: Steps, wanted: list[str]) -> None:
    looks: dict[tuple[str, str], Trial] = {}
    seeds: dict[str, int] = {}
    for verb, content in steps:
        for store in stores:
            if verb == "record":
                store.record(iter(content))
            else:
                store.write(content[0], made_up_forecasts(rows=3, seed=content[1]))
        if verb == "record":
            for trial in content:
                looks.setdefault((trial.id, trial.data), trial)
        else:
            seeds.setdefault(*content)
    on_wanted = [trial for trial in looks.values() if set(trial.symbols) & set(wanted)]
    for store in stores:
        store.verify()
        assert [plain(trial) for trial in store.trials()] == [*map(plain, looks.values())]
        assert [plain(trial) for trial in store.trials(wanted)] == [*map(plain, on_wanted)]
        assert store.count(wanted) == len(on_wanted)
        assert store.looks("a") == sum(trial == "a" for trial, _ in looks)
        assert store.keys() == sorted(seeds)
        for key, seed in seeds.items():
            assert_same_forecasts(store.read(key), made_up_forecasts(rows=3, seed=seed))


def plain(trial: Trial) -> dict[str, Any]:
    return vars(trial) | {"recorded_at": ""}


TAMPERING = [
    *(
        (f"UPDATE ledger SET {column} = '[\"other\"]' WHERE row = 3", "row 3 is not what was")
        for column in ("id", "data", "name", "horizon", "symbols", "first_at", "last_at")
    ),
    ("UPDATE ledger SET hash = '0' WHERE row = 3", "row 3 is not what was recorded"),
    ("UPDATE ledger SET predecessor = '0' WHERE row = 3", "row 3 does not follow"),
    ("UPDATE ledger SET row = 99 WHERE row = 3", "row 3 is missing"),
    ("DELETE FROM ledger WHERE row = 1", "row 1 is missing"),
    ("DELETE FROM ledger WHERE row = 5", "row 5 is missing"),
    ("DELETE FROM ledger", "row 1 is missing"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("query", "found"), TAMPERING)
def test_tampering_on_a_server_is_noticed(query: str, found: str, server: PostgresStore) -> None:
    empty(server)
    server.record(made_up_trial(number) for number in range(5))
    server.verify()
    with server._database.writing() as connection:
        connection.exec_driver_sql(query)
    with pytest.raises(StorageError, match=f"was altered: {found}"):
        server.verify()


@pytest.mark.slow
def test_damaged_forecasts_on_a_server_are_noticed_and_made_again(server: PostgresStore) -> None:
    server.write("damaged", made_up_forecasts())
    with server._database.writing() as connection:
        connection.exec_driver_sql("UPDATE forecasts SET content = '\\x00' WHERE key = 'damaged'")
    with pytest.raises(StorageError, match=r"missing in postgresql.*, or not what was saved"):
        server.read("damaged")
    server.write("damaged", made_up_forecasts())
    assert_same_forecasts(server.read("damaged"), made_up_forecasts())


def test_trials_of_a_folder_count_on_a_teams_ledger(tmp_path: Path) -> None:
    here, team = SqliteStore(tmp_path / "runs"), SqliteStore(tmp_path / "team")
    here.record([made_up_trial(0), made_up_trial(1)])
    team.record([made_up_trial(9)])
    store = SharedLedgerStore(here, team)
    store.record([made_up_trial(2), made_up_trial(0)])
    assert [trial.id for trial in team.trials()] == [f"trial {n}" for n in (9, 0, 1, 2)]
    assert store.count(["SPY"]) == 4


def test_a_server_refuses_what_it_cannot_hold() -> None:
    store = PostgresStore("postgresql://127.0.0.1:1/name")
    with pytest.raises(ConfigError, match="null character"):
        store.record([replace(made_up_trial(0), name="a\0b")])
