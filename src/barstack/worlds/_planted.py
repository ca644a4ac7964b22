"""What all worlds with a planted signal share."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from barstack.core.arrays import Floats

from ._bar_times import BarTimes
from ._noise import NOISES, Noise
from ._signal import Signal, coefficient_for
from ._world import World


class Planted(World):
    """A world with a signal, as strong as asked. Subclass it and say what drives it."""

    noise: Noise = NOISES["garch"]
    r2: float = Field(0.01, gt=0, lt=1)  # of the best forecast, `r2_bars` ahead
    r2_bars: int = Field(1, ge=1, le=10_000)
    memory: float = Field(0.9, ge=0, lt=1)  # correlation of the wicks' balance with the bar before

    law: ClassVar[str] = "gaussian"

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        coefficient_for(self.r2, self.r2_bars, self.driver_memory(), 1.0)
        return self

    def wick_memory(self) -> float:
        return self.memory

    def driver_memory(self) -> float:
        """Correlation of the driver with that of the bar before."""
        return self.memory

    def fade(self) -> float:
        """Factor by which the coefficient shrinks each bar."""
        return 1.0

    def signal(self, times: BarTimes) -> Signal:
        _, _, usual = times.scale(self.noise)
        return Signal(
            coefficient=coefficient_for(self.r2, self.r2_bars, self.driver_memory(), usual),
            memory=self.driver_memory(),
            variance=self.driver_variance(times, usual),
            fade=self.fade(),
            law=self.law,
        )

    def driver_variance(self, times: BarTimes, usual: float) -> Floats:
        """(n_bars,) variance of the driver."""
        return np.ones(len(times.records))
