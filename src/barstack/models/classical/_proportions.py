"""Weights of many folds as one weight a row, times one number for each fold and block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from barstack.core.arrays import Bools, Floats, Rows
from barstack.datasets import Dataset

from ._blocks import Blocks

# Weights may be quotients and differences of sums over all rows, and so exact to fewer digits.
_ROUNDING = 1e-11


class Proportions(NamedTuple):
    """A fold weighs a row of a block `share[fold, block] * weight[row]`, where that row is alike.

    weight  (n_all_rows,) as in the first fold that trains on a row
    share   (n_folds, n_blocks), 0 where a fold does not train on a block
    alike   (n_all_rows,) whether the row is in proportion to its block in every fold
    """

    weight: Floats
    share: Floats
    alike: Bools


def proportions(dataset: Dataset, folds: Sequence[Rows], blocks: Blocks) -> Proportions:
    """Weights follow from a fold's own rows: near its edges they differ by more than a factor."""
    n_rows, parts = len(dataset.decisions), blocks.parts()
    found = Proportions(np.ones(n_rows), blocks.member.astype(float), np.ones(n_rows, bool))
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
            found.alike[block] &= away <= _ROUNDING * share * before
    return found
