"""The price of one symbol in deviations of its own, so that symbols and times can be compared."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from barstack.bars import Bars
from barstack.core.arrays import Floats, Ints
from barstack.core.times import microseconds

_WILDEST = 8.0  # deviations, beyond which a move counts no further


class Path:
    """The price of one symbol in deviations of its own, at the closes of its bars."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.at = microseconds(bars.closed_at)
        close = np.log(np.ascontiguousarray(bars.records["close"]))
        steps = np.diff(close, prepend=close[:1])
        scale = np.sqrt(lfilter([0.02], [1.0, -0.98], steps**2))
        scale = np.concatenate([scale[:1], scale[:-1]])  # as known before the move
        usual = np.median(np.abs(steps[steps != 0.0])) if steps.any() else 1.0
        self.steps = np.clip(steps / np.maximum(scale, usual), -_WILDEST, _WILDEST)
        self.price = np.cumsum(self.steps)
        same = np.append(False, close[1:] == close[:-1])
        self.still = same & (bars.records["high"] == bars.records["low"])

    def asof(self, at: Ints) -> Floats:
        """The price known at some moments; NaN before the first."""
        row = np.searchsorted(self.at, at, side="right") - 1
        return np.where(row >= 0, self.price[np.maximum(row, 0)], np.nan)
