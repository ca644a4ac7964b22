"""From a path of returns to whole bars: opens, wicks and volume."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit

from barstack.core.arrays import Array, Floats

from ._bar_times import BarTimes
from ._noise import Noise, Streams

WICK_SLOPE = 0.75  # of ln(lower wick / upper wick) on `wick`
VOLUME_SPREAD = 0.4  # of ln(volume) on `volume`
_REGIME_VOLUME = 0.7  # typical distance of ln(volume) from its middle where volume shows regimes
_COLUMNS = ("wick", "volume", "regime", "move", "v", "scale")
DRIFT_SHARE = 0.004  # of a bar's variance, between the previous close and its open


@dataclass(frozen=True, eq=False)
class Components:
    """Components of one symbol's bars. All but `move` and `v` follow from each bar exactly.

    wick     (n_bars,) Gaussian, variance 1: ln(lower wick / upper wick) / WICK_SLOPE
    volume   (n_bars,) Gaussian, variance 1: log deviation of volume from its usual level
    regime   (n_bars,) -1 or +1: below or above usual volume, if the world has regimes
    move     (n_bars,) the unforecastable part of the return
    v        (n_bars,) variance of the move relative to `scale` squared
    scale    (n_bars,) standard deviation of the move by the calendar
    usual    root mean square of `scale` over a usual session
    """

    wick: Floats
    volume: Floats
    regime: Floats
    move: Floats
    v: Floats
    scale: Floats
    usual: float

    def before(self, row: int) -> Components:
        """The components before a row."""
        columns = {name: getattr(self, name)[:row] for name in _COLUMNS}
        return replace(self, **columns)


@njit(cache=True)
def autoregress(shocks: Any, memory: float) -> None:
    """Gaussian shocks into an AR(1) of variance 1, in place."""
    fresh = np.sqrt(1.0 - memory * memory)
    for t in range(1, len(shocks)):
        shocks[t] = memory * shocks[t - 1] + fresh * shocks[t]


def components(
    noise: Noise,
    times: BarTimes,
    streams: Streams,
    wick_memory: float,
    volume_memory: float,
    correlation: float,
    rounds: int = 1,
) -> Components:
    """The components of one symbol at all times, `rounds` times on end."""
    n = rounds * len(times.records)
    wick = streams("wick").standard_normal(n)
    volume = streams("volume").standard_normal(n)
    autoregress(wick, wick_memory)
    autoregress(volume, volume_memory)
    regime = noise.regimes(streams, n)
    scale, _, usual = times.scale(noise)
    scale = np.tile(scale, rounds)
    move, v = noise.moves(streams, scale, regime, correlation)
    return Components(wick, volume, regime, move, v, scale, usual)


def candles(
    made: Components,
    expected: Floats,
    noise: Noise,
    times: BarTimes,
    streams: Streams,
    *,
    price: float,
    shares: float,
    regimes_show: bool,
) -> Array:
    """(bars,) BAR.

    expected  (n_bars,) the part of each return that was known at the previous close
    price     before the first bar
    shares    traded in a typical quiet bar
    """
    n = times.bars
    _, night, _ = times.scale(noise)
    before_open = np.where(times.first, night, DRIFT_SHARE)
    records = times.records[:n].copy()
    _draw(
        records,
        made.move,
        expected,
        made.scale * np.sqrt(made.v),
        before_open,
        made.wick,
        streams("open").standard_normal(n),
        streams("high").standard_exponential(n),
        streams("low").standard_exponential(n),
        price,
    )
    surprise = VOLUME_SPREAD * made.volume[:n]
    if regimes_show:
        # The distance from the middle is never 0, so that the side identifies the regime.
        surprise = made.regime[:n] * _REGIME_VOLUME * np.exp(surprise)
    if noise.volume_link:
        surprise = surprise + 0.5 * noise.volume_link * np.log(made.v[:n])
    length = (records["closed_at"] - records["opened_at"]) / times.length_us
    usual = shares * np.minimum(length, 1.0) * times.volume_shape(noise.seasonality)[:n]
    records["volume"] = usual * np.exp(surprise)
    return records


@njit(cache=True)
def _draw(
    records: Any,
    move: Any,
    expected: Any,
    deviation: Any,
    before_open: Any,
    wick: Any,
    gap: Any,
    high: Any,
    low: Any,
    price: float,
) -> None:
    """Open, high, low and close, bar by bar.

    The move splits into a gap before the open and the rest. High and low lie as far beyond open
    and close as a Brownian bridge between them would reach: half of sqrt(d^2 + 2 s^2 E) - |d|, E
    exponential, d = close - open (Karatzas, Shreve 1991, section 4.3). `wick` divides the sum
    of the two between upper and lower wick.
    """
    last = price
    for t in range(len(records)):
        share = before_open[t]
        opening = share * move[t] + np.sqrt(share * (1.0 - share)) * deviation[t] * gap[t]
        first = last * (1.0 + min(max(opening, -0.5), 0.5))
        close = last * (1.0 + expected[t] + move[t])
        top, bottom = max(first, close), min(first, close)
        body = top - bottom
        spread = 2.0 * (1.0 - share) * (last * deviation[t]) ** 2
        beyond = np.sqrt(body * body + spread * high[t]) + np.sqrt(body * body + spread * low[t])
        wicks = min(0.5 * beyond - body, 0.5 * bottom)
        lower = wicks / (1.0 + np.exp(-WICK_SLOPE * wick[t]))
        row = records[t]
        row.open, row.close = first, close
        row.high, row.low = top + (wicks - lower), bottom - lower
        last = close
