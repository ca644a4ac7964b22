"""Training models on many folds of one dataset, which share what work they can."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from barstack.core.arrays import Rows
from barstack.core.parts import built_in
from barstack.datasets import Dataset

from .._libraries import one_blas_thread
from .._model import FoldFits, Model
from ._fitted import FittedModel
from ._train import Prepared, check_task, fit_prepared, label_scale, prepare, rows_with_enough

Seed = int | Callable[[Model, int], int]

_KEPT = 8  # sets of samples, each of at most so many values
_KEPT_VALUES = 2**21


def train_folds(
    models: Sequence[Model],
    dataset: Dataset,
    folds: Sequence[Rows],
    seed: Seed,
    disjoint_from: Sequence[Rows] | None = None,
) -> Iterator[list[FittedModel]]:
    """For each fold every model, as `train` fits it on the fold's rows, with shared work.

    Parameters
    ----------
    folds : sequence of row numbers
        Training rows of each fold, in time order, labels known.
    seed : int or callable
        One for all fits, or a function of a model and the number of a fold.
    disjoint_from : sequence of row numbers, optional
        For each fold the rows that no window may reach into: its test, where it trains on both
        sides of that.

    >>> from barstack.models import Ridge
    >>> from barstack.splits import SPLITTERS
    >>> from barstack.testing import small_dataset
    >>> dataset = small_dataset("return")
    >>> splitter = SPLITTERS.parse({"split": "combinatorial_purged", "embargo": 12})
    >>> known_at = dataset.labels.all_known_at
    >>> folds = [fold.train for fold in splitter.split(dataset.decisions, known_at, dataset.usable)]
    >>> models = [Ridge(penalty=each) for each in (0.1, 1.0, 10.0)]
    >>> fitted = list(train_folds(models, dataset, folds, seed=0))
    >>> len(fitted), len(fitted[0])
    (15, 3)
    """
    trainer = FoldTrainer(dataset, folds, disjoint_from)
    for fold in range(len(folds)):
        yield [
            trainer.train(model, fold, seed(model, fold) if callable(seed) else seed)
            for model in models
        ]


class FoldTrainer:
    """Trains models on the folds of one dataset, in any order and from several threads.

    A family whose fits can share work between folds says so by `Model.fold_fits`; what it shares
    is made once, when the first such model is trained. All other models are trained fold by fold.
    """

    def __init__(
        self,
        dataset: Dataset,
        folds: Sequence[Rows],
        disjoint_from: Sequence[Rows] | None = None,
    ) -> None:
        self.dataset, self.folds = dataset, folds
        self.disjoint_from = [None] * len(folds) if disjoint_from is None else disjoint_from
        self._shared: dict[type[FoldFits], FoldFits] = {}
        self._newest: dict[tuple[int, int, bool], Prepared] = {}
        self._lock = threading.Lock()

    def train(
        self, model: Model, fold: int, seed: int, *, threads: int | None = None, **options: Any
    ) -> FittedModel:
        """Fit `model` on the rows of one fold; threads and options as for `train`."""
        check_task(model, self.dataset)
        kind = model.fold_fits
        if kind is None:
            prepared = self._prepared(model, fold)
            return fit_prepared(model, self.dataset, prepared, seed, threads, **options)
        with one_blas_thread:
            fits = self.shared(kind)
            learned, scaler = fits.fit(model, fold)
        rows, dataset = fits.rows[fold], self.dataset
        return FittedModel(
            model,
            learned,
            dataset.target,
            dataset.features.columns,
            scaler,
            fits.y_scale[fold],
            dataset.labels.all_known_at[rows].max(),
            dataset.max_gap,
            rows,
            rows[:0],
        )

    def _prepared(self, model: Model, fold: int) -> Prepared:
        """Samples for a fit; the newest small ones are shared by models that are given the same.

        Models of other packages get their own, as they might change them.
        """
        key = (fold, model.lookback_bars, model.stops_early)
        found = self._newest.get(key) if built_in(model) else None
        if found is None:
            rows, disjoint = self.folds[fold], self.disjoint_from[fold]
            found = prepare(model, self.dataset, rows, disjoint)
            if built_in(model) and found.fit.table.size <= _KEPT_VALUES:
                with self._lock:
                    self._newest = dict([*self._newest.items(), (key, found)][-_KEPT:])
        return found

    def shared(self, kind: type[FoldFits]) -> FoldFits:
        """What fits of one kind share, made on first use."""
        with self._lock:
            if kind not in self._shared:
                pairs = zip(self.folds, self.disjoint_from, strict=True)
                rows = [rows_with_enough(self.dataset, *pair) for pair in pairs]
                y_scale = [label_scale(self.dataset, each) for each in rows]
                self._shared[kind] = kind(self.dataset, rows, y_scale)
            return self._shared[kind]
