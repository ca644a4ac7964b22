"""Paths through combinatorial purged cross-validation: one backtest becomes a distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.core.errors import DataError


@dataclass(frozen=True, eq=False)
class PathDistribution:
    """Sharpe ratios of all paths.

    sharpe    (n_paths,) of one period
    mean      of the paths
    spread    standard deviation over paths; not a standard error, as paths share their times
    negative  share of paths below zero
    """

    sharpe: Floats
    mean: float
    spread: float
    negative: float


def paths_of(returns: Floats, group: Ints) -> Floats:
    """(n_paths, n_times) returns of complete histories, put together from many splits.

    López de Prado (2018), chapter 12: each of N groups of times is tested in the splits that hold
    it out, k of N at a time, in C(N - 1, k - 1) of them. The first path takes each group from
    the first split that tests it, the second from the second, and so on.

    Parameters
    ----------
    returns
        (n_splits, n_times) of what each split's models earn, NaN where a split does not test.
    group
        (n_times,) group of each time.

    Raises
    ------
    DataError
        Where a split tests a part of a group, or groups are tested by differently many splits.

    >>> nan = np.nan
    >>> returns = np.array([[1.0, 2.0, nan], [3.0, nan, 4.0], [nan, 5.0, 6.0]])
    >>> paths_of(returns, np.array([0, 1, 2]))
    array([[1., 2., 4.],
           [3., 5., 6.]])
    """
    tested = np.isfinite(returns)
    groups = np.unique(group)
    splits_of = {}
    for each in groups:
        inside = tested[:, group == each]
        if (inside.any(axis=1) != inside.all(axis=1)).any():
            raise DataError(
                f"A split tests some times of group {each} and not others; a split tests whole "
                "groups."
            )
        splits_of[each] = np.flatnonzero(inside.all(axis=1))
    counts = {int(each): len(splits) for each, splits in splits_of.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise DataError(
            f"Groups are tested by differently many splits: {counts}. Give all combinations of "
            "the groups."
        )
    n_paths = next(iter(counts.values()))
    found = np.empty((n_paths, returns.shape[1]))
    for each, splits in splits_of.items():
        found[:, group == each] = returns[np.ix_(splits, np.flatnonzero(group == each))]
    return found


def path_distribution(returns: Floats, group: Ints) -> PathDistribution:
    """Distribution of the Sharpe ratio over the paths of `paths_of`; a flat path has 0.

    Models of a path were trained on later times too. So the distribution shows how
    much a result owes to the way the times were split; it proves no edge.

    >>> returns = np.random.default_rng(0).normal(size=(3, 30))
    >>> group = np.arange(30) // 10
    >>> for split in range(3):
    ...     returns[split, group == 2 - split] = np.nan  # each split tests two groups
    >>> path_distribution(returns, group).sharpe.shape
    (2,)
    """
    paths = paths_of(returns, group)
    spread = paths.std(axis=1, ddof=1)
    varies = spread > 1e-12 * np.abs(paths).max(axis=1)
    sharpe = np.where(varies, paths.mean(axis=1) / np.where(varies, spread, 1.0), 0.0)
    over_paths = float(sharpe.std(ddof=1)) if len(sharpe) > 1 else 0.0
    return PathDistribution(sharpe, float(sharpe.mean()), over_paths, float((sharpe < 0.0).mean()))
