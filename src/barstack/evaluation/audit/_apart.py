"""Rows that must be kept apart: label intervals that overlap, and claims of `trained_through`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from barstack.core.arrays import Bools, Rows
from barstack.core.times import KnownAt, iso, microseconds
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._leak import Leak
from ._pipeline import Stage

_FOREVER = np.iinfo(np.int64).max


def overlapping(labels: LabelTable, rows: Rows, others: Rows) -> Bools:
    """(len(rows),) whether each row's time from decision to answer overlaps any of the others'.

    Of all symbols together: two of them move with the same news. A label that is still open has
    no end; one that is missing tells nothing.
    """
    decided = microseconds(labels.decisions.decided_at)
    answered = _ended(labels)
    ends = np.where(np.isnat(answered), _FOREVER, microseconds(answered))
    ends = np.where(labels.missing.any(axis=1), decided, ends)
    order = others[np.argsort(decided[others], kind="stable")]
    latest = np.maximum.accumulate(ends[order]) if len(order) else ends[order]
    # Of the others that are decided before a row's answer, the latest answer must not lie later.
    before = np.searchsorted(decided[order], ends[rows], side="left")
    reached = np.concatenate([[-_FOREVER], latest])[before]
    return np.asarray(reached > decided[rows])


def misplaced(labels: LabelTable, fold: Fold, rows: Rows) -> Bools:
    """(len(rows),) which rows a fold must not learn from.

    Forward: those whose label is not known by the first decision of the test. Crossed: those
    whose label overlaps that of any tested row.
    """
    if fold.kind == "forward":
        begins = labels.decisions.decided_at[fold.test].min()
        return np.asarray(~(_ended(labels)[rows] <= begins))  # NaT is never known
    return overlapping(labels, rows, fold.test)


def _ended(labels: LabelTable) -> KnownAt:
    return KnownAt(labels.known_at.max(axis=1))


def hunt_folds(labels: LabelTable, folds: Sequence[Fold]) -> Iterator[Leak]:
    """Each fold whose training labels reach into its test."""
    for number, fold in enumerate(folds):
        wrong = fold.train[misplaced(labels, fold, fold.train)]
        if len(wrong):
            yield _told(
                labels,
                wrong,
                "folds",
                f"fold {number}",
                f"Fold {number} tests from "
                f"{iso(labels.decisions.decided_at[fold.test].min())}, and {len(wrong):,} of its "
                "{n:,} training labels are not over by then".format(n=len(fold.train))
                if fold.kind == "forward"
                else f"Fold {number} is tested on both sides of its training, and {len(wrong):,} "
                f"of its {len(fold.train):,} training labels overlap those tested",
                "Purge them: train on rows whose known_at lies at or before the first decision "
                "of the test, or which are decided after its last answer.",
            )


def hunt_stage(labels: LabelTable, fold: Fold, number: int, stage: Stage) -> Iterator[Leak]:
    """What one fitted stage has seen, against the test, what it is kept apart from, its claim."""
    labels = labels if stage.labels is None else stage.labels
    rows = fold.train if stage.rows is None else stage.rows
    wrong = rows[misplaced(labels, fold, rows)]
    own = np.setdiff1d(wrong, fold.train)  # those of the fold are told with the fold
    if len(own):
        yield _told(
            labels,
            own,
            stage.name,
            "test",
            f"Stage {stage.name!r} of fold {number} learned from {len(own):,} rows whose labels "
            "reach into the test",
            "Fit it on rows whose labels are known before the test begins.",
        )
    for name, others in stage.apart_from.items():
        wrong = rows[overlapping(labels, rows, others)]
        if len(wrong):
            yield _told(
                labels,
                wrong,
                stage.name,
                name,
                f"Stage {stage.name!r} of fold {number} learned from {len(wrong):,} rows whose "
                f"labels overlap those of {name} ({len(others):,} rows)",
                f"Keep its rows apart from {name}: purge by known_at between the two.",
            )
    yield from _claims(labels, fold, number, stage, rows)


def _claims(
    labels: LabelTable, fold: Fold, number: int, stage: Stage, rows: Rows
) -> Iterator[Leak]:
    claimed = stage.trained_through
    if claimed is None or not len(rows):
        return
    answered = _ended(labels)
    late = rows[~(answered[rows] <= claimed)]
    if len(late):
        yield _told(
            labels,
            late,
            stage.name,
            "trained_through",
            f"Stage {stage.name!r} of fold {number} says it is trained through {iso(claimed)}, "
            f"but {len(late):,} of its labels are known only later",
            "Claim the latest known_at of all its rows.",
        )
    begins = labels.decisions.decided_at[fold.test].min()
    told = misplaced(labels, fold, rows).any()  # with the rows that make it so late
    if fold.kind == "forward" and not claimed <= begins and not told:
        yield _told(
            labels,
            fold.test,
            stage.name,
            "trained_through",
            f"Stage {stage.name!r} of fold {number} is trained through {iso(claimed)}, and the "
            f"test begins at {iso(begins)}",
            "Train it on what was known when the test begins.",
        )


def _told(labels: LabelTable, rows: Rows, stage: str, column: str, what: str, mend: str) -> Leak:
    decisions = labels.decisions
    first = int(rows[np.argmin(decisions.decided_at[rows])])
    symbol = str(decisions.symbols[decisions.symbol_code[first]])
    at = decisions.decided_at[first]
    return Leak(stage, column, symbol, at, f"{what}, the first of {symbol} at {iso(at)}.", mend)
