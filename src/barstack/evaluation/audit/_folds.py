"""Folds whose training reaches into their tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from barstack.core.arrays import Bools, Ints, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import KnownAt, iso, microseconds
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._control import spread
from ._cuts import scramble
from ._leak import Leak, who
from ._pipeline import Data, Pipeline, Stage, read_features, read_folds

# --- label intervals that overlap, and claims of `trained_through` --------------------------------

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
            yield _overlap_leak(
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
    """What one fitted stage has seen of the test and of rows it must be disjoint from."""
    labels = labels if stage.labels is None else stage.labels
    rows = fold.train if stage.rows is None else stage.rows
    wrong = rows[misplaced(labels, fold, rows)]
    own = np.setdiff1d(wrong, fold.train)  # those of the fold are reported with the fold
    if len(own):
        yield _overlap_leak(
            labels,
            own,
            stage.name,
            "test",
            f"Stage {stage.name!r} of fold {number} learned from {len(own):,} rows whose labels "
            "reach into the test",
            "Fit it on rows whose labels are known before the test begins.",
        )
    for name, others in stage.disjoint_from.items():
        wrong = rows[overlapping(labels, rows, others)]
        if len(wrong):
            yield _overlap_leak(
                labels,
                wrong,
                stage.name,
                name,
                f"Stage {stage.name!r} of fold {number} learned from {len(wrong):,} rows whose "
                f"labels overlap those of {name} ({len(others):,} rows)",
                f"Keep its rows disjoint from {name}: purge by known_at between the two.",
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
        yield _overlap_leak(
            labels,
            late,
            stage.name,
            "trained_through",
            f"Stage {stage.name!r} of fold {number} says it is trained through {iso(claimed)}, "
            f"but {len(late):,} of its labels are known only later",
            "Claim the latest known_at of all its rows.",
        )
    begins = labels.decisions.decided_at[fold.test].min()
    reported = misplaced(labels, fold, rows).any()  # with the rows that make it so late
    if fold.kind == "forward" and not claimed <= begins and not reported:
        yield _overlap_leak(
            labels,
            fold.test,
            stage.name,
            "trained_through",
            f"Stage {stage.name!r} of fold {number} is trained through {iso(claimed)}, and the "
            f"test begins at {iso(begins)}",
            "Train it on what was known when the test begins.",
        )


def _overlap_leak(
    labels: LabelTable, rows: Rows, stage: str, column: str, what: str, mend: str
) -> Leak:
    decisions = labels.decisions
    first = int(rows[np.argmin(decisions.decided_at[rows])])
    symbol, at = who(decisions, first)
    return Leak(stage, column, symbol, at, f"{what}, the first of {symbol} at {iso(at)}.", mend)


# --- rows chosen by their outcomes ----------------------------------------------------------------


def hunt_choice(
    pipeline: Pipeline, features: FeatureTable, labels: LabelTable, folds: Sequence[Fold]
) -> Iterator[Leak]:
    """Each fold whose rows are others when answers from its test on are others.

    Answers are altered from the first decision of a fold's test on: what moved is drawn anew,
    then how long it took. Open ones stay open, so that as many rows can be tested as before.
    """
    decided_at = labels.decisions.decided_at
    for number, fold in enumerate(folds):
        later = decided_at >= decided_at[fold.test].min()
        rng = np.random.default_rng(number)
        for what, other in (
            ("returns", _other_returns(labels, later, rng)),
            ("times to an answer", _other_times(labels, later, rng)),
        ):
            try:
                again = read_folds(pipeline, features, other)
            except (DataError, ValueError):
                continue  # too few rows are left: nothing can be compared
            purged = what != "returns"  # how long answers take is the affair of purge and gap
            moved = _moved(fold, again[number] if number < len(again) else None, purged)
            if not len(moved):
                continue
            twice = read_folds(pipeline, features, labels)
            if len(_moved(fold, twice[number] if number < len(twice) else None, purged)):
                raise ConfigError(
                    f"Fold {number} has other rows when it is cut twice from the same tables. Set "
                    "the splitter's seed, so that a leak can be recognised."
                )
            row = int(moved[np.argmin(decided_at[moved])])
            symbol, at = str(labels.decisions.symbol[row]), decided_at[row]
            yield Leak(
                "folds",
                f"fold {number}",
                symbol,
                at,
                f"Fold {number} tests or trains on other rows ({len(moved):,}, the first of "
                f"{symbol} at {iso(at)}) when {what} from its test on are altered: the rows are "
                "chosen by their outcomes.",
                "Choose rows by what is known at each decision: by time, or by features.",
            )
            break


def _moved(fold: Fold, again: Fold | None, purged: bool) -> Rows:
    if again is None:
        return fold.test
    pairs = [(fold.test, again.test), *([] if purged else [(fold.train, again.train)])]
    moved = [np.setxor1d(*pair) for pair in pairs if not np.array_equal(*pair)]
    return np.concatenate([np.empty(0, np.int64), *moved])


def _other_returns(labels: LabelTable, rows: Bools, rng: np.random.Generator) -> LabelTable:
    """Answers of these rows in another order, their returns turned round."""
    order = rng.permutation(np.flatnonzero(rows))
    changed: dict[str, Any] = {}
    for name in ("values", "returns"):
        own = getattr(labels, name).copy()
        for column in own.T:
            there = rows & np.isfinite(column)
            given = column[order[there[order]]]
            column[there] = -given if labels.target.task == "return" or name == "returns" else given
        changed[name] = own
    return replace(labels, **changed)


def _other_times(labels: LabelTable, rows: Bools, rng: np.random.Generator) -> LabelTable:
    """Answers of some of these rows come sooner than they did; none later, as gaps follow those."""
    known_at = labels.known_at.copy()
    decided = microseconds(labels.decisions.decided_at)[:, None]
    there = rows[:, None] & ~np.isnat(known_at)
    took = np.where(there, microseconds(labels.known_at) - decided, 1)
    factor = rng.choice([0.1, 0.25, 0.5, 1.0], len(rows))[:, None]
    other = decided + np.maximum(took * factor, 1).astype(np.int64)
    known_at[there] = other.astype("datetime64[us]")[there]
    return replace(labels, known_at=KnownAt(known_at))


# --- embargo --------------------------------------------------------------------------------------
# Training rows after a test whose features still depend on what happened in it.

_CHANGED = 0.25  # deviations of a column
_FADED = 0.5  # of what has changed when the test is over: recursive averages leave a fading trace
_FADES = 0.5  # a column that stays changed for longer than this share of what follows never fades


def hunt_memory(
    pipeline: Pipeline,
    data: Data,
    features: FeatureTable,
    labels: LabelTable,
    folds: Sequence[Fold],
) -> Iterator[Leak]:
    """The first crossed fold that trains after its test on features that reach back into it.

    The bars of each tested stretch are put in another order, prices before and after it being the
    same. Columns that never forget, such as a running total, are left alone: no embargo mends them.
    """
    made: dict[tuple[np.datetime64, np.datetime64], FeatureTable] = {}
    decided_at = features.decisions.decided_at
    for number, fold in enumerate(folds):
        for test in fold.stretches if fold.kind == "crossed" else ():
            since = decided_at[test].min()
            until = max(decided_at[test].max(), np.fmax.reduce(labels.all_known_at[test]))
            after = fold.train[decided_at[fold.train] >= until]
            if not len(after):
                continue
            if (since, until) not in made:
                other = scramble(data, since, until, np.random.default_rng(len(made)))
                made[since, until] = read_features(pipeline, other)
            leak = _reaching(features, made[since, until], after, until, number)
            if leak is not None:
                yield leak
                return


def _reaching(
    whole: FeatureTable,
    again: FeatureTable,
    after: Ints,
    until: np.datetime64,
    number: int,
) -> Leak | None:
    there = again.decisions.match(whole.decisions)
    after = after[there[after] >= 0]
    after = after[np.argsort(whole.decisions.decided_at[after], kind="stable")]
    ended = np.flatnonzero((whole.decisions.decided_at >= until) & (there >= 0))
    changes = np.zeros_like(whole.values)
    changes[ended] = np.abs(np.nan_to_num(whole.values[ended] - again.values[there[ended]]))
    limit = np.maximum(_CHANGED * spread(whole.values), _FADED * changes.max(axis=0))
    moved = changes[after] > limit
    last = [int(np.flatnonzero(column)[-1]) if column.any() else -1 for column in moved.T]
    last = [each if each < _FADES * len(after) else -1 for each in last]
    column = int(np.argmax(last))
    if last[column] < 0:
        return None
    first = int(after[np.argmax(moved[:, column])])
    decisions, name = whole.decisions, whole.columns[column]
    symbol, at = who(decisions, first)
    through = decisions.decided_at[after[last[column]]]
    return Leak(
        "folds",
        name,
        symbol,
        at,
        f"Fold {number} trains after its test on rows whose features still tell what happened in "
        f"it: {name!r} of {symbol} at {iso(at)}, and on until {iso(through)}, while the test's "
        f"last answer is in at {iso(until)}.",
        "Widen the embargo by the longest memory of the features.",
    )
