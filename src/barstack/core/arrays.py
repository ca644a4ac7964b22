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
