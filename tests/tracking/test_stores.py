"""Both stores against the contract of all stores, and against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.testing import BoundCheck, StoreIn, made_up_forecasts, parametrize_with_checks
from barstack.testing._store import assert_same_forecasts
from barstack.tracking import MemoryStore, SqliteStore, Store, Trial


def in_memory(folder: Path) -> Store:
    return MemoryStore()


def odd_name(folder: Path) -> Store:
    return SqliteStore(folder.with_name("runs?mode=memory#"))


@parametrize_with_checks(
    [StoreIn(in_memory, shared=False), StoreIn(SqliteStore), StoreIn(odd_name)]
)
def test_a_store_keeps_its_promises(part: StoreIn, check: BoundCheck) -> None:
    check(part)


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
