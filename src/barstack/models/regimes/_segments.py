"""Training rows as stretches of neighbouring bars, along which hidden states are followed."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Bools, Floats, Rows
from barstack.datasets import Samples


def stretches(train: Samples, lookback: int) -> tuple[Floats, Rows]:
    """The rows that windows of `train` hold, and where each stretch of them begins.

    Windows reach over no gap and no missing row, so that neighbours belong together where some
    window holds both.

    Returns
    -------
    (n_rows, n_columns), (n_stretches + 1,)
        Features as computed, symbol by symbol in time order; the first row of each stretch, and
        the end of the last.
    """
    n_rows, ends = len(train.table), train.rows
    begins = ends - np.minimum(train.history, lookback) + 1
    kept = np.flatnonzero(_covered(begins, ends, n_rows))
    follows = _covered(begins + 1, ends, n_rows)[kept]
    return train.table[kept], np.append(np.flatnonzero(~follows), len(kept)).astype(np.int64)


def _covered(begins: Rows, ends: Rows, n_rows: int) -> Bools:
    """(n_rows,) whether any of the spans holds each row, both of its ends included."""
    edges = np.bincount(begins, minlength=n_rows + 1) - np.bincount(ends + 1, minlength=n_rows + 1)
    found: Bools = np.cumsum(edges[:n_rows]) > 0
    return found
