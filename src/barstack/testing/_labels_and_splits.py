"""What every label and every splitter must hold to."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from barstack.bars import Bars
from barstack.core.decisions import Decisions, Rows
from barstack.core.times import DecidedAt, KnownAt
from barstack.labels import Label
from barstack.splits import Splitter


def check_answers_come_later(label: Label, bars: Bars) -> None:
    """Every label is known after its decision; it is open exactly where it has no value."""
    table = label.compute(bars)
    open_ = np.isnat(table.known_at)
    np.testing.assert_array_equal(np.isnan(table.values), open_)
    np.testing.assert_array_equal(np.isnan(table.returns), open_)
    decided_at = np.broadcast_to(table.decisions.decided_at[:, None], table.known_at.shape)
    assert (table.known_at[~open_] > decided_at[~open_]).all()


def check_known_means_known(label: Label, bars: Bars) -> None:
    """At any moment the labels known by then are those of the bars seen by then."""
    whole = label.compute(bars)
    now = 2 * len(bars) // 3
    moment = bars.closed_at[now - 1]
    part = label.compute(bars[:now])
    known = whole.known_at[:now] <= moment
    np.testing.assert_array_equal(~np.isnat(part.known_at), known)
    np.testing.assert_array_equal(part.values[known], whole.values[:now][known])


LABEL_CHECKS = (check_answers_come_later, check_known_means_known)


def check_trains_on_what_is_known(
    splitter: Splitter, decisions: Decisions, known_at: KnownAt
) -> None:
    """Forward: every training label is known when testing begins. Crossed: none overlaps it."""
    for fold in splitter.split(decisions, known_at):
        assert fold.kind == splitter.kind
        assert not np.isnat(known_at[fold.train]).any()
        assert shared_steps(decisions, known_at, fold.train, fold.test) == 0
        if fold.kind == "forward":
            first = decisions.decided_at[fold.test].min()
            assert known_at[fold.train].max() <= first


def check_tests_each_row_once(splitter: Splitter, decisions: Decisions, known_at: KnownAt) -> None:
    """Tests lie apart in time; rows of one moment stay in one fold; all rows are in time order."""
    folds = splitter.split(decisions, known_at)
    spans = [decisions.decided_at[fold.test] for fold in folds]
    for before, after in pairwise(spans):
        assert before.max() < after.min()
    for fold in folds:
        for rows in (fold.train, fold.test):
            times = decisions.decided_at[rows]
            assert (times[1:] >= times[:-1]).all()
            assert len(np.unique(rows)) == len(rows)
        assert not np.intersect1d(fold.train, fold.test).size


def check_longer_labels_purge_more(
    splitter: Splitter, decisions: Decisions, known_at: KnownAt
) -> None:
    """Nobody sets a gap: labels known later take training rows away by themselves."""
    later = KnownAt(known_at + np.timedelta64(2, "D"))
    now, then = splitter.split(decisions, known_at), splitter.split(decisions, later)
    assert sum(len(fold.train) for fold in then) < sum(len(fold.train) for fold in now)
    assert [len(fold.test) for fold in then] == [len(fold.test) for fold in now]


SPLITTER_CHECKS = (
    check_trains_on_what_is_known,
    check_tests_each_row_once,
    check_longer_labels_purge_more,
)


def shared_steps(decisions: Decisions, known_at: KnownAt, train: Rows, test: Rows) -> int:
    """Training labels whose time from decision to answer overlaps that of any test label."""
    begins, ends = _intervals(decisions, known_at, test)
    own_begin, own_end = _intervals(decisions, known_at, train)
    order = np.argsort(begins)
    latest_end = np.maximum.accumulate(ends[order])
    # Overlap: some test label begins before mine ends and ends after mine begins.
    started = np.searchsorted(begins[order], own_end)
    touched = started > 0
    return int((latest_end[started[touched] - 1] > own_begin[touched]).sum())


def _intervals(
    decisions: Decisions, known_at: KnownAt, rows: Rows
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    known = rows[~np.isnat(known_at[rows])]
    decided_at = DecidedAt(decisions.decided_at[known])
    return decided_at.view(np.int64), known_at[known].view(np.int64)
