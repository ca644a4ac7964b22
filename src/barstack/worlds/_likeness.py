"""Stylised facts of bars, in which simulated bars should resemble real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.core.errors import DataError

LAGS = 400
_FEWEST_BARS = 500
_TAIL_SHARE = 0.01
_PARTS_OF_DAY = 48


@dataclass(frozen=True, eq=False)
class Likeness:
    """Stylised facts of one symbol's returns from close to close (Cont 2001).

    symbol              name
    n_bars              bars behind the figures
    volatility          standard deviation of a bar's return
    acf_size            (LAGS,) autocorrelation of |return| at lags 1, 2, ...: volatility clusters
    acf_return          (LAGS,) autocorrelation of the return
    tail_index          of |return| after Hill (1975), of the largest one per cent; lower is fatter
    excess_kurtosis     of returns
    tail                (m, 2) size in standard deviations, share of bars that move further
    hour                (k,) midpoint of each part of the day, hours UTC or of the session
    size_by_hour        (k,) mean |return| over its mean
    volume_by_hour      (k,) mean volume over its mean; empty without volume
    range_over_move     mean of ln(high / low) / mean of |ln(close / open)|; 2 for Brownian motion
    volume_with_size    correlation of ln(volume) with |return|
    """

    symbol: str
    n_bars: int
    volatility: float
    acf_size: Floats
    acf_return: Floats
    tail_index: float
    excess_kurtosis: float
    tail: Floats
    hour: Floats
    size_by_hour: Floats
    volume_by_hour: Floats
    range_over_move: float
    volume_with_size: float

    def summary(self) -> dict[str, str | int | float | None]:
        """The facts as single numbers; None where the bars do not give one."""
        figures: dict[str, float] = {
            "volatility_of_a_bar": self.volatility,
            "acf_of_size_lag_1": self.acf_size[0],
            "acf_of_size_lag_12": self.acf_size[11],
            "acf_of_return_lag_1": self.acf_return[0],
            "tail_index": self.tail_index,
            "excess_kurtosis": self.excess_kurtosis,
            "busiest_over_quietest": self.size_by_hour.max() / self.size_by_hour.min(),
            "range_over_move": self.range_over_move,
            "volume_with_size": self.volume_with_size,
        }
        found: dict[str, str | int | float | None] = {"symbol": self.symbol, "bars": self.n_bars}
        for name, value in figures.items():
            found[name] = float(value) if np.isfinite(value) else None
        return found


def likeness(bars: Bars) -> Likeness:
    """The facts of one symbol. `DataError` for too few bars, or bars that never move.

    >>> from barstack.worlds import WORLDS
    >>> world = WORLDS.parse({"world": "martingale", "calendar": "24/7"})
    >>> facts = likeness(world.bars_of("W0001"))
    >>> bool(abs(facts.acf_size[0]) < 0.05), facts.tail_index > 5
    (True, True)
    """
    r = bars.records
    returns = np.diff(np.log(r["close"]))
    if len(bars) < _FEWEST_BARS or not np.ptp(returns):
        raise DataError(
            f"{bars!r} has too few returns: {len(returns)}, of which "
            f"{int((returns != 0).sum())} moved. Give {_FEWEST_BARS} bars or more."
        )
    size = np.abs(returns)
    deviation = float(returns.std())
    ordered = np.sort(size)[::-1]
    # Sizes and the shares of bars that exceed them, evenly spaced on a log scale.
    ranks = np.unique(np.geomspace(1, len(ordered) - 1, 60).astype(int))
    tail = np.column_stack([ordered[ranks] / deviation, ranks / len(ordered)])
    hour, size_by_hour, volume_by_hour = _by_hour(bars, size)
    traded = r["volume"][1:] > 0
    related = float("nan")
    if traded.mean() > 0.5:
        related = float(np.corrcoef(np.log(r["volume"][1:][traded]), size[traded])[0, 1])
    body = np.abs(np.log(r["close"] / r["open"])).mean()
    return Likeness(
        symbol=bars.symbol,
        n_bars=len(bars),
        volatility=deviation,
        acf_size=autocorrelation(size),
        acf_return=autocorrelation(returns),
        tail_index=hill(size),
        excess_kurtosis=float(((returns - returns.mean()) ** 4).mean() / deviation**4 - 3.0),
        tail=tail[tail[:, 0] > 0],
        hour=hour,
        size_by_hour=size_by_hour,
        volume_by_hour=volume_by_hour,
        range_over_move=float(np.log(r["high"] / r["low"]).mean() / body) if body else float("nan"),
        volume_with_size=related,
    )


def autocorrelation(values: Floats, lags: int = LAGS) -> Floats:
    """(lags,) at lags 1, 2, ...; NaN where the series is too short.

    >>> autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]), 2)
    array([-0.75,  0.5 ])
    """
    centred = values - values.mean()
    whole = np.fft.rfft(centred, 2 * len(centred))
    products = np.fft.irfft(np.abs(whole) ** 2)[: lags + 1]
    padded = np.full(lags, np.nan)
    have = min(lags, len(values) - 1)
    padded[:have] = products[1 : have + 1] / products[0]
    return padded


def hill(sizes: Floats, share: float = _TAIL_SHARE) -> float:
    """Tail index from the largest `share` of sizes: 1 / mean of ln(size / smallest). Hill (1975).

    >>> pareto = 1.0 / np.linspace(1e-6, 1.0, 100_000) ** (1 / 3)
    >>> round(hill(pareto), 1)
    3.0
    """
    largest = np.sort(sizes)[-max(int(share * len(sizes)), 10) :]
    return float(1.0 / np.log(largest[1:] / largest[0]).mean())


def _by_hour(bars: Bars, size: Floats) -> tuple[Floats, Floats, Floats]:
    r = bars.records[1:]
    begins = r["session_open"]
    day_us = int(np.median(r["session_close"] - begins))
    inside = (r["opened_at"] - begins) / day_us
    parts = max(min(_PARTS_OF_DAY, int(day_us // bars.length_us)), 1)
    part = np.minimum((inside * parts).astype(int), parts - 1)
    count = np.bincount(part, minlength=parts)
    there = count > 0
    mean_size = np.bincount(part, size, parts)[there] / count[there]
    mean_volume = np.bincount(part, r["volume"], parts)[there] / count[there]
    hour = (np.arange(parts) + 0.5)[there] * day_us / parts / 3_600_000_000
    volume = mean_volume / mean_volume.mean() if mean_volume.any() else np.empty(0)
    return hour, mean_size / mean_size.mean(), volume
