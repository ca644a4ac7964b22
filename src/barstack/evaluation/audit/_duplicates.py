"""The same rows in training and in the test, such as bars that a file holds twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from barstack.core.arrays import Ints
from barstack.core.times import iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._leak import Leak

# Prices move in ticks, so that single rows repeat by chance; so many on end, all different, do not.
_RUN = 8
_DISTINCT = 0.5  # share of rows that are unlike all others, without which repeats say nothing


def hunt_duplicates(
    features: FeatureTable, labels: LabelTable, folds: Sequence[Fold]
) -> Iterator[Leak]:
    """The first fold in whose test a stretch of rows repeats one of its training, bit by bit."""
    kind, place = _kinds(features, labels)
    if kind.max(initial=-1) + 1 < _DISTINCT * (kind >= 0).sum():
        return
    code = features.decisions.symbol_code
    for number, fold in enumerate(folds):
        first = _repeated(kind, place, code, fold)
        if first is None:
            continue
        test, train, length = first
        decisions = features.decisions
        at, before = decisions.decided_at[test], decisions.decided_at[train]
        symbol, other = (str(decisions.symbols[code[row]]) for row in (test, train))
        yield Leak(
            "folds",
            "duplicated rows",
            symbol,
            at,
            f"Fold {number} tests {length:,} rows that it also trains on, to the last bit of "
            f"features and labels: {symbol} from {iso(at)} on repeats {other} from "
            f"{iso(before)} on.",
            "Remove the repeated bars at the source; `barstack data check` lists them.",
        )
        return


def _kinds(features: FeatureTable, labels: LabelTable) -> tuple[Ints, Ints]:
    """(n_rows,) equal for equal rows, -1 for incomplete ones; (n_rows,) place in its symbol."""
    hashed = np.zeros(len(features.decisions), np.uint64)
    complete = np.ones(len(hashed), bool)
    number = 0
    for values in (features.values, labels.values, labels.returns):
        for column in values.T:
            complete &= np.isfinite(column)
            hashed += _mixed((column + 0.0).view(np.uint64), number)  # + 0.0: no negative zeros
            number += 1
    kind = np.full(len(hashed), -1, np.int64)
    kind[complete] = np.unique(hashed[complete], return_inverse=True)[1]
    return kind, np.arange(len(kind)) - features.decisions.first_row


def _mixed(bits: npt.NDArray[np.uint64], number: int) -> npt.NDArray[np.uint64]:
    """splitmix64 of each value, other for each column, so that their sum stands for the row."""
    mixed = bits + np.uint64((number + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _repeated(
    kind: Ints,
    place: Ints,
    code: npt.NDArray[np.int32],
    fold: Fold,
) -> tuple[int, int, int] | None:
    """First row of the first long repeat in the test, where it is trained on, and its length."""
    train = fold.train[kind[fold.train] >= 0]
    order = train[np.argsort(kind[train], kind="stable")]
    test = np.sort(fold.test[kind[fold.test] >= 0])
    at = np.searchsorted(kind[order], kind[test])
    found = at < len(order)
    found[found] = kind[order[at[found]]] == kind[test[found]]
    rows, twins = test[found], order[at[found]]
    if len(rows) < _RUN:
        return None
    # A run goes on from row to row of one symbol, here and there alike, and never stands still.
    goes_on = (np.diff(rows) == 1) & (np.diff(twins) == 1)
    goes_on &= (np.diff(code[rows]) == 0) & (np.diff(kind[rows]) != 0)
    breaks = np.flatnonzero(np.concatenate([[True], ~goes_on, [True]]))
    lengths = np.diff(breaks)
    for start, length in zip(breaks[:-1], lengths, strict=True):
        stretch = rows[start : start + length]
        if length >= _RUN and len(np.unique(kind[stretch])) >= _RUN:
            return int(rows[start]), int(twins[start]), int(length)
    return None
