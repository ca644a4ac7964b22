"""A figure with its standard error and its 95 % interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Bools, Floats

from .._standard_errors import TimeBlocks, jackknife_se, jackknife_se_by_rows, reach


@dataclass(frozen=True)
class Measure:
    """A figure and how far it may be from the truth.

    Attributes
    ----------
    value
        None where it has no meaning.
    se
        Standard error; None with fewer than five blocks of time.
    low, high
        Ends of the 95 % interval, None without an error.
    """

    value: float | None
    se: float | None
    low: float | None
    high: float | None


def measured(value: float, se: float | None, n_blocks: int) -> Measure:
    """With the interval of Student's t for so many blocks."""
    if not np.isfinite(value):
        return Measure(None, None, None, None)
    value = float(value)
    if se is None:
        return Measure(value, None, None, None)
    far = reach(n_blocks) * se
    return Measure(value, float(se), value - far, value + far)


def of_sums(
    statistic: Callable[[Floats], Floats], terms: Floats, blocks: TimeBlocks, factor: float = 1.0
) -> Measure:
    """A statistic of the sums of `terms`, times a factor. See `jackknife_se`."""
    value = float(statistic(terms.sum(axis=0)[None])[0])
    se = jackknife_se(statistic, terms, blocks) if np.isfinite(value) else None
    return measured(factor * value, None if se is None else factor * se, present(blocks))


def of_rows(statistic: Callable[[Bools], float], blocks: TimeBlocks) -> Measure:
    """A statistic of the rows that a mask keeps. See `jackknife_se_by_rows`."""
    value = statistic(np.ones(len(blocks.of_row), dtype=np.bool_))
    se = jackknife_se_by_rows(statistic, blocks) if np.isfinite(value) else None
    return measured(value, se, present(blocks))


def present(blocks: TimeBlocks) -> int:
    """Blocks that have rows."""
    return len(np.unique(blocks.of_row))
