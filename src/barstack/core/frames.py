"""Tables of decisions as pandas frames, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .arrays import Array
from .columns import DECIDED_AT, SYMBOL
from .decisions import Decisions

if TYPE_CHECKING:
    import pandas as pd


def frame_of(decisions: Decisions, columns: Mapping[str, Array]) -> pd.DataFrame:
    """`decided_at`, `symbol`, and the columns, each (n_rows,); all times in UTC.

    >>> import numpy as np
    >>> from barstack.core.times import DecidedAt
    >>> closes = DecidedAt(np.array(["2026-01-05T15:00", "2026-01-05T16:00"], "datetime64[us]"))
    >>> frame = frame_of(Decisions.concatenate({"SPY": closes}), {"rsi": np.array([50.0, 60.0])})
    >>> list(frame), str(frame["decided_at"].dt.tz)
    (['decided_at', 'symbol', 'rsi'], 'UTC')
    """
    import pandas as pd  # noqa: PLC0415 (only for the caller's convenience)

    frame = pd.DataFrame(
        {DECIDED_AT: decisions.decided_at, SYMBOL: decisions.symbol, **columns}, copy=True
    )
    for name in frame.columns[[kind.kind == "M" for kind in frame.dtypes]]:
        frame[name] = frame[name].dt.tz_localize("UTC")
    return frame
