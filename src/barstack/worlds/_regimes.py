"""The truth about regimes: the state of each bar, and what the bars so far say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numba import njit

from barstack.bars import Bars
from barstack.core.arrays import Array, Bools, Floats, Ints

from ._candles import DRIFT_SHARE, Components
from ._noise import Noise

_LEAST = 1e-300
_MEETS = 1e-12  # beneath which a range does not exceed its body but by rounding


@dataclass(frozen=True, eq=False)
class RegimeTruth:
    """Regimes of one symbol, calm and turbulent.

    Attributes
    ----------
    state : (n_bars,)
        0 in calm, 1 in turbulent bars.
    filtered : (n_bars, 2)
        Probability of each state, given all bars up to this one and no later ones: the forward
        filter that knows the world, which no detector can beat but by luck.
    """

    state: Ints
    filtered: Floats

    def balanced_accuracy(self, chance: Floats, rows: Array | slice = slice(None)) -> float:
        """Mean over both states of the share of their bars in which it is held the likelier.

        chance  (len(rows), 2) probability of each state, as of `filtered`

        >>> truth = RegimeTruth(np.array([0, 0, 0, 1]), np.eye(2)[[0, 0, 1, 1]])
        >>> round(truth.balanced_accuracy(truth.filtered), 3)
        0.833
        """
        state, held = self.state[rows], chance[:, 1] > chance[:, 0]
        return float(np.mean([(held[state == each] == each).mean() for each in np.unique(state)]))


def regime_truth(
    noise: Noise,
    own: Components,
    bars: Bars,
    expected: Floats,
    first: Bools,
    night: Floats,
    *,
    price: float,
    shown: bool,
) -> RegimeTruth:
    """State and filter of each bar of a symbol whose returns scatter as `noise` says.

    expected, first, night  (n_bars,) expected return; whether a bar opens its session; the share
                            of its variance that then lies before the open
    price                   before the first bar
    shown                   whether volume shows the state, which is then certain
    """
    state = (own.regime[: len(bars)] > 0).astype(np.int64)
    if shown:
        return RegimeTruth(state, np.eye(2)[state])
    scale = own.scale[: len(bars)]
    share = np.where(first, night, DRIFT_SHARE)
    density = np.column_stack(
        [
            log_density(bars, expected, scale * np.sqrt(level), share, price)
            for level in noise.regime_levels
        ]
    )
    filtered = np.empty_like(density)
    _filter(np.exp(density - density.max(axis=1, keepdims=True)), 1.0 / noise.regime_bars, filtered)
    return RegimeTruth(state, filtered)


def log_density(
    bars: Bars, expected: Floats, deviation: Floats, share: Floats, price: float
) -> Floats:
    """(n_bars,) ln of the density of each bar's prices given the close before, as `candles` draws.

    expected, deviation  (n_bars,) of each bar's return
    share                (n_bars,) of its variance before the open

    The return is Gaussian, and so is the open given the return. High and low: the range is half
    the sum of u1 and u2, with u^2 = d^2 + s E, E exponential, d the body and s = 2 (1 - share)
    times the variance of the bar, so that each has the density (2 u / s) exp(-(u^2 - d^2) / s)
    beyond d. Of the sum that is an integral over w = u1 - range, from minus the wicks to them, of
    (4 / s^2) (range^2 - w^2) exp(-2 (range^2 + w^2 - d^2) / s). How wicks lie around the body is
    as likely in any state.
    """
    opened, high, low, close = (bars.records[name] for name in ("open", "high", "low", "close"))
    before = np.concatenate([[price], close[:-1]])
    moved = close / before - 1.0 - expected
    whole = _log_normal(moved, deviation)
    # Where nothing moves before the open there is no gap, whatever the state.
    spread = np.sqrt(share * (1.0 - share)) * deviation
    gap = _log_normal(opened / before - 1.0 - share * moved, np.where(spread > 0.0, spread, 1.0))
    reach, body = (high - low) / before, np.abs(close - opened) / before
    wicks = np.maximum(reach - body, _MEETS)
    s = 2.0 * (1.0 - share) * deviation**2
    flat = np.sqrt(np.pi * s / 2.0) * scipy.special.erf(wicks * np.sqrt(2.0 / s))
    curved = 0.25 * s * (flat - 2.0 * wicks * np.exp(-2.0 * wicks**2 / s))
    area = np.maximum(reach**2 * flat - curved, _LEAST)
    ranged = np.log(4.0) - 2.0 * np.log(s) - 2.0 * (reach**2 - body**2) / s + np.log(area)
    return np.asarray(whole + gap + ranged)


def _log_normal(value: Floats, deviation: Floats) -> Floats:
    return np.asarray(-0.5 * (value / deviation) ** 2 - np.log(deviation))


@njit(cache=True)
def _filter(likelihood: Any, switch: float, filtered: Any) -> None:
    """Forward filter of a symmetric chain of two states, from one half each."""
    calm = 0.5
    for t in range(len(likelihood)):
        if t:
            calm = calm * (1.0 - switch) + (1.0 - calm) * switch
        one, two = calm * likelihood[t, 0], (1.0 - calm) * likelihood[t, 1]
        calm = one / (one + two)
        filtered[t, 0], filtered[t, 1] = calm, two / (one + two)
