"""What a feature sees of a bar: the bar, and how it stands to the one before, worked out once.

Nearly every feature needs a logarithm or the close before. Taking them once a bar instead of
once a feature, and laying them out in columns, is worth a factor of four over a hundred features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from barstack.core.arrays import Floats

from ._market import MARKET
from .pieces.logarithm import ln
from .pieces.rolling import COMPILED

# Whole numbers: microseconds UTC and days since 1970.
WHOLE = (
    "opened_at",
    "closed_at",
    "session",
    "session_open",
    "session_close",
    "new_session",  # 1 in the first bar of a session and in the very first bar, else 0
)
# NaN in the very first bar: what needs the bar before.
REAL_OF_ONE = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "typical",  # (high + low + close) / 3
    "previous_close",
    "true_range",  # high - low, reaching to the close before where that lies outside
    "log_return",  # ln(close / previous close)
    "log_gap",  # ln(open / previous close)
    "log_high",  # ln(high / open)
    "log_low",  # ln(low / open)
    "log_close",  # ln(close / open)
)
# NaN unless several symbols are given.
REAL = (*REAL_OF_ONE, *MARKET)
FIELDS = (*WHOLE, *REAL)
NO_MARKET = np.empty((0, len(MARKET)))


def nothing_seen() -> Floats:
    """The state of `view` before its first bar: the last close and session."""
    return np.array([np.nan, np.nan])


@njit(**COMPILED)  # type: ignore[untyped-decorator]
def view(last: Any, records: Any, market: Any, whole: Any, real: Any) -> None:
    """Write what features see of each record.

    last     (2,) close and session of the bar before; kept up to date between calls
    records  (n,) BAR
    market   (n, 4) as in `MARKET`, or (0, 4) where there is none
    whole    (6, at least n) int64, one row for each of `WHOLE`
    real     (17, at least n) float64, one row for each of `REAL`
    """
    previous, session = last[0], last[1]
    for row in range(len(records)):
        bar = records[row]
        whole[0, row] = bar.opened_at
        whole[1, row] = bar.closed_at
        whole[2, row] = bar.session
        whole[3, row] = bar.session_open
        whole[4, row] = bar.session_close
        whole[5, row] = 0 if bar.session == session else 1
        real[0, row] = bar.open
        real[1, row] = bar.high
        real[2, row] = bar.low
        real[3, row] = bar.close
        real[4, row] = bar.volume
        real[5, row] = (bar.high + bar.low + bar.close) / 3.0
        real[6, row] = previous
        # Not max and min: what those make of NaN depends on the order of their arguments.
        top = previous if previous > bar.high else bar.high
        bottom = previous if previous < bar.low else bar.low
        real[7, row] = top - bottom if previous > 0.0 else np.nan
        for column in range(4):
            real[13 + column, row] = market[row, column] if len(market) else np.nan
        previous, session = bar.close, float(bar.session)
    last[0], last[1] = previous, session
    n_bars = len(records)
    _logs(real[3], real[6], real[8], n_bars)
    _logs(real[0], real[6], real[9], n_bars)
    _logs(real[1], real[0], real[10], n_bars)
    _logs(real[2], real[0], real[11], n_bars)
    _logs(real[3], real[0], real[12], n_bars)


@njit(**COMPILED)  # type: ignore[untyped-decorator]
def _logs(above: Any, below: Any, out: Any, n_bars: Any) -> None:
    """ln(above / below), in a loop of its own: four at a time."""
    for row in range(n_bars):
        out[row] = ln(above[row] / below[row])
