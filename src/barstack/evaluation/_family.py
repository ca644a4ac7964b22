"""How many independent trials the trials of one study count as, which are alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from barstack.core.arrays import Floats
from barstack.core.times import Times

from ._findings import Family

_DRAWS = 20_000
_FEWEST = 100  # draws beyond a threshold, below which a share of them says little
_LEAST_BLOCKS = 20  # of time, for correlations to be estimated
_P = 10.0 ** -np.arange(0.3, 6.01, 0.1)  # single p-values at which trials are counted


def family_of(times: Sequence[Times], timings: Sequence[Floats]) -> Family:
    """The joint distribution of all trials of a study where none has an edge, as a count of trials.

    Where none has, a trial's statistic is about normal, and trials' correlate as their profits
    do. The chance that the largest of all goes beyond the level of one p-value is found by
    drawing from that distribution: the first step of Romano and Wolf (2005), by a multiplier
    bootstrap (Chernozhukov, Chetverikov, Kato 2013) of sums over blocks of time. It is told as the
    number of independent trials that would go as far as often, between 1 and the number of trials;
    a single trial's level, which blocks of time set, stays as it is. Correlations are taken one
    standard error lower than they are estimated, so that noise does not make trials alike
    (Slepian 1962); with fewer than 20 blocks each trial counts whole.

    Parameters
    ----------
    times
        Of each trial, (n_bars,) closes of its bars.
    timings
        Of each trial, (n_bars,) timing profits as `timing_of` has them.

    >>> rng = np.random.default_rng(0)
    >>> time = np.datetime64("2026-01-05", "us") + np.arange(2000) * np.timedelta64(1, "h")
    >>> one = rng.normal(size=2000)
    >>> alike = family_of([time] * 5, [one + 0.1 * rng.normal(size=2000) for _ in range(5)])
    >>> apart = family_of([time] * 5, [rng.normal(size=2000) for _ in range(5)])
    >>> alike.count_at(0.01) < 2.0 < 4.5 < apart.count_at(0.01) <= 5.0
    True
    """
    size = len(timings)
    whole = Family(size, [], [])
    sums = _block_sums(times, timings)
    if size < 2 or sums is None:
        return whole
    steady = (sums**2).sum(axis=0) <= 0.0
    sums = sums[:, ~steady]
    if sums.shape[1] < 2:
        return whole
    root = _root(_correlations(sums))
    rng = np.random.default_rng(0)
    largest = np.concatenate(
        [(rng.standard_normal((_DRAWS // 20, len(root))) @ root.T).max(axis=1) for _ in range(20)]
    )
    largest.sort()
    levels, counts = [], []
    for p in _P:
        beyond = _DRAWS - np.searchsorted(largest, -scipy.special.ndtri(p))
        if beyond < _FEWEST:
            break
        share = min(beyond / _DRAWS, 1.0 - 1.0 / _DRAWS)
        count = math.log1p(-share) / math.log1p(-p) + steady.sum()
        levels.append(float(p))
        counts.append(float(min(max(count, 1.0), size)))
    return Family(size, levels, counts)


def _block_sums(times: Sequence[Times], timings: Sequence[Floats]) -> Floats | None:
    """(n_blocks, n_trials) sums over common stretches of time, each trial's mean taken off."""
    every = np.unique(np.concatenate(list(times))) if times else np.zeros(0)
    count = len(every) // math.ceil(len(every) ** (1 / 3)) if len(every) else 0
    if count < _LEAST_BLOCKS:
        return None
    sums = np.empty((count, len(timings)))
    for trial, (time, timing) in enumerate(zip(times, timings, strict=True)):
        block = np.searchsorted(every, time) * count // len(every)
        sums[:, trial] = np.bincount(block, timing - timing.mean(), count)
    return sums


def _correlations(sums: Floats) -> Floats:
    """Of block sums, each one standard error lower than it is found."""
    scaled = sums / np.sqrt((sums**2).sum(axis=0))
    found = np.clip(scaled.T @ scaled, -0.99999, 0.99999)
    lower = np.tanh(np.arctanh(found) - 1.0 / math.sqrt(len(sums) - 3))
    np.fill_diagonal(lower, 1.0)
    return np.asarray(lower)


def _root(correlations: Floats) -> Floats:
    """A matrix whose product with its transpose is the nearest such matrix with ones along it."""
    values, vectors = np.linalg.eigh(correlations)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(root / np.sqrt((root**2).sum(axis=1))[:, None])
