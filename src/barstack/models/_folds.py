"""Training models on many folds of one dataset, which share what work they can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from barstack.core.arrays import Rows
from barstack.datasets import Dataset, FittedScaler

from ._model import Model
from ._rows import label_scale, rows_with_enough
from ._trainer import FittedModel, check_task, train
from .classical._fold_moments import FoldMoments
from .classical._linear import MomentModel, Seen
from .classical._moments import Moments

Seed = int | Callable[[Model, int], int]


def train_folds(
    models: Sequence[Model],
    dataset: Dataset,
    folds: Sequence[Rows],
    seed: Seed,
    apart_from: Sequence[Rows] | None = None,
) -> Iterator[list[FittedModel]]:
    """For each fold every model, as `train` fits it on the fold's rows; folds share what they can.

    folds       training rows of each, in time order, labels known
    seed        one for all, or what gives it of a model and the number of a fold
    apart_from  for each fold rows that no window may reach into: its test, where it trains on both
                sides of that

    >>> from barstack.models import MODELS
    >>> from barstack.splits import SPLITTERS
    >>> from barstack.testing import small_dataset
    >>> dataset = small_dataset("return")
    >>> splitter = SPLITTERS.parse({"split": "combinatorial_purged", "embargo": 12})
    >>> known_at = dataset.labels.all_known_at
    >>> folds = [fold.train for fold in splitter.split(dataset.decisions, known_at, dataset.usable)]
    >>> models = [MODELS.parse({"model": "ridge", "penalty": each}) for each in (0.1, 1.0, 10.0)]
    >>> fitted = list(train_folds(models, dataset, folds, seed=0))
    >>> len(fitted), len(fitted[0])
    (15, 3)
    """
    trainer = FoldTrainer(dataset, folds, apart_from)
    for fold in range(len(folds)):
        yield [
            trainer.train(model, fold, seed(model, fold) if callable(seed) else seed)
            for model in models
        ]


class FoldTrainer:
    """Trains models on the folds of one dataset, one after the other; see `train_folds`.

    Linear models with squared loss learn from second moments alone. Those of all folds are sums
    over blocks of rows that the same folds train on; each block is summed once, when the first
    such model is trained. Of what is learned nothing differs from `train` by more than rounding:
    where rounding could tell, the fold's own rows are summed as `train` does. All other models are
    trained fold by fold.
    """

    def __init__(
        self,
        dataset: Dataset,
        folds: Sequence[Rows],
        apart_from: Sequence[Rows] | None = None,
    ) -> None:
        self.dataset, self.folds = dataset, folds
        self.apart_from = [None] * len(folds) if apart_from is None else apart_from
        self._newest: _Fold | None = None

    def train(self, model: Model, fold: int, seed: int, **options: Any) -> FittedModel:
        """Fit `model` on the rows of one fold; options are handed on as by `train`."""
        # One that fits in a way of its own learns something else from the same moments.
        if not isinstance(model, MomentModel) or type(model).fit is not MomentModel.fit:
            rows, apart = self.folds[fold], self.apart_from[fold]
            return train(model, self.dataset, rows, seed, apart, **options)
        check_task(model, self.dataset)
        if self._newest is None or self._newest.number != fold:
            self._newest = _Fold(self, fold, self._rows[fold])
        return self._newest.fitted(model)

    @cached_property
    def _rows(self) -> list[Rows]:
        """Of each fold, those that a model of the newest bar is fitted on."""
        pairs = zip(self.folds, self.apart_from, strict=True)
        return [rows_with_enough(self.dataset, rows, 1, apart) for rows, apart in pairs]

    @cached_property
    def moments(self) -> FoldMoments | None:
        """What folds share, if they have much in common."""
        return FoldMoments.of_folds(self.dataset, self._rows) if len(self.folds) > 1 else None


class _Fold:
    """One fold's moments, from which models of any penalty are solved."""

    def __init__(self, trainer: FoldTrainer, number: int, rows: Rows) -> None:
        self.trainer, self.number, self.rows = trainer, number, rows
        self.y_scale = label_scale(trainer.dataset, rows)
        self.trained_through = trainer.dataset.labels.all_known_at[rows].max()

    def fitted(self, model: MomentModel) -> FittedModel:
        scaler, moments = self._shared or self._alone
        if self._shared is not None and not moments.settles(model.l2):
            scaler, moments = self._alone
        dataset = self.trainer.dataset
        return FittedModel(
            model,
            model.solve_and_keep(Seen(moments, float(len(self.rows)))),
            dataset.target,
            dataset.features.columns,
            scaler,
            self.y_scale,
            self.trained_through,
            dataset.max_gap,
            self.rows,
            self.rows[:0],
        )

    @cached_property
    def _shared(self) -> tuple[FittedScaler, Moments] | None:
        shared = self.trainer.moments
        if shared is None or not shared.spread.settled[self.number]:
            return None
        return shared.scalers[self.number], shared.moments(self.number, self.y_scale)

    @cached_property
    def _alone(self) -> tuple[FittedScaler, Moments]:
        dataset = self.trainer.dataset
        scaler = dataset.fit_scaler(self.rows)
        samples = dataset.samples(self.rows, scaler, self.y_scale)
        return scaler, Moments.of(samples)
