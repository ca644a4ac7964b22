"""All that a linear model with squared loss learns from: second moments of features and labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from barstack.core.arrays import Floats
from barstack.datasets import Samples

# Solutions of two orders of summation differ by rounding times the condition number of what is
# solved: up to this one by at most 1e-10, as measured with a margin of ten.
_MOST_CONDITION = 1e5


class Eigen(NamedTuple):
    """Of a Gram matrix.

    values   (n_features,), rising
    vectors  (n_features, n_features), in columns
    cross    (n_features, n_horizons) moments along each vector
    """

    values: Floats
    vectors: Floats
    cross: Floats


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted means and second moments of scaled features and labels, per unit of weight.

    gram    (n_features, n_features) of features about their means
    cross   (n_features, n_horizons) of features with labels, about their means
    centre  (n_features,) mean of each feature
    mean    (n_horizons,) mean label
    """

    gram: Floats
    cross: Floats
    centre: Floats
    mean: Floats

    @classmethod
    def of(cls, train: Samples) -> Moments:
        """From rows of one training, in stretches that are small beside a large table."""
        counted = train.weight[:, None] / train.weight.sum()
        centre, mean = np.zeros(train.n_features), (counted * train.y).sum(axis=0)
        for part in train.blocks():
            centre += (counted[part] * train.last(part)).sum(axis=0)
        gram = np.zeros((train.n_features, train.n_features))
        cross = np.zeros((train.n_features, train.y.shape[1]))
        for part in train.blocks():
            share = np.sqrt(counted[part])
            X = (train.last(part) - centre) * share
            gram += X.T @ X
            cross += X.T @ ((train.y[part] - mean) * share)
        return cls(gram, cross, centre, mean)

    def joined(self, other: Moments, share: float) -> Moments:
        """Of both sets of rows, where `share` of all weight is the other's. Chan et al. (1983)."""
        step, rise = other.centre - self.centre, other.mean - self.mean
        between = share * (1.0 - share)
        return Moments(
            (1.0 - share) * self.gram + share * other.gram + between * np.outer(step, step),
            (1.0 - share) * self.cross + share * other.cross + between * np.outer(step, rise),
            self.centre + share * step,
            self.mean + share * rise,
        )

    @cached_property
    def eigen(self) -> Eigen:
        """One decomposition, which solves for every penalty."""
        values, vectors = np.linalg.eigh(self.gram)
        return Eigen(values, vectors, vectors.T @ self.cross)

    def settles(self, l2: float) -> bool:
        """Whether rounding leaves a solution with this L2 penalty the same to 1e-10."""
        if np.trace(self.gram) + l2 <= _MOST_CONDITION * l2:  # no eigenvalue exceeds their sum
            return True
        least, most = self.eigen.values[0], self.eigen.values[-1]
        return bool(most + l2 <= _MOST_CONDITION * (least + l2))


class SeenMoments(NamedTuple):
    """All that was learned from, so that later rows can be added to it; `weight` of all rows."""

    moments: Moments
    weight: float
