"""Out-of-fold forecasts as a dataset that a meta-learner is trained on like any model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import DataError
from barstack.core.forecast import Target
from barstack.core.times import KnownAt
from barstack.datasets import Dataset
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.models import Model
from barstack.splits import early_stop_split

from ._losses import row_weights
from ._stacked import Stacked

_FEWEST = 20  # rows to train on; with fewer any meta-learner is noise


@dataclass(frozen=True)
class GivenWeights:
    """Weights of training rows as they were given to the ensemble.

    values  (n_rows,) of the table's rows
    """

    values: Floats

    def compute(self, labels: LabelTable, rows: Rows) -> Floats:
        """(len(rows),) 1 on average."""
        own = self.values[rows]
        mean = own.mean() if len(own) else 0.0
        return np.asarray(own / mean if mean > 0.0 else np.ones(len(own)))


def meta_dataset(
    columns: Floats, names: tuple[str, ...], stacked: Stacked, h: int
) -> tuple[Dataset, Rows]:
    """A dataset of one horizon, and the place in it of each row of `stacked`, in their order.

    columns  (n_rows, n_columns) what the meta-learner sees of each row, by name
    """
    y, known_at, returns = stacked.y, stacked.known_at, stacked.returns
    assert y is not None  # in fitting
    assert known_at is not None
    own = slice(h, h + 1)
    given, target = stacked.decisions, stacked.target
    order = np.lexsort((given.decided_at, given.symbol_code))  # tables lie symbol by symbol
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    decisions = given.take(order)
    values = y[order, own]
    labels = LabelTable(
        decisions,
        Target(target.task, target.horizons[own], target.levels),
        values,
        KnownAt(known_at[order, own]),
        values if returns is None else returns[order, own],
        np.ones(len(order), bool),
    )
    features = FeatureTable(decisions, names, np.ascontiguousarray(columns[order]))
    weights = GivenWeights(row_weights(stacked)[order])
    return Dataset(features, labels, weights=weights), place


def forward_folds(stacked: Stacked, h: int, folds: int) -> Iterator[tuple[Rows, Rows]]:
    """Rows to train on and rows to judge by, of spans of time of about as many decisions each.

    Trained on is what was known when the span to judge by begins, of the first span on.
    """
    decided_at, known_at = stacked.decisions.decided_at, stacked.known_at
    assert known_at is not None  # in fitting
    times = np.sort(decided_at)
    begins = np.unique(times[np.arange(1, folds + 1) * len(times) // (folds + 1)])
    for begin, end in zip(begins, [*begins[1:], None], strict=True):
        test = decided_at >= begin
        if end is not None:
            test &= decided_at < end
        before = (decided_at < begin) & (known_at[:, h] <= begin)
        yield np.flatnonzero(before), np.flatnonzero(test)


def can_train(model: Model, stacked: Stacked, h: int) -> bool:
    """Whether rows are enough for a meta-learner, beside those that it stops early by."""
    rows = np.arange(len(stacked))
    if model.stops_early and len(rows):
        assert stacked.known_at is not None  # in fitting
        try:
            rows, _ = early_stop_split(stacked.decisions, KnownAt(stacked.known_at[:, h]), rows)
        except DataError:
            return False
    return len(rows) >= _FEWEST
