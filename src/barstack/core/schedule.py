"""When decisions fall, relative to the bars that they are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .decisions import Decisions
from .errors import LeakError
from .times import ClosedAt, DecidedAt


class _Closing(Protocol):
    @property
    def closed_at(self) -> ClosedAt: ...


@dataclass(frozen=True)
class Schedule:
    """A decision after every bar.

    Attributes
    ----------
    latency_us
        Microseconds from a bar's close to its decision, 0 or more: a negative latency, which would
        decide before the bar is known, raises `LeakError`.
    """

    latency_us: int = 0

    def __post_init__(self) -> None:
        if self.latency_us < 0:
            raise LeakError(
                f"A latency of {self.latency_us} microseconds decides before the bar has closed. "
                "Give 0 or more."
            )

    def decided_at(self, closed_at: ClosedAt) -> DecidedAt:
        """(n_bars,) when the decision on each bar falls."""
        if self.latency_us == 0:
            return DecidedAt(closed_at)
        return DecidedAt(closed_at + np.timedelta64(self.latency_us, "us"))

    def decisions(self, panel: Mapping[str, _Closing]) -> Decisions:
        """The decisions on all bars of every symbol, symbols in the order of their names."""
        return Decisions.concatenate(
            {symbol: self.decided_at(bars.closed_at) for symbol, bars in panel.items()}
        )


AT_EACH_CLOSE = Schedule()
