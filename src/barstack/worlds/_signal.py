"""The signal: a driver of expected returns that is known at each close, and its decay."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Signal:
    """Bar t + 1 is expected to return `coefficient * fade**t * driver[t]`.

    memory    E[driver[t + k] | all bars to t] = memory**k * driver[t], exactly
    fade      factor by which the coefficient shrinks each bar; 1 for never
    variance  (n_bars,) of the driver at each bar; 1 throughout where it has a memory
    law       of the driver: "gaussian" (jointly, at all bars), "gaussian now" (of each bar by
              itself), "product" (of two independent Gaussians), or "noise" (the leader's move)

    The expected return of a holding from t over n bars is the sum of n such terms, of which only
    driver[t] is known: E[sum] = coefficient * fade**t * driver[t] * reach[n] with
    reach[n] = sum of (memory * fade)**k for k < n. Returns compound, which adds products of
    expected returns: the forecast includes their mean but not their variation, at a daily
    volatility of 1 % and r2 0.01 less than a thousandth of the forecast for a day.
    """

    coefficient: float
    memory: float
    variance: Floats
    fade: float = 1.0
    law: str = "gaussian"

    def expected(self, driver: Floats) -> Floats:
        """(n_bars,) the part of each bar's return that was known at the close before."""
        terms = self._sizes(len(driver)) * driver
        return np.concatenate([[0.0], terms[:-1]])

    def forecast(self, driver: Floats, exits: list[Rows]) -> Floats:
        """(n_rows, n_horizons) expected return from each row's close to that of its exit."""
        rows = np.arange(len(driver))
        sizes = self._sizes(len(driver))
        columns = [
            sizes * driver * self._reach[leave - rows] + sizes**2 * self._products[leave - rows]
            for leave in exits
        ]
        return np.column_stack(columns)

    def forecast_variance(self, leave: Rows) -> Floats:
        """(n_rows,) variance of the forecast at each row."""
        rows = np.arange(len(leave))
        sizes = self._sizes(len(leave))
        variance = sizes**2 * self.variance[: len(leave)] * self._reach[leave - rows] ** 2
        return np.asarray(variance)

    def path_variance(self, leave: Rows) -> Floats:
        """(n_rows,) variance of the sum of expected returns from each row to its exit."""
        rows = np.arange(len(leave))
        if self.memory == 0.0:
            terms = (self._sizes(len(self.variance)) ** 2) * self.variance
            total = np.concatenate([[0.0], np.cumsum(terms)])
            return np.asarray(total[leave] - total[rows])
        return np.asarray(self._sizes(len(leave)) ** 2 * self._spread[leave - rows])

    def _sizes(self, n: int) -> Floats:
        return np.asarray(self.coefficient * self.fade ** np.arange(n))

    @cached_property
    def _sums(self) -> tuple[Floats, Floats, Floats]:
        return weights(len(self.variance), self.memory, self.fade)

    @property
    def _reach(self) -> Floats:
        return self._sums[0]

    @property
    def _spread(self) -> Floats:
        return self._sums[1]

    @property
    def _products(self) -> Floats:
        return self._sums[2]


def weights(longest: int, memory: float, fade: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """(reach, spread, products), each (longest + 1,), of sums of n terms fade**i * driver[i].

    The driver has variance 1 and correlation memory**|i - j|.

    reach     sum over i of (memory * fade)**i
    spread    variance of the sum: over i, j of fade**(i + j) * memory**|i - j|
    products  expected sum of products of two different terms: over i < j of the same

    >>> reach, spread, products = weights(2, 0.5)
    >>> [float(each[2]) for each in (reach, spread, products)]
    [1.5, 3.0, 0.5]
    """
    reach, spread, products = np.zeros((3, longest + 1))
    _add_up(longest, memory, fade, reach, spread, products)
    return reach, spread, products


@njit(cache=True)
def _add_up(
    longest: int, memory: float, fade: float, reach: Any, spread: Any, products: Any
) -> None:
    known, faded, before = 1.0, 1.0, 0.0  # before: sum over i < j of fade**i * memory**(j - i)
    for j in range(longest):
        reach[j + 1] = reach[j] + known
        products[j + 1] = products[j] + faded * before
        spread[j + 1] = spread[j] + faded * (faded + 2.0 * before)
        known *= memory * fade
        before = memory * (before + faded)
        faded *= fade


def coefficient_for(r2: float, at_bars: int, memory: float, usual: float) -> float:
    """The coefficient at which the best forecast `at_bars` ahead has this R².

    usual  root mean square of a bar's noise

    Solves r2 = (c * reach)^2 / (c^2 * spread + at_bars * usual^2). Raises `ConfigError` if no
    signal with this memory is that strong so far ahead.
    """
    reach, spread, _ = weights(at_bars, memory)
    room = reach[-1] ** 2 - r2 * spread[-1]
    if room <= 0.0:
        raise ConfigError(
            f"r2 {r2:g} at {at_bars} bars is out of reach of a signal with memory {memory:g}: even "
            f"without noise it would be {reach[-1] ** 2 / spread[-1]:.3g}. Choose a smaller r2, "
            "fewer bars, or a longer memory."
        )
    return float(np.sqrt(r2 * at_bars / room) * usual)
