"""Writers that are killed, writers that meet, readers among them: real processes, real files."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.bars.kills import Damage, Killer, Truth, add_pieces, stamps_of, walk_of

from barstack.bars import Catalog, Collection, Facts
from barstack.bars.catalog import _writing

FACTS = Facts(bar="1min")
NEARLY_FEBRUARY_US = 1_769_817_600_000_000  # 2026-01-31 00:00, so that pieces span two months


def truth_of(symbols: int, rows: int) -> Truth:
    return {
        f"S{number}": walk_of(rows, number, NEARLY_FEBRUARY_US, 60_000_000)
        for number in range(symbols)
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_kill_9_at_any_moment(tmp_path: Path, seed: int) -> None:
    """Ten kills each; workers go on where the last one died."""
    killer = Killer(tmp_path, "some", FACTS, truth_of(2, 4000))
    rng = np.random.default_rng(seed)
    for number in range(10):
        damage = killer.kill_one(
            add_pieces,
            (int(rng.integers(0, 12)), rng.uniform(0.0, 0.02)),
            killer.truth,
            100 * seed + number,
            400,
        )
        assert damage.total == 0, damage.notes
    assert killer.adds_acknowledged > 0
    killer.said_by(add_pieces, None, killer.truth, 5, 400)
    collection = Catalog(tmp_path).collection("some")
    for symbol, table in killer.truth.items():
        assert_frame_equal(collection.table(symbol), table)
        left = {file.name for file in (collection.folder / symbol).iterdir()}
        listed = {file.name for file in collection.files([symbol])}
        assert not [name for name in left if name.endswith(".part")]
        assert listed <= left


def test_the_look_finds_damage(tmp_path: Path) -> None:
    """Or no kill could ever fail the tests above."""
    truth = truth_of(1, 400)
    table = truth["S0"]
    first, last = int(stamps_of(table)[0]), int(stamps_of(table)[-1])

    def look(stored: pl.DataFrame, said: list[Any], name: str) -> Damage:
        killer = Killer(tmp_path, name, FACTS, truth)
        collection = Catalog(tmp_path).create(name, FACTS)
        collection.add("S0", stored)
        return killer.look(said)

    done = ("done", "S0", [first], [last], 400, None)
    begin = ("begin", "S0", [first], [last], 400, None)
    assert look(table, [begin, done], "sound").total == 0
    assert look(table, [begin], "unsaid").total == 0
    assert look(table[:-7], [begin, done], "lost").lost == 7
    assert look(table[:9], [begin], "half").half == 9
    other = table.with_columns(pl.col("volume") + 1)
    assert look(other, [begin, done], "other").half == 400
    assert look(walk_of(500, 0, last, 60_000_000)[1:], [], "foreign").half >= 499


def test_the_disk_has_it_before_anybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill cannot show what a power cut would: the order in which things reach the disk."""
    events: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(opened: int) -> None:
        events.append(("on disk", Path(os.readlink(f"/proc/self/fd/{opened}")).name))
        fsync(opened)

    def noted_replace(self: Path, target: Path) -> Path:
        events.append((f"{self.name} becomes", target.name))
        return replace(self, target)

    collection = Catalog(tmp_path).create("some", FACTS)
    collection.add("S9", walk_of(1, 0, NEARLY_FEBRUARY_US, 60_000_000))
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    collection.add("S0", walk_of(4000, 0, NEARLY_FEBRUARY_US, 60_000_000))
    names = [name for _, name in events]
    assert names[0] == "some", "where the symbol's own folder is listed"
    moves = [place for place, (what, _) in enumerate(events) if what.endswith("becomes")]
    assert [names[place].partition("-")[0] for place in moves] == ["2026", "2026", "manifest.json"]
    for place in moves:
        scratch = events[place][0].removesuffix(" becomes")
        assert events[place - 1] == ("on disk", scratch), "its content, before it has its name"
        assert events[place + 1] == ("on disk", "S0"), "its name, before anything else"


def both_add(collection: Collection, truth: Truth, seed: int) -> None:
    """Work: add all rows in pieces, at the time at which another writer does."""
    collection.folder.mkdir(exist_ok=True)
    (collection.folder / f"here_{seed}.txt").touch()
    while len(list(collection.folder.glob("here_*.txt"))) < 2:
        time.sleep(0.001)
    rng = np.random.default_rng(seed)
    (table,) = truth.values()
    new = 0
    for start in rng.permutation(np.arange(0, 4000, 100)).tolist():
        new += collection.add("S0", table[start : start + 150]).new
    (collection.folder / f"new_{seed}.txt").write_text(str(new))


def test_two_writers_of_one_symbol(tmp_path: Path) -> None:
    killer = Killer(tmp_path, "some", FACTS, truth_of(1, 4000))
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(killer.said_by, both_add, None, killer.truth, seed) for seed in (1, 2)]
        said = [run.result() for run in runs]
    collection = Catalog(tmp_path).collection("some")
    assert_frame_equal(collection.table("S0"), killer.truth["S0"])
    new = [int(file.read_text()) for file in collection.folder.glob("new_*.txt")]
    assert len(new) == 2
    assert sum(new) == 4000, "each row was new to one of them"
    assert min(new) > 0, "they met"
    assert [len(each) for each in said] == [80, 80]
    assert collection.verify("S0").rows == 4000


def top_up(collection: Collection, truth: Truth, rows: int) -> None:
    """Work: one top-up after another, and what they replace goes at once."""
    _writing.RETIRED_KEPT_S = 0
    (table,) = truth.values()
    for start in range(0, len(table), rows):
        collection.add("S0", table[start : start + rows])


def test_readers_among_top_ups(tmp_path: Path) -> None:
    """Whatever is merged and removed meanwhile, a reader sees a beginning of the truth."""
    killer = Killer(tmp_path, "some", FACTS, truth_of(1, 3000))
    table = killer.truth["S0"]
    collection = Catalog(tmp_path).create("some", FACTS)
    collection.add("S0", table[:10])
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(killer.said_by, top_up, None, killer.truth, 30)
        seen = [10]
        while not writer.done():
            rows = collection.table("S0")
            assert len(rows) >= seen[-1]
            assert_frame_equal(rows, table[: len(rows)])
            newest = collection.table("S0", last=25)
            end = table["timestamp"].search_sorted(newest["timestamp"][-1]) + 1
            assert_frame_equal(newest, table[max(0, end - 25) : end])
            seen.append(len(rows))
        writer.result()
    assert len(set(seen)) > 3, "it read while rows came"
    assert_frame_equal(collection.table("S0"), table)
