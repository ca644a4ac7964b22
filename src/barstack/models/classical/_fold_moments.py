"""Moments of many folds of one dataset, each a sum over blocks of rows that folds share.

A scaler that subtracts a centre and divides by a scale is an affine map of the moments, whatever
its numbers. Rows that it clips in any fold are no part of a block: each fold adds them by
themselves, clipped as it does. So nothing is ever subtracted, and no digit is lost to cancellation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from barstack.core.arrays import Bools, Floats, Rows
from barstack.datasets import Dataset, FittedScaler, LinearScaler, RobustScaler, StandardScaler

from .._model import FoldFits
from ._moments import Moments, SeenMoments

_VALUES_AT_ONCE = 2**22
_FEWEST_A_BLOCK = 8  # rows, on average: with fewer, folds have next to nothing in common
# Where a column's mean is so many of its deviations, rounding of the mean tells in what is learned.
_MOST_AWAY = 1e3
# Weights may be quotients and differences of sums over all rows, and so exact to fewer digits.
_PROPORTIONAL = 1e-11


@dataclass(frozen=True, eq=False)
class FoldBlocks:
    """Rows that are trained on by the very same folds, block after block.

    rows    (n,) every row that any fold trains on
    edges   (n_blocks + 1,) places in `rows` at which blocks begin, and the end of the last
    member  (n_folds, n_blocks) whether a fold trains on a block: on all of it, or on none
    """

    rows: Rows
    edges: Rows
    member: Bools

    @classmethod
    def cut(cls, folds: Sequence[Rows], n_rows: int, most: int) -> FoldBlocks:
        """FoldBlocks of at most `most` rows, of folds that hold rows of a table of `n_rows`.

        >>> blocks = FoldBlocks.cut([np.array([0, 1, 2, 3]), np.array([2, 3, 5])], 6, 100)
        >>> sorted(part.tolist() for part in blocks.parts())
        [[0, 1], [2, 3], [5]]
        """
        changes, held = np.zeros(n_rows, bool), np.zeros(n_rows, bool)
        changes[:1] = True
        for rows in folds:
            held[:] = False
            held[rows] = True
            changes[1:] |= held[1:] != held[:-1]
        starts = np.flatnonzero(changes)
        runs = np.empty((len(folds), len(starts)), bool)
        for number, rows in enumerate(folds):
            held[:] = False
            held[rows] = True
            runs[number] = held[starts]
        # Stretches of several symbols, or beside several tests, may have the very same folds.
        packed, block_of = np.unique(np.packbits(runs, axis=0), axis=1, return_inverse=True)
        member: Bools = np.unpackbits(packed, axis=0, count=len(folds)).astype(bool)
        used = np.any(member, axis=0)
        own = np.repeat(block_of.ravel(), np.diff(starts, append=n_rows))
        sizes = np.bincount(own, minlength=member.shape[1])
        sizes[~used] = 0  # rows that no fold trains on
        in_order = np.argsort(own, kind="stable")
        rows = in_order[used[own[in_order]]]
        pieces = [range(0, size, most) for size in sizes]
        begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        edges = [int(b) + step for b, piece in zip(begins, pieces, strict=True) for step in piece]
        of_block = np.repeat(np.arange(len(sizes)), [len(piece) for piece in pieces])
        return cls(rows, np.array([*edges, len(rows)]), member[:, of_block])

    def __len__(self) -> int:
        return len(self.edges) - 1

    def parts(self) -> list[Rows]:
        """The rows of each block, in the table's order."""
        return np.split(self.rows, self.edges[1:-1])


@dataclass(frozen=True, eq=False)
class ColumnStatistics:
    """Of rows without weights: count (n,), all else (n, n_features), n blocks or folds.

    squares  summed, about the mean
    """

    count: Floats
    mean: Floats
    squares: Floats
    low: Floats
    high: Floats

    @classmethod
    def of_blocks(cls, values: Floats, blocks: FoldBlocks) -> ColumnStatistics:
        """One pass over the table, block by block."""
        shape = (len(blocks), values.shape[1])
        mean, squares, low, high = (np.empty(shape) for _ in range(4))
        for place, rows in enumerate(blocks.parts()):
            own = values[rows]
            own.min(axis=0, out=low[place])
            own.max(axis=0, out=high[place])
            own.mean(axis=0, out=mean[place])
            own -= mean[place]
            np.einsum("ij,ij->j", own, own, out=squares[place])
        return cls(np.diff(blocks.edges).astype(float), mean, squares, low, high)

    def of_folds(self, blocks: FoldBlocks) -> ColumnStatistics:
        """Sums of blocks; squares about the fold's own mean, none of them lost to cancellation.

        Chan, Golub, LeVeque (1983).
        """
        shape = (len(blocks.member), self.mean.shape[1])
        mean, squares, low, high = (np.empty(shape) for _ in range(4))
        for fold, own in enumerate(blocks.member):
            count = self.count[own]
            mean[fold] = count @ self.mean[own] / count.sum()
            squares[fold] = self.squares[own].sum(axis=0)
            squares[fold] += count @ (self.mean[own] - mean[fold]) ** 2
            low[fold], high[fold] = self.low[own].min(axis=0), self.high[own].max(axis=0)
        return ColumnStatistics(blocks.member @ self.count, mean, squares, low, high)

    @cached_property
    def constant(self) -> Bools:
        """(n, n_features) whether a feature never differs."""
        return np.equal(self.low, self.high)

    @cached_property
    def settled(self) -> Bools:
        """(n,) whether rounding of no feature's mean tells in what is learned."""
        deviation = np.sqrt(self.squares / self.count[:, None])
        near = np.abs(self.mean) <= _MOST_AWAY * deviation
        settled: Bools = np.all(self.constant | near, axis=1)
        return settled

    def scaler(self, dataset: Dataset, fold: int, rows: Rows) -> FittedScaler:
        """The dataset's scaler as fitted on a fold's rows."""
        if type(dataset.scaler) is not StandardScaler:
            return dataset.fit_scaler(rows)
        largest = np.maximum(np.abs(self.low[fold]), np.abs(self.high[fold]))
        count = int(self.count[fold])
        learned = StandardScaler.learned(count, self.mean[fold], self.squares[fold], largest)
        return FittedScaler(dataset.scaler, learned)


class FoldWeights(NamedTuple):
    """A fold weighs a row of a block `share[fold, block] * weight[row]`, where that row is alike.

    weight  (n_all_rows,) as in the first fold that trains on a row
    share   (n_folds, n_blocks), 0 where a fold does not train on a block
    alike   (n_all_rows,) whether the row is in proportion to its block in every fold
    """

    weight: Floats
    share: Floats
    alike: Bools


def proportions(dataset: Dataset, folds: Sequence[Rows], blocks: FoldBlocks) -> FoldWeights:
    """Weights follow from a fold's own rows: near its edges they differ by more than a factor."""
    n_rows, parts = len(dataset.decisions), blocks.parts()
    found = FoldWeights(np.ones(n_rows), blocks.member.astype(float), np.ones(n_rows, bool))
    first = blocks.member.argmax(axis=0)
    for fold, rows in enumerate(folds):
        given = dataset.weight(rows)
        if (given == 1.0).all() and (found.weight == 1.0).all():
            continue  # with uniform weights, the usual ones, no block need be looked at
        own = np.zeros(n_rows)
        own[rows] = given
        for place in np.flatnonzero(blocks.member[fold]):
            block = parts[place]
            if first[place] == fold:
                found.weight[block] = own[block]
                continue
            before = found.weight[block]
            counts = before > 0.0
            share = np.median(own[block[counts]] / before[counts]) if counts.any() else 0.0
            found.share[fold, place] = share
            away = np.abs(own[block] - share * before)
            found.alike[block] &= away <= _PROPORTIONAL * share * before
    return found


@dataclass(frozen=True, eq=False)
class BlockSums:
    """Of each block without its separate rows; columns are unscaled features, then labels.

    weight   (n_blocks,)
    mean     (n_blocks, n_columns) by weight
    scatter  (n_blocks, n_columns, n_columns) weighted, about the mean
    separate (n_separate,) rows that folds add by themselves
    of       (n_separate,) the block of each
    """

    weight: Floats
    mean: Floats
    scatter: Floats
    separate: Rows
    of: Rows

    @classmethod
    def of_blocks(
        cls, dataset: Dataset, blocks: FoldBlocks, weight: Floats, kept: Sequence[Bools]
    ) -> BlockSums:
        """One pass over the table; `kept` are each block's rows that are not separate."""
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
        separate = [rows[~keep] for rows, keep in zip(parts, kept, strict=True)]
        of = np.repeat(np.arange(len(blocks)), [len(rows) for rows in separate])
        return cls(total, mean, scatter, np.concatenate(separate), of)


@dataclass(frozen=True, eq=False)
class FoldMoments:
    """What linear models of all folds have in common.

    folds    rows that each trains on
    scalers  of each fold
    spread   of each fold's features
    """

    dataset: Dataset
    folds: Sequence[Rows]
    blocks: FoldBlocks
    spread: ColumnStatistics
    scalers: Sequence[FittedScaler]
    weights: FoldWeights
    sums: BlockSums

    @classmethod
    def of_folds(cls, dataset: Dataset, folds: Sequence[Rows]) -> FoldMoments | None:
        """None where folds have too little in common, or a scaler that is not affine.

        The former is so where most rows are separate: those clipped in some fold, those in blocks
        of few rows, and those whose weight is not in proportion to their block's.
        """
        if type(dataset.scaler) not in (StandardScaler, RobustScaler):
            return None
        values, labels = dataset.features.values, dataset.labels.values
        blocks = FoldBlocks.cut(folds, len(values), max(1, _VALUES_AT_ONCE // values.shape[1]))
        if _FEWEST_A_BLOCK * len(blocks) > len(blocks.rows) or np.isnan(labels[blocks.rows]).any():
            return None
        of_blocks = ColumnStatistics.of_blocks(values, blocks)
        spread = of_blocks.of_folds(blocks)
        if any(count != len(rows) for count, rows in zip(spread.count, folds, strict=True)):
            return None  # a fold holds a row twice
        scalers = [spread.scaler(dataset, fold, rows) for fold, rows in enumerate(folds)]
        weights = proportions(dataset, folds, blocks)
        kept = _kept(dataset, blocks, of_blocks, scalers, weights.alike)
        if 2 * sum(map(np.count_nonzero, kept)) < len(blocks.rows):
            return None
        sums = BlockSums.of_blocks(dataset, blocks, weights.weight, kept)
        return cls(dataset, folds, blocks, spread, scalers, weights, sums)

    def moments(self, fold: int, y_scale: Floats) -> Moments:
        """Of one fold, its features and labels scaled as in it alone; exact where it is settled."""
        table, labels = self.dataset.features.values, self.dataset.labels.values
        scaler, sums = self.scalers[fold], self.sums
        centre = np.concatenate([scaler.learned["centre"], np.zeros(len(y_scale))])
        scale = np.concatenate([scaler.learned["scale"], y_scale])
        rows = sums.separate[self.blocks.member[fold, sums.of]]
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
    blocks: FoldBlocks,
    spread: ColumnStatistics,
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


class MomentFits(FoldFits):
    """Linear models with squared loss on many folds: each block of rows is summed once for all.

    Of what is learned nothing differs from a fit on the fold alone by more than rounding; where
    rounding could matter, the fold's own rows are summed as that does.
    """

    def __init__(self, dataset: Dataset, rows: Sequence[Rows], y_scale: Sequence[Floats]) -> None:
        super().__init__(dataset, rows, y_scale)
        self.moments = FoldMoments.of_folds(dataset, rows) if len(rows) > 1 else None
        self._shared: dict[int, tuple[FittedScaler, Moments]] = {}
        self._alone: dict[int, tuple[FittedScaler, Moments]] = {}

    def fit(self, model: Any, fold: int) -> tuple[Any, FittedScaler]:
        scaler, moments = self._of_blocks(fold) or self._of_rows(fold)
        if fold in self._shared and not moments.settles(model.l2):
            scaler, moments = self._of_rows(fold)
        return model.solve_and_keep(SeenMoments(moments, float(len(self.rows[fold])))), scaler

    def _of_blocks(self, fold: int) -> tuple[FittedScaler, Moments] | None:
        if self.moments is None or not self.moments.spread.settled[fold]:
            return None
        if fold not in self._shared:
            moments = self.moments.moments(fold, self.y_scale[fold])
            self._shared[fold] = self.moments.scalers[fold], moments
        return self._shared[fold]

    def _of_rows(self, fold: int) -> tuple[FittedScaler, Moments]:
        if fold not in self._alone:
            scaler = self.dataset.fit_scaler(self.rows[fold])
            samples = self.dataset.samples(self.rows[fold], scaler, self.y_scale[fold])
            self._alone[fold] = scaler, Moments.of(samples)
        return self._alone[fold]
