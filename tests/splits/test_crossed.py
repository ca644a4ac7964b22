"""Folds that train on both sides: what is purged, what embargoed, and which paths there are."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest

from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DecidedAt, KnownAt
from barstack.splits import (
    SPLITTERS,
    CombinatorialPurged,
    Fold,
    PurgedKFold,
    WalkForward,
    inner_folds,
    paths,
)
from barstack.testing import shared_steps

START = np.datetime64("2026-01-05T00:00", "us")
HOUR = np.timedelta64(1, "h")


def hourly(n_rows: int, horizon: int) -> tuple[Decisions, KnownAt]:
    times = START + np.arange(n_rows) * HOUR
    return Decisions.concatenate({"X": DecidedAt(times)}), KnownAt(times + horizon * HOUR)


def test_purge_and_embargo_lie_where_they_must() -> None:
    middle = PurgedKFold(folds=3).split(*hourly(90, horizon=4), memory_bars=5)[1]
    assert (middle.test[0], middle.test[-1]) == (30, 59)
    before, after = middle.train[middle.train < 30], middle.train[middle.train > 59]
    assert before[-1] == 26  # its label is known at 30; no embargo before a test
    # The last label ends at 63. Of five bars up to 68 the first, 64, opens then.
    assert after[0] == 68


def test_an_embargo_takes_the_place_of_memory_and_is_bars_or_time() -> None:
    data = hourly(90, horizon=4)
    for embargo, first in ((0, 63), (3, 66), ("3h", 66), ("150min", 66)):
        middle = PurgedKFold(folds=3, embargo=embargo).split(*data, memory_bars=20)[1]
        assert middle.train[middle.train > 59][0] == first
        assert middle.train[middle.train < 30][-1] == 26


@pytest.mark.parametrize("name", ["purged_kfold", "combinatorial_purged"])
def test_nothing_is_assumed_about_memory(name: str) -> None:
    splitter = SPLITTERS.parse(name)
    with pytest.raises(ConfigError, match=f"{name} trains on rows after its tests.*memory_bars"):
        splitter.split(*hourly(90, horizon=2))
    with pytest.raises(ConfigError, match="memory_bars must be 0 or more, got -1"):
        splitter.split(*hourly(90, horizon=2), memory_bars=-1)
    for wrong in (2.5, True):
        given: Any = wrong
        with pytest.raises(ConfigError, match=f"whole number of bars, got {wrong}"):
            splitter.split(*hourly(90, horizon=2), memory_bars=given)
    assert splitter.split(*hourly(90, horizon=2), memory_bars=0)


@pytest.mark.parametrize("embargo", [-1, True, 2.5, [1], {"a": 1}, [], {}])
def test_an_embargo_is_bars_or_a_duration(embargo: object) -> None:
    with pytest.raises(ConfigError, match=r"embargo.*neither bars nor a duration"):
        SPLITTERS.parse({"split": "walk_forward", "embargo": embargo})


@pytest.mark.parametrize("name", SPLITTERS.names())
def test_an_embargo_longer_than_all_bars_is_explained(name: str) -> None:
    splitter = SPLITTERS.parse({"split": name, "embargo": 10**18})
    with pytest.raises(DataError, match="smaller embargo"):
        splitter.split(*hourly(90, horizon=2))


def test_bars_of_an_embargo_are_the_symbols_own() -> None:
    """A symbol with half the bars needs twice the time until its features are clear of a test."""
    full = START + np.arange(120) * HOUR
    decisions = Decisions.concatenate({"FULL": DecidedAt(full), "HALF": DecidedAt(full[::2])})
    known_at = KnownAt(decisions.decided_at + HOUR)
    first = PurgedKFold(folds=3).split(decisions, known_at, memory_bars=6)[0]
    label_end = START + 40 * HOUR  # the last decision tested is at 39
    codes, times = decisions.symbol_code[first.train], decisions.decided_at[first.train]
    assert times[codes == 0].min() == label_end + 6 * HOUR
    assert times[codes == 1].min() == label_end + 12 * HOUR


def test_symbols_are_purged_by_time_together() -> None:
    """A training label of one symbol that overlaps a test row of another is left out."""
    slow = DecidedAt(START + np.arange(20) * 6 * HOUR)
    quick = DecidedAt(START + np.arange(120) * HOUR)
    decisions = Decisions.concatenate({"QUICK": quick, "SLOW": slow})
    # SLOW's labels take a day, QUICK's an hour.
    length = np.where(decisions.symbol_code == 1, 24, 1) * HOUR
    known_at = KnownAt(decisions.decided_at + length)
    quick_ones = decisions.symbol_code == 0
    for fold in PurgedKFold(folds=4).split(decisions, known_at, memory_bars=0):
        assert shared_steps(decisions, known_at, fold.train, fold.test) == 0
    for fold in WalkForward(folds=3).split(decisions, known_at):
        tested = fold.test[quick_ones[fold.test]]
        assert shared_steps(decisions, known_at, fold.train, tested) == 0
        # By its own symbol alone nothing of SLOW's last day before the test would go.
        first = decisions.decided_at[tested].min()
        late = ~quick_ones & (decisions.decided_at < first) & (known_at > first)
        assert late.sum() >= 3
        assert not np.isin(np.flatnonzero(late), fold.train).any()


@pytest.mark.parametrize(("groups", "tested"), [(6, 2), (5, 3), (4, 1), (8, 2), (5, 4)])
def test_paths_test_every_row_once_and_share_no_forecast(groups: int, tested: int) -> None:
    splitter = CombinatorialPurged(groups=groups, tested=tested)
    decisions, known_at = hourly(groups * 30 + 7, horizon=2)
    folds = splitter.split(decisions, known_at, memory_bars=3)
    found = paths(folds)
    assert len(folds) == comb(groups, tested) == splitter.n_folds
    assert len(found) == tested * comb(groups, tested) // groups == splitter.n_paths
    used = set()
    for path in found:
        np.testing.assert_array_equal(
            np.concatenate([rows for _, rows in path]), np.arange(len(decisions))
        )
        for group, (fold, rows) in enumerate(path):
            assert np.isin(rows, folds[fold].test).all()
            used.add((fold, group))
    assert len(used) == len(found) * groups == sum(len(fold.stretches) for fold in folds)


def test_paths_of_uneven_folds_are_refused() -> None:
    rows = np.arange(4)
    uneven = [
        Fold(rows, rows, "crossed"),
        Fold(rows, rows, "crossed"),
        Fold(rows, rows + 9, "crossed"),
    ]
    with pytest.raises(ConfigError, match="test some rows more often than others"):
        paths(uneven)


def test_inner_folds_stay_within_and_are_purged_again() -> None:
    decisions, known_at = hourly(400, horizon=5)
    for outer in CombinatorialPurged(groups=5).split(decisions, known_at, memory_bars=3):
        for splitter in (PurgedKFold(folds=3), WalkForward(folds=2)):
            for inner in inner_folds(splitter, decisions, known_at, outer.train, memory_bars=3):
                seen = np.concatenate([inner.train, inner.test])
                assert np.isin(seen, outer.train).all()
                assert shared_steps(decisions, known_at, inner.train, inner.test) == 0
                assert shared_steps(decisions, known_at, seen, outer.test) == 0
                if inner.kind == "forward":
                    first = decisions.decided_at[inner.test].min()
                    assert known_at[inner.train].max() <= first


def test_what_cannot_be_split_says_so() -> None:
    with pytest.raises(ConfigError, match="3 of 3 groups tested leave none to train on"):
        CombinatorialPurged(groups=3, tested=3)
    with pytest.raises(ConfigError, match="155,117,520 folds; 10,000 are the most"):
        CombinatorialPurged(groups=30, tested=15)
    with pytest.raises(DataError, match="4 decision times cannot make 5 stretches"):
        PurgedKFold().split(*hourly(4, horizon=1), memory_bars=0)
    with pytest.raises(DataError, match=r"leave nothing to train on.*20 decision times 10 are"):
        PurgedKFold(folds=2).split(*hourly(20, horizon=2), memory_bars=30)
