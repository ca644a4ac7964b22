"""Folds equal skfolio's when it is given the purge and the embargo that ours derive."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV
from skfolio.model_selection import WalkForward as SkfolioWalkForward

from barstack.core.decisions import Decisions
from barstack.core.times import DecidedAt, KnownAt
from barstack.splits import CombinatorialPurged, PurgedKFold, Splitter, WalkForward, paths

MOST_HORIZON, MOST_MEMORY = 8, 7
# A group between two tests is purged from both sides; ours refuses folds with nothing left.
SMALLEST_GROUP = 2 * MOST_HORIZON + MOST_MEMORY

horizons = st.integers(1, MOST_HORIZON)
memories = st.integers(0, MOST_MEMORY)


def _labelled(n_rows: int, horizon: int) -> tuple[Decisions, KnownAt]:
    """Hourly decisions of one symbol, all of whose labels are known in the end."""
    hour = np.timedelta64(1, "h")
    times = np.datetime64("2026-01-05T00:00", "us") + np.arange(n_rows) * hour
    return Decisions.concatenate({"X": DecidedAt(times)}), KnownAt(times + horizon * hour)


def _same(splitter: Splitter, theirs: CombinatorialPurgedCV, n: int, horizon: int, m: int) -> None:
    folds = splitter.split(*_labelled(n, horizon), memory_bars=m)
    expected = list(theirs.split(np.zeros((n, 1))))
    assert len(folds) == len(expected)
    for fold, (train, tests) in zip(folds, expected, strict=True):
        np.testing.assert_array_equal(fold.train, train)
        for stretch, test in zip(fold.stretches, tests, strict=True):
            np.testing.assert_array_equal(stretch, test)


@st.composite
def _grouped(draw: st.DrawFn) -> tuple[int, int, int]:
    """(groups, tested at a time, rows), whether or not the groups come out even."""
    groups = draw(st.integers(3, 8))
    tested = draw(st.integers(2, groups - 1))
    return groups, tested, draw(st.integers(groups * SMALLEST_GROUP, 500))


@given(_grouped(), horizons, memories)
@settings(max_examples=60, deadline=None)
def test_combinatorial_purged(grouped: tuple[int, int, int], horizon: int, memory: int) -> None:
    groups, tested, n_rows = grouped
    theirs = CombinatorialPurgedCV(groups, tested, purged_size=horizon - 1, embargo_size=memory)
    ours = CombinatorialPurged(groups=groups, tested=tested)
    _same(ours, theirs, n_rows, horizon, memory)

    assert (ours.n_folds, ours.n_paths) == (theirs.n_splits, theirs.n_test_paths)
    folds = ours.split(*_labelled(n_rows, horizon), memory_bars=memory)
    fold_of = [[number for number, _ in path] for path in paths(folds)]
    np.testing.assert_array_equal(np.transpose(fold_of), theirs.recombined_paths)


@given(st.integers(3, 8), st.integers(0, 200), horizons, memories)
@settings(max_examples=60, deadline=None)
def test_purged_kfold(folds: int, more: int, horizon: int, memory: int) -> None:
    theirs = CombinatorialPurgedCV(folds, 2, purged_size=horizon - 1, embargo_size=memory)
    theirs.n_test_folds = 1  # it refers to scikit-learn for one, but supports it
    _same(PurgedKFold(folds=folds), theirs, folds * SMALLEST_GROUP + more, horizon, memory)


@given(st.integers(2, 8), st.integers(1, 30), st.integers(2, 120), horizons, st.booleans())
@settings(max_examples=60, deadline=None)
def test_walk_forward(folds: int, step: int, more: int, horizon: int, rolling: bool) -> None:
    first = MOST_HORIZON + more  # decision times before the first test
    n_rows = first + folds * step
    ours = WalkForward(
        folds=folds,
        first_train=(first + 0.5) / n_rows,
        train_times=first if rolling else None,
    )
    theirs = SkfolioWalkForward(
        test_size=step,
        train_size=first - (horizon - 1),
        purged_size=horizon - 1,
        expand_train=not rolling,
    )
    made = ours.split(*_labelled(n_rows, horizon))
    expected = list(theirs.split(np.zeros((n_rows, 1))))
    for fold, (train, test) in zip(made, expected, strict=True):
        np.testing.assert_array_equal(fold.train, train)
        np.testing.assert_array_equal(fold.test, test)
