"""Folds, cut again from altered answers: which rows are tested may not depend on what came of them.

A splitter that tests only what was answered early, or what moved much, knows the future of each row
that it tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from barstack.core.arrays import Bools, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import KnownAt, iso, microseconds
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._door import read_folds
from ._leak import Leak
from ._pipeline import Pipeline


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
                    "the splitter's seed, so that a leak can be told."
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
                "chosen by what came of them.",
                "Choose rows by what is known at each decision: by time, or by features.",
            )
            break


def _moved(fold: Fold, again: Fold | None, purged: bool) -> Rows:
    if again is None:
        return fold.test
    parts = [np.setxor1d(fold.test, again.test)]
    if not purged:
        parts.append(np.setxor1d(fold.train, again.train))
    return np.concatenate(parts)


def _other_returns(labels: LabelTable, rows: Bools, rng: np.random.Generator) -> LabelTable:
    """Answers of these rows in another order, their returns turned round."""
    order = rng.permutation(np.flatnonzero(rows))
    changed: dict[str, Any] = {}
    for name in ("values", "returns"):
        own = getattr(labels, name).copy()
        for column in own.T:
            there = np.flatnonzero(rows & np.isfinite(column))
            given = column[order[np.isin(order, there)]]
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
