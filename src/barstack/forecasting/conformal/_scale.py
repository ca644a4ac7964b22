"""How large errors are expected to be, from the newest ones: quick to rise, slow to fall."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError

FEWEST = 5
_FASTER = 4.0


@dataclass
class NewestScale:
    """Root of the weighted mean square of values so far, the larger of a slow and a fast one.

    The fast one halves its weights in a quarter of the time. Volatility jumps up and dies away, and
    an interval that is too narrow after a jump costs more than one that is a little too wide.

    Parameters
    ----------
    halflife
        Values after which one counts half, of the slow mean.

    >>> scale = NewestScale(20.0)
    >>> for value in (1.0, -1.0, 1.0, -1.0, 1.0):
    ...     scale.add(value)
    >>> scale.now
    1.0
    """

    halflife: float
    _slow: float = field(default=0.0, repr=False)
    _fast: float = field(default=0.0, repr=False)
    _count: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        if not self.halflife > 0.0:
            raise ConfigError(f"halflife is {self.halflife:g}; give a number above 0.")

    def add(self, value: float) -> None:
        """Take in one value."""
        slow, fast = self._kept()
        self._slow = slow * self._slow + (1.0 - slow) * value**2
        self._fast = fast * self._fast + (1.0 - fast) * value**2
        self._count += 1

    @property
    def now(self) -> float | None:
        """The scale; None before five values, or where all were 0."""
        if self._count < FEWEST or self._slow == 0.0:
            return None
        slow, fast = self._kept()
        return math.sqrt(
            max(
                self._slow / (1.0 - slow**self._count),
                self._fast / (1.0 - fast**self._count),
            )
        )

    @property
    def state(self) -> tuple[float, float, int]:
        """What `restored` goes on from."""
        return self._slow, self._fast, self._count

    @classmethod
    def restored(cls, halflife: float, slow: float, fast: float, count: int) -> NewestScale:
        """The scale of this state."""
        return cls(halflife, float(slow), float(fast), int(count))

    def _kept(self) -> tuple[float, float]:
        return 0.5 ** (1.0 / self.halflife), 0.5 ** (_FASTER / self.halflife)


def scales_of(values: Floats, halflife: float = 8.0) -> Floats:
    """(n,) the scale after each value, as `NewestScale` has it; NaN where there is none yet.

    Of bars' returns it is their volatility, known at each close: for outcomes over h bars take it
    times the root of h, rather than wait for outcomes that become known h bars late.

    Parameters
    ----------
    values
        (n,) in time order, such as returns of bars.

    >>> scales_of(np.array([0.01, -0.01, 0.01, -0.01, 0.01, -0.04])).round(3)
    array([  nan,   nan,   nan,   nan, 0.01 , 0.025])
    """
    scale, found = NewestScale(halflife), np.full(len(values), np.nan)
    for place, value in enumerate(values):
        scale.add(float(value))
        now = scale.now
        found[place] = math.nan if now is None else now
    return found
