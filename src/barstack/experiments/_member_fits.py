"""Fits of a study's members, fold by fold and finally; folds with the same labels share work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Rows
from barstack.core.seeds import derive_seed
from barstack.core.times import iso
from barstack.datasets import Dataset
from barstack.features import FeatureTable
from barstack.models import FittedModel, FoldTrainer, Model, train
from barstack.splits import Fold

from ._label_stages import FINAL, FoldLabels, StudyLabels
from ._study import Study


@dataclass(frozen=True, eq=False)
class MemberFits:
    """What all members of a study are fitted on."""

    study: Study
    features: FeatureTable
    labels: StudyLabels
    folds: list[Fold]

    def dataset(self, number: int) -> Dataset:
        """As members of a fold see it; the same for all where labels are not fitted."""
        if number == FINAL or not self._fitted_labels:
            return self._final
        return self.study.dataset(self.features, self.labels.of(number).table)

    def fit(self, model: Model, number: int, dataset: Dataset, folder: Path) -> FittedModel:
        """A model trained for a fold, on its dataset, or on everything for the artifact.

        folder  where a model that can resume keeps its checkpoint
        """
        options = {"folder": folder} if model.resumes else {}
        seed = self.study.seed
        if self._fitted_labels:
            labels, rows = self.labels.of(number), self._rows(number)
            return fit_member(model, dataset, rows, labels, seed, number, **options)
        place = len(self.folds) if number == FINAL else number
        return self._trainer.train(model, place, _seed(seed, model, number), **options)

    @property
    def _fitted_labels(self) -> bool:
        return len(self.labels.fits) > 1

    def _rows(self, number: int) -> Rows:
        if number != FINAL:
            return self.folds[number].train
        everything = np.flatnonzero(self._final.usable)
        in_time = np.argsort(self._final.decisions.decided_at[everything], kind="stable")
        rows: Rows = everything[in_time]
        return rows

    @cached_property
    def _final(self) -> Dataset:
        return self.study.dataset(self.features, self.labels.of(FINAL).table)

    @cached_property
    def _trainer(self) -> FoldTrainer:
        numbers = [*range(len(self.folds)), FINAL]
        return FoldTrainer(self._final, [_known(self._final, self._rows(n)) for n in numbers])


def fit_member(
    model: Model,
    dataset: Dataset,
    rows: Rows,
    labels: FoldLabels,
    seed: int,
    fold: int,
    **options: Any,
) -> FittedModel:
    """Train on those of `rows` whose labels are known; what the label was fitted on counts too."""
    fitted = train(model, dataset, _known(dataset, rows), _seed(seed, model, fold), **options)
    if labels.through is None:
        return fitted
    return replace(fitted, trained_through=max(fitted.trained_through, labels.through))


def fit_facts(fitted: FittedModel, fold: int) -> dict[str, Any]:
    """How a fit went: what it has seen and, of a network, its learning curves."""
    assert fitted.fit_rows is not None  # it was not loaded
    assert fitted.stop_rows is not None
    return {
        "fold": fold,
        "rows": len(fitted.fit_rows),
        "stop_rows": len(fitted.stop_rows),
        "trained_through": iso(fitted.trained_through),
        "curves": fitted.curves(),
    }


def untrained(fitted: FittedModel, dataset: Dataset, rows: Rows) -> dict[str, int]:
    """How many of `rows` wait, by symbol, since the model has yet to be trained on that symbol."""
    known = fitted.model.symbols(fitted.learned)
    if known is None:
        return {}
    symbols, counts = np.unique(dataset.decisions.symbol[rows], return_counts=True)
    pairs = zip(symbols.tolist(), counts.tolist(), strict=True)
    return {symbol: count for symbol, count in pairs if symbol not in known}


def in_words(name: str, fold: int, waiting: Mapping[str, int]) -> str:
    """Which rows wait, as a note."""
    listed = ", ".join(f"{count:,} of {symbol}" for symbol, count in waiting.items())
    return (
        f"member {name}, fold {fold}: {listed} not forecast, as too few training rows with a full "
        "window come before"
    )


def _known(dataset: Dataset, rows: Rows) -> Rows:
    return rows[~np.isnat(dataset.labels.all_known_at[rows])]


def _seed(seed: int, model: Model, fold: int) -> int:
    return derive_seed(seed, model.id, fold)
