"""Worlds like given bars: the same times, sizes of moves and volumes, with directions by chance."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError

_CHAINS, _STEPS = 1_000, 200  # of the simulation that finds the strength of a signal
_HALVINGS = 9
_MOST = 0.95  # how far the chance of a rise may be from even, at most


def world_like(bars: Bars, seed: int, *, r2: float = 0.0, horizon_bars: int = 1) -> Bars:
    """Bars with the same times, sizes of moves and volumes, whose directions are drawn by lot.

    Each bar is kept or turned upside down as a whole, so that volatility clusters as it does in the
    bars given, while prices are a martingale: the wild bootstrap (Wu 1986). With `r2` the direction
    of a bar depends on the directions of the last `horizon_bars` bars: what moved up goes on a
    little more often. Features of past returns show this, whatever else they are.

    Parameters
    ----------
    seed
        Of the directions; the same seed gives the same bars.
    r2
        Share of the squared return over the horizon that the best forecast explains; 0 for none.
    horizon_bars
        How far ahead.

    >>> from barstack.testing import walk
    >>> own = walk(400)
    >>> made = world_like(own, seed=1)
    >>> moves = [np.abs(np.diff(np.log(each.close))) for each in (own, made)]
    >>> bool(np.allclose(*moves, rtol=0.05))
    True
    """
    if not 0.0 <= r2 < 1.0 or horizon_bars < 1:
        raise ConfigError(
            f"r2 is {r2:g} and horizon_bars {horizon_bars}; give an r2 from 0 up to 1 and 1 bar or "
            "more."
        )
    records = bars.records.copy()
    n_bars = len(records)
    uniform = np.random.default_rng([seed, n_bars]).random((n_bars, 1))
    strength = _strength(r2, horizon_bars) if r2 else 0.0
    opened, close = np.log(records["open"]), np.log(records["close"])
    before = np.concatenate([opened[:1], close[:-1]])
    gap, body = opened - before, close - opened
    # +1 keeps a bar, -1 turns it upside down, so that it moves in the direction drawn.
    own = np.where(gap + body < 0.0, -1.0, 1.0)
    up = own * _directions(uniform, strength, horizon_bars)[:, 0]
    above, below = np.log(records["high"]) - opened, np.log(records["low"]) - opened
    # Of a move r, up or down at even odds, the price is expected to gain cosh(r) - 1.
    drift = -np.log(np.cosh(gap + body))
    moved = np.cumsum(up * (gap + body) + drift)
    new_close = before[0] + moved
    new_open = np.concatenate([[before[0]], new_close[:-1]]) + up * gap + drift
    new_close_body = new_open + up * body
    high = new_open + np.where(up > 0.0, above, -below)
    low = new_open + np.where(up > 0.0, below, -above)
    records["open"], records["close"] = np.exp(new_open), np.exp(new_close_body)
    records["high"] = np.maximum(np.exp(high), np.maximum(records["open"], records["close"]))
    records["low"] = np.minimum(np.exp(low), np.minimum(records["open"], records["close"]))
    return replace(bars, records=records)


def _directions(uniform: Floats, strength: float, span: int) -> Floats:
    """(n_steps, n_chains) +1 or -1; each depends on the sum of the last `span`."""
    found = np.empty(uniform.shape)
    total = np.zeros(uniform.shape[1])
    for step, drawn in enumerate(uniform):
        lean = np.clip(strength * total / math.sqrt(span), -_MOST, _MOST)
        found[step] = np.where(drawn < 0.5 + 0.5 * lean, 1.0, -1.0)
        total += found[step]
        if step >= span:
            total -= found[step - span]
    return found


@lru_cache(maxsize=64)
def _strength(r2: float, span: int) -> float:
    """The strength at which the last `span` directions explain that share of the next ones' sum."""
    uniform = np.random.default_rng(span).random((_STEPS + 2 * span, _CHAINS))

    def explained(strength: float) -> float:
        sums = np.cumsum(_directions(uniform, strength, span), axis=0)
        start = np.concatenate([np.zeros((1, _CHAINS)), sums])  # the sum before each step
        past = start[span : len(sums) - span + 1] - start[: len(sums) - 2 * span + 1]
        ahead = start[2 * span :] - start[span : len(sums) - span + 1]
        return float(np.corrcoef(past.ravel(), ahead.ravel())[0, 1]) ** 2

    low, high = 0.0, _MOST
    if explained(high) < r2:
        raise ConfigError(
            f"An r2 of {r2:g} over {span} bars is more than a trend in directions can explain. "
            "Give less."
        )
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if explained(middle) < r2 else (low, middle)
    return 0.5 * (low + high)
