"""Bars of a market whose regimes have a drift and a volatility of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Array, Rows
from barstack.testing import walk

_STEPS = 24  # within a bar

# Mean and deviation of a bar's log return.
MARKET = {
    "bull_trend": (0.0012, 0.005),
    "bear_trend": (-0.0012, 0.006),
    "high_volatility": (0.0, 0.016),
}


def market(
    states: dict[str, tuple[float, float]] = MARKET,
    bars: int = 6_000,
    seed: int = 0,
    stay: float = 150.0,
) -> tuple[Bars, Rows]:
    """Bars, and the place of each bar's state among `states`, which last so long on average."""
    rng = np.random.default_rng(seed)
    state = np.empty(bars, np.int64)
    state[0] = rng.integers(len(states))
    for t in range(1, bars):
        jump = rng.random() < 1.0 / stay
        state[t] = (state[t - 1] + jump * rng.integers(1, len(states))) % len(states)
    mean, deviation = np.array(list(states.values()))[state].T
    steps = rng.normal(mean[:, None] / _STEPS, deviation[:, None] / np.sqrt(_STEPS), (bars, _STEPS))
    path = 4.6 + np.cumsum(steps).reshape(bars, _STEPS)
    opening = np.concatenate([[4.6], path[:-1, -1]])
    whole = np.column_stack([opening, path])
    return priced(walk(bars, seed=seed), np.exp(whole)), state


def priced(bars: Bars, path: Array) -> Bars:
    """The same bars with the prices of a path through each, (n_bars, n_steps)."""
    records = bars.records.copy()
    records["open"], records["close"] = path[:, 0], path[:, -1]
    records["high"], records["low"] = path.max(axis=1), path.min(axis=1)
    return replace(bars, records=records)
