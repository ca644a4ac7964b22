"""What a feature is compared with: another's function, or its definition written out slowly.

Every module `oracles_*.py` beside this one has a table `ORACLES` from feature to `Oracle`.
`tests/features/test_against_oracles.py` compares, and the docs print the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from barstack.bars import Bars


@dataclass(frozen=True)
class Oracle:
    """An independent way to a feature's values, with its default parameters.

    by          whose it is: "TA-Lib RSI", or "pandas" where the definition is written out
    compute     from the frame of `frame_of` to a value for each bar
    difference  in convention, where there is one, and how `compute` makes up for it
    """

    by: str
    compute: Callable[[Any], Any]
    difference: str = ""


def frame_of(bars: Bars) -> Any:
    """A column for each field of a bar, a row for each bar."""
    return pd.DataFrame({name: bars.records[name] for name in bars.records.dtype.names or ()})


def over_windows(function: Callable[..., Any], window: int, *columns: Any) -> Any:
    """`function` of the last `window` values of each column, one row a window; NaN before.

    Each window is computed afresh, so nothing before it can matter.
    """
    values = [np.asarray(column, float) for column in columns]
    out = np.full(len(values[0]), np.nan)
    if len(out) >= window:
        parts = (np.lib.stride_tricks.sliding_window_view(each, window) for each in values)
        out[window - 1 :] = function(*parts)
    return out
