"""The nearest training rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numba import njit
from pydantic import Field

from barstack.core.arrays import Floats, Ints
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from .._arrays import check_width, read_arrays, require, write_arrays
from .._model import EVERY_TASK, Model, register
from .._outputs import weighted_quantiles

# Queried rows times training rows whose distances are computed together.
_AT_ONCE = 2**22


class Neighbours(NamedTuple):
    """X (n_rows, n_features), y (n_rows, n_horizons) and weight (n_rows,) of training rows."""

    X: Floats
    y: Floats
    weight: Floats


@register("knn", family="classical", tasks=EVERY_TASK)
class KNN(Model):
    """The mean label, its quantiles or the shares of classes among the nearest rows by weight.

    Cover, Hart (1967). Distance is Euclidean over scaled features; of rows equally far the earlier
    is the nearer.

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(KNN(neighbours=50), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    concurrent: ClassVar[bool] = True

    neighbours: int = Field(
        100, ge=1, le=10_000_000, description="rows that vote, each by its weight"
    )
    most_rows: int = Field(
        50_000, ge=1, le=100_000_000, description="rows kept, the latest of those trained on"
    )

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Neighbours:
        kept = np.flatnonzero(train.weight > 0.0)[-self.most_rows :]
        return Neighbours(train.last(kept), train.y[kept], train.weight[kept])

    def update(
        self, learned: Neighbours, train: Samples, stop: Samples | None, target: Target, seed: int
    ) -> Neighbours:
        """The same as of all rows together: the latest of them are kept."""
        both = zip(learned, self.fit(train, stop, target, seed), strict=True)
        return Neighbours(*(np.concatenate(pair)[-self.most_rows :] for pair in both))

    def predict(self, learned: Neighbours, inputs: Inputs, target: Target) -> Floats:
        X = inputs.last()
        check_width(learned.X.shape[1], X)
        count = min(self.neighbours, len(learned.X))
        out = np.empty((len(X), learned.y.shape[1], len(target.outputs)))
        lengths = (learned.X**2).sum(axis=1)
        size = max(1, _AT_ONCE // len(learned.X))
        for begin in range(0, len(X), size):
            rows = np.ascontiguousarray(X[begin : begin + size])
            nearest = _nearest(rows, learned.X, lengths, count)
            out[begin : begin + size] = _voted(learned.y[nearest], learned.weight[nearest], target)
        return out

    def save(self, learned: Neighbours, folder: Path) -> None:
        write_arrays(folder / "neighbours.npz", **learned._asdict())

    def load(self, folder: Path, target: Target) -> Neighbours:
        file = folder / "neighbours.npz"
        read = Neighbours(
            **read_arrays(
                file,
                X="float64 rows,features",
                y=f"float64 rows,{len(target.horizons)}",
                weight="float64 rows",
            )
        )
        require(file, len(read.X) > 0, "it has no rows")
        # Not so small that nothing is left of a sum of them.
        require(file, (read.weight > 1e-100).all(), "a row weighs nothing")
        if target.n_classes:
            fine = np.isin(read.y, np.arange(target.n_classes)).all()
            require(file, fine, "a label is no class")
        return read


def _voted(y: Floats, weight: Floats, target: Target) -> Floats:
    """(n_rows, n_horizons, n_outputs) from neighbours: y and weight (n_rows, count, ...)."""
    if target.levels:
        each = np.moveaxis(y, 1, 2)
        return weighted_quantiles(each, np.broadcast_to(weight[:, None], each.shape), target.levels)
    votes = y[..., None]
    if target.task == "three_class":
        votes = (votes == np.arange(3.0)) * 1.0
    share = weight[:, :, None, None]
    return np.asarray((votes * share).sum(axis=1) / share.sum(axis=1))


def _nearest(rows: Floats, X: Floats, lengths: Floats, count: int) -> Ints:
    """(n_rows, count) places of the nearest of X, nearest first.

    Distances by a product of matrices are quick and off by rounding, which depends on how many
    rows are queried. They only select the few rows to measure again one by one.
    """
    own = (rows**2).sum(axis=1)[:, None]
    distances = own + lengths - 2.0 * rows @ X.T
    limit = np.partition(distances, count - 1, axis=1)[:, count - 1]
    limit += 1e-12 * (own[:, 0] + lengths.max() + 1.0)
    found = np.empty((len(rows), count), np.int64)
    _choose(rows, X, distances, limit, found)
    return found


def _choose_nearest(rows: Floats, X: Floats, distances: Floats, limit: Floats, found: Ints) -> None:
    for row in range(len(rows)):
        near = np.flatnonzero(distances[row] <= limit[row])
        exact = np.empty(len(near))
        for place in range(len(near)):
            total = 0.0
            for column in range(rows.shape[1]):
                difference = rows[row, column] - X[near[place], column]
                total += difference * difference
            exact[place] = total
        order = np.argsort(exact, kind="mergesort")
        found[row] = near[order[: found.shape[1]]]


_choose: Any = njit(cache=True)(_choose_nearest)
