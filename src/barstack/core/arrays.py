"""The kinds of arrays that pass between rooms, one name for each.

Shapes stand in the docstring of whatever takes or returns one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = Ints  # row numbers of a table


def ranks_of(values: Floats) -> Floats:
    """(n,) rank of each value from 1 on; equal values share their mean rank.

    >>> ranks_of(np.array([3.0, 1.0, 3.0]))
    array([2.5, 1. , 2.5])
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: Floats = np.cumsum(counts) - (counts - 1) / 2.0
    return shared[place]
