"""What every label and every splitter must hold to."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np

from barstack.bars import Bars
from barstack.bars._bars import PRICES
from barstack.core.arrays import Ints, Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError
from barstack.core.times import DecidedAt, KnownAt
from barstack.labels import LABELS, Label
from barstack.splits import Splitter, paths

from ._expect import expect, fail, same

_ELSEWHERE = "What is learned with other prices outside the holdings of the training rows"
MEMORY_BARS = 5  # that features are said to look back, where a splitter must know


def check_answers_come_later(label: Label, bars: Bars) -> None:
    """Every label is known after its decision; it has no value where it is open or missing."""
    table = learned(label, bars).compute(bars)
    open_ = np.isnat(table.known_at)
    np.testing.assert_array_equal(np.isnan(table.values), open_ | table.missing)
    np.testing.assert_array_equal(np.isnan(table.returns), open_ | table.missing)
    decided_at = np.broadcast_to(table.decisions.decided_at[:, None], table.known_at.shape)
    expect(
        (table.known_at[~open_] > decided_at[~open_]).all(),
        f"{label} has values that are known at their decision or before it.",
    )
    expect(
        open_[~table.eligible].any(axis=1).all(),
        f"{label} calls decisions not eligible whose values are all known.",
    )


def check_known_means_known(label: Label, bars: Bars) -> None:
    """At any moment the labels known by then are those of the bars seen by then."""
    label = learned(label, bars)
    whole = label.compute(bars)
    for now in (5 * len(bars) // 8, 2 * len(bars) // 3 + 1, 7 * len(bars) // 8):
        moment = bars.closed_at[now - 1]
        part = label.compute(bars[:now])
        known = whole.known_at[:now] <= moment
        np.testing.assert_array_equal(~np.isnat(part.known_at), known)
        for name in ("values", "returns", "known_at"):
            np.testing.assert_array_equal(
                getattr(part, name)[known], getattr(whole, name)[:now][known]
            )
        settled = known.all(axis=1)
        np.testing.assert_array_equal(part.eligible[settled], whole.eligible[:now][settled])


def check_known_by_the_latest(label: Label, bars: Bars) -> None:
    """No label is known later than it was said that it may be, before anything was learned."""
    latest = label.latest_known_at(bars)
    known_at = learned(label, bars).compute(bars).known_at
    both = ~np.isnat(known_at) & ~np.isnat(latest)
    expect(
        (known_at[both] <= latest[both]).all(),
        f"{label} has values that are known later than latest_known_at says.",
    )
    expect(both.any(), f"{label} has no value that is known on these bars.")


def check_can_be_written_down(label: Label, bars: Bars) -> None:
    """What was learned is in the label's own content, from which an equal one can be made."""
    for each in (label, learned(label, bars)):
        same(
            LABELS.parse(json.loads(json.dumps(each.content()))), each, "What content() makes again"
        )


def check_says_that_it_is_unfitted(label: Label, bars: Bars) -> None:
    """A label that has yet to learn has no values, and what it learns is another label."""
    if label.fitted:
        try:
            label.compute(bars)
        except ConfigError:
            pass
        else:
            fail(f"{label!r} has values before it is fitted.")
    expect(not learned(label, bars).fitted, f"{label!r} is fitted, and still has to be.")


def check_learns_from_its_rows_alone(label: Label, bars: Bars) -> None:
    """Prices outside the holdings of the training rows do not matter, whatever they are."""
    if not label.fitted:
        return
    rng = np.random.default_rng(0)
    latest = label.latest_known_at(bars).max(axis=1)
    number = np.arange(len(bars))
    chosen = (number >= len(bars) // 8) & (number < len(bars) // 2) | (
        (number >= 5 * len(bars) // 8) & (number < 3 * len(bars) // 4)
    )
    rows = np.flatnonzero(chosen & ~np.isnat(latest))
    ends = np.searchsorted(bars.closed_at, latest[rows], side="right") - 1
    outside = np.ones(len(bars), bool)
    for row, end in zip(rows, ends, strict=True):
        outside[row : end + 1] = False
    expect(outside.any(), "All bars lie within holdings of training rows. Give more bars.")
    fitted = label.fit(bars, rows)
    for factor in (np.nan, 3.0, 1e-3, rng.lognormal(0.0, 1.0, outside.sum())):
        records = bars.records.copy()
        for price in PRICES:
            records[price][outside] *= factor
        same(label.fit(replace(bars, records=records), rows), fitted, _ELSEWHERE)
    records = bars.records.copy()
    shuffled = rng.permutation(np.flatnonzero(outside))
    for price in PRICES:
        records[price][outside] = bars.records[price][shuffled]
    same(label.fit(replace(bars, records=records), rows), fitted, _ELSEWHERE)


LABEL_CHECKS = (
    check_answers_come_later,
    check_known_means_known,
    check_known_by_the_latest,
    check_can_be_written_down,
    check_says_that_it_is_unfitted,
    check_learns_from_its_rows_alone,
)


def learned(label: Label, bars: Bars) -> Label:
    """The label itself or, where it is fitted, what it learns from the first half of the bars."""
    if not label.fitted:
        return label
    latest = label.latest_known_at(bars).max(axis=1)
    return label.fit(bars, np.flatnonzero(latest <= bars.closed_at[len(bars) // 2]))


def check_trains_on_what_is_known(
    splitter: Splitter, decisions: Decisions, known_at: KnownAt
) -> None:
    """Forward: every training label is known when testing begins. Crossed: none overlaps it."""
    for fold in splitter.split(decisions, known_at, memory_bars=MEMORY_BARS):
        same(fold.kind, splitter.kind, "The kind of a fold")
        expect(
            not np.isnat(known_at[fold.train]).any(), f"{splitter} trains on labels that are open."
        )
        overlaps = shared_steps(decisions, known_at, fold.train, fold.test)
        same(overlaps, 0, "The number of training labels that overlap a test label")
        if fold.kind == "forward":
            first = decisions.decided_at[fold.test].min()
            expect(
                known_at[fold.train].max() <= first,
                f"{splitter} trains on labels that are not known when testing begins.",
            )


def check_features_carry_no_test(
    splitter: Splitter, decisions: Decisions, known_at: KnownAt
) -> None:
    """Rows trained on after a test read only bars that opened after its last label end."""
    if splitter.embargo is not None:
        return  # an explicit embargo takes its place
    for fold in splitter.split(decisions, known_at, memory_bars=MEMORY_BARS):
        for stretch in fold.stretches:
            known = known_at[stretch]
            label_end = known[~np.isnat(known)].max(initial=decisions.decided_at[stretch].max())
            after = fold.train[known_at[fold.train] > decisions.decided_at[stretch].min()]
            opened = after - MEMORY_BARS
            np.testing.assert_array_equal(
                decisions.symbol_code[opened], decisions.symbol_code[after]
            )
            expect(
                (decisions.decided_at[opened] >= label_end).all(),
                f"{splitter} trains after a test on rows whose features have seen its bars.",
            )


def check_tests_each_row_once(splitter: Splitter, decisions: Decisions, known_at: KnownAt) -> None:
    """Tests of a path are disjoint in time; rows of one moment are in one fold, in time order."""
    folds = splitter.split(decisions, known_at, memory_bars=MEMORY_BARS)
    for path in paths(folds):
        spans = [decisions.decided_at[rows] for _, rows in path]
        for before, after in pairwise(spans):
            expect(before.max() < after.min(), f"{splitter} tests a moment twice.")
    for fold in folds:
        np.testing.assert_array_equal(np.concatenate(fold.stretches), fold.test)
        for rows in (fold.train, fold.test):
            times = decisions.decided_at[rows]
            expect((times[1:] >= times[:-1]).all(), f"{splitter} gives rows out of order.")
            same(len(np.unique(rows)), len(rows), "The number of different rows of a fold")
        both = np.intersect1d(fold.train, fold.test).size
        same(both, 0, "The number of rows both trained on and tested")


def check_longer_labels_purge_more(
    splitter: Splitter, decisions: Decisions, known_at: KnownAt
) -> None:
    """Labels that are known later purge more training rows, without any setting."""
    later = KnownAt(known_at + np.timedelta64(2, "D"))
    now, then = (
        splitter.split(decisions, known, memory_bars=MEMORY_BARS) for known in (known_at, later)
    )
    expect(
        sum(len(fold.train) for fold in then) < sum(len(fold.train) for fold in now),
        f"{splitter} purges no more rows where labels are known later.",
    )
    tested, expected = ([len(fold.test) for fold in folds] for folds in (then, now))
    same(tested, expected, "The number of rows tested, where labels are known later,")


SPLITTER_CHECKS = (
    check_trains_on_what_is_known,
    check_features_carry_no_test,
    check_tests_each_row_once,
    check_longer_labels_purge_more,
)


def shared_steps(decisions: Decisions, known_at: KnownAt, train: Rows, test: Rows) -> int:
    """Training labels whose time from decision to label end overlaps that of any test label.

    >>> from barstack.testing import small_dataset
    >>> data = small_dataset("return")
    >>> shared_steps(data.decisions, data.labels.all_known_at, np.arange(100), np.arange(100, 120))
    4
    """
    begins, ends = _intervals(decisions, known_at, test)
    own_begin, own_end = _intervals(decisions, known_at, train)
    order = np.argsort(begins)
    latest_end = np.maximum.accumulate(ends[order])
    # Overlap: some test label begins before mine ends and ends after mine begins.
    started = np.searchsorted(begins[order], own_end)
    touched = started > 0
    return int((latest_end[started[touched] - 1] > own_begin[touched]).sum())


def _intervals(decisions: Decisions, known_at: KnownAt, rows: Rows) -> tuple[Ints, Ints]:
    known = rows[~np.isnat(known_at[rows])]
    decided_at = DecidedAt(decisions.decided_at[known])
    return decided_at.view(np.int64), known_at[known].view(np.int64)
