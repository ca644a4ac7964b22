"""Moments of many folds of one dataset, each a sum over blocks of rows that folds share.

A scaler that takes away a centre and divides is an affine map of the moments, whatever its
numbers. Rows that it clips in any fold are no part of a block: each fold adds them by themselves,
clipped as it does. So nothing is ever subtracted, and no digit is lost to cancellation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Bools, Floats, Rows
from barstack.datasets import Dataset, FittedScaler, LinearScaler, RobustScaler, StandardScaler

from ._blocks import Blocks
from ._moments import Moments
from ._proportions import Proportions, proportions
from ._spread import Spread

_VALUES_AT_ONCE = 2**22
_FEWEST_A_BLOCK = 8  # rows, on average: with fewer, folds have next to nothing in common


@dataclass(frozen=True, eq=False)
class Sums:
    """Of each block without the rows apart; columns are unscaled features, then labels.

    weight   (n_blocks,)
    mean     (n_blocks, n_columns) by weight
    scatter  (n_blocks, n_columns, n_columns) weighted, about the mean
    apart    (n_apart,) rows that folds add by themselves
    of       (n_apart,) the block of each
    """

    weight: Floats
    mean: Floats
    scatter: Floats
    apart: Rows
    of: Rows

    @classmethod
    def of_blocks(
        cls, dataset: Dataset, blocks: Blocks, weight: Floats, kept: Sequence[Bools]
    ) -> Sums:
        """One pass over the table; `kept` are each block's rows that do not stand apart."""
        values, labels = dataset.features.values, dataset.labels.values
        width = values.shape[1] + labels.shape[1]
        total, mean = np.zeros(len(blocks)), np.zeros((len(blocks), width))
        scatter = np.zeros((len(blocks), width, width))
        parts = blocks.parts()
        for place, (rows, keep) in enumerate(zip(parts, kept, strict=True)):
            own = rows[keep]
            total[place] = weight[own].sum()
            if total[place] == 0.0:
                continue
            both = np.hstack([values[own], labels[own]])
            mean[place] = weight[own] @ both / total[place]
            both -= mean[place]
            both *= np.sqrt(weight[own])[:, None]
            np.matmul(both.T, both, out=scatter[place])
        apart = [rows[~keep] for rows, keep in zip(parts, kept, strict=True)]
        of = np.repeat(np.arange(len(blocks)), [len(rows) for rows in apart])
        return cls(total, mean, scatter, np.concatenate(apart), of)


@dataclass(frozen=True, eq=False)
class FoldMoments:
    """What linear models of all folds have in common.

    folds    rows that each trains on
    scalers  of each fold
    spread   of each fold's features
    """

    dataset: Dataset
    folds: Sequence[Rows]
    blocks: Blocks
    spread: Spread
    scalers: Sequence[FittedScaler]
    weights: Proportions
    sums: Sums

    @classmethod
    def of_folds(cls, dataset: Dataset, folds: Sequence[Rows]) -> FoldMoments | None:
        """None where folds have too little in common, or a scaler that is not affine.

        The former is so where most rows stand apart: those clipped in some fold, those in blocks
        of few rows, and those whose weight is not in proportion to their block's.
        """
        if type(dataset.scaler) not in (StandardScaler, RobustScaler):
            return None
        values, labels = dataset.features.values, dataset.labels.values
        blocks = Blocks.cut(folds, len(values), max(1, _VALUES_AT_ONCE // values.shape[1]))
        if _FEWEST_A_BLOCK * len(blocks) > len(blocks.rows) or np.isnan(labels[blocks.rows]).any():
            return None
        of_blocks = Spread.of_blocks(values, blocks)
        spread = of_blocks.of_folds(blocks)
        if any(count != len(rows) for count, rows in zip(spread.count, folds, strict=True)):
            return None  # a fold holds a row twice
        scalers = [spread.scaler(dataset, fold, rows) for fold, rows in enumerate(folds)]
        weights = proportions(dataset, folds, blocks)
        kept = _kept(dataset, blocks, of_blocks, scalers, weights.alike)
        if 2 * sum(map(np.count_nonzero, kept)) < len(blocks.rows):
            return None
        sums = Sums.of_blocks(dataset, blocks, weights.weight, kept)
        return cls(dataset, folds, blocks, spread, scalers, weights, sums)

    def moments(self, fold: int, y_scale: Floats) -> Moments:
        """Of one fold, its features and labels scaled as in it alone; exact where it is settled."""
        table, labels = self.dataset.features.values, self.dataset.labels.values
        scaler, sums = self.scalers[fold], self.sums
        centre = np.concatenate([scaler.learned["centre"], np.zeros(len(y_scale))])
        scale = np.concatenate([scaler.learned["scale"], y_scale])
        rows = sums.apart[self.blocks.member[fold, sums.of]]
        alone = np.hstack([scaler.apply(table[rows]), labels[rows] / y_scale])
        share = self.weights.share[fold]
        weight = np.concatenate([share * sums.weight, self._weight(fold)[rows]])
        total = weight.sum()
        # A row by itself is a block that does not scatter about its mean.
        means = np.vstack([(sums.mean - centre) / scale, alone])
        mean = weight @ means / total
        means -= mean
        n_features = table.shape[1]
        # What is constant carries rounding alone, which other columns' scales may blow up.
        means[:, :n_features][:, self.spread.constant[fold]] = 0.0
        means *= np.sqrt(weight / total)[:, None]
        scatter = np.tensordot(share / total, sums.scatter, 1)
        scatter /= scale
        scatter /= scale[:, None]
        scatter += means.T @ means
        gram, cross = scatter[:n_features, :n_features], scatter[:n_features, n_features:]
        return Moments(
            np.ascontiguousarray(gram), cross.copy(), mean[:n_features], mean[n_features:]
        )

    def _weight(self, fold: int) -> Floats:
        """(n_all_rows,) what a fold weighs its rows, and 0 for others."""
        found = np.zeros(len(self.dataset.decisions))
        found[self.folds[fold]] = self.dataset.weight(self.folds[fold])
        return found


def _kept(
    dataset: Dataset,
    blocks: Blocks,
    spread: Spread,
    scalers: Sequence[FittedScaler],
    alike: Bools,
) -> list[Bools]:
    """Of each block, the rows that no fold clips and all weigh in proportion, if these are many."""
    assert isinstance(dataset.scaler, LinearScaler)
    centre = np.array([each.learned["centre"] for each in scalers])
    reach = dataset.scaler.clip * np.array([each.learned["scale"] for each in scalers])
    values, found = dataset.features.values, []
    width = values.shape[1] + dataset.labels.values.shape[1]
    for place, rows in enumerate(blocks.parts()):
        own = blocks.member[:, place]
        low, high = (centre - reach)[own].max(axis=0), (centre + reach)[own].min(axis=0)
        keep = alike[rows]
        wild = (spread.low[place] < low) | (spread.high[place] > high)
        if wild.any():
            beyond = values[rows][:, wild]
            keep &= ((beyond >= low[wild]) & (beyond <= high[wild])).all(axis=1)
        if 2 * np.count_nonzero(keep) < width:  # the scatter would take more than its rows do
            keep[:] = False
        found.append(keep)
    return found
