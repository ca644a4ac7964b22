"""Embargo: training rows after a test whose features still tell what happened in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.times import iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._door import read_features
from ._futures import scramble
from ._leak import Leak
from ._pipeline import Data, Pipeline
from ._prefix import place_in, spread

_TOLD = 0.25  # deviations of a column
_FADED = 0.5  # of what is told when the test is over: recursive averages leave a fading trace
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
    there = place_in(again.decisions, whole.decisions)
    after = after[there[after] >= 0]
    after = after[np.argsort(whole.decisions.decided_at[after], kind="stable")]
    ended = np.flatnonzero((whole.decisions.decided_at >= until) & (there >= 0))
    changes = np.zeros_like(whole.values)
    changes[ended] = np.abs(np.nan_to_num(whole.values[ended] - again.values[there[ended]]))
    told = np.maximum(_TOLD * spread(whole.values), _FADED * changes.max(axis=0))
    moved = changes[after] > told
    last = [int(np.flatnonzero(column)[-1]) if column.any() else -1 for column in moved.T]
    last = [each if each < _FADES * len(after) else -1 for each in last]
    column = int(np.argmax(last))
    if last[column] < 0:
        return None
    first = int(after[np.argmax(moved[:, column])])
    decisions, name = whole.decisions, whole.columns[column]
    symbol, at = str(decisions.symbols[decisions.symbol_code[first]]), decisions.decided_at[first]
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
