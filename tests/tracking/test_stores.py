"""Both stores against the contract of all stores, and against each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.testing import SHARED_STORE_CHECKS, STORE_CHECKS, made_up_forecasts
from barstack.testing._store import Opener, assert_same_forecasts
from barstack.tracking import MemoryStore, SqliteStore, Store, Trial


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "runs")


@pytest.mark.parametrize("check", STORE_CHECKS)
def test_a_store_keeps_its_promises(check: Callable[[Store], None], store: Store) -> None:
    check(store)


@pytest.mark.parametrize("check", SHARED_STORE_CHECKS)
def test_a_store_of_several_processes(check: Callable[[Opener], None], tmp_path: Path) -> None:
    check(partial(SqliteStore, tmp_path / "runs?mode=memory#"))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SYMBOLS = st.lists(st.sampled_from(["SPY", "QQQ", "IWM", "O\"D'D%", "Ä\0"]), max_size=4)
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


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=8), wanted=SYMBOLS)
def test_both_stores_agree_with_a_plain_list(
    steps: list[tuple[str, Any]], wanted: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stores = [MemoryStore(), SqliteStore(tmp_path_factory.mktemp("runs"))]
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
