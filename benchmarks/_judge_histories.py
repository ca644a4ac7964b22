"""Histories with known truth: skilled, lucky, leaking, overfitted and wrongly stamped ones.

Each is made on bars whose returns nobody can predict but its maker, to whom a part of the next
return is given away. So the truth is known: what a history shows by right, and which sign should
be seen where it shows what it should not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from barstack.bars import Bars, bars_from_frame

DAYS = 4_000
KINDS = ("forecasts", "positions", "trades", "equity")
TRUTHS = ("skilled", "lucky", "leaking", "overfit", "misstamped", "worthless")
# Which signs name the fault; any of them will do.
SIGNS = {
    "leaking": {"same_bar", "implausible"},
    "overfit": {"overfit", "implausible"},
    "misstamped": {"misstamped"},
}
_IC = 0.1  # of the skilled: a Sharpe ratio of about 1.5 a year


@dataclass(frozen=True)
class Made:
    """A history and what should be found.

    Attributes
    ----------
    truth
        One of `TRUTHS`.
    kind
        One of `KINDS`.
    bars
        That it was made on.
    frame
        As its maker exports it.
    options
        Of `bs.judge`, such as the number of trials.
    """

    truth: str
    kind: str
    bars: Bars
    frame: pd.DataFrame
    options: dict[str, Any]

    def right(self, edge: str, signs: set[str]) -> bool:
        """Whether this verdict is the right one, and the fault is named."""
        if self.truth == "skilled":
            return edge == "supported"
        named = SIGNS.get(self.truth)
        return edge != "supported" and (named is None or bool(named & signs))


def daily_bars(rng: np.random.Generator, days: int = DAYS) -> Bars:
    """Daily bars round the clock, a martingale with clustered volatility."""
    shocks, variance = rng.standard_normal(2 * days), 1.0
    moves = np.empty(2 * days)
    for step, shock in enumerate(shocks):  # half a day each
        moves[step] = 0.007 * np.sqrt(variance) * shock
        variance = 0.05 + 0.08 * variance * shock**2 + 0.87 * variance
    path = 100.0 * np.exp(np.cumsum(moves - moves**2 / 2.0))
    close, middle = path[1::2], path[::2]
    opened = np.concatenate([[100.0], close[:-1]])
    around = np.stack([opened, middle, close])
    day = pd.date_range("2010-01-01", periods=days, freq="D", tz="UTC")
    frame = pd.DataFrame({"timestamp": day, "open": opened, "high": around.max(axis=0),
                          "low": around.min(axis=0), "close": close, "volume": 1.0})  # fmt: skip
    return bars_from_frame(frame, "MADE", calendar="24/7", stamp="open")


def histories(seed: int, each: int, days: int = DAYS) -> Iterator[Made]:
    """`each` histories of every truth and kind that has one."""
    for number in range(each):
        for truth in TRUTHS:
            for kind in KINDS:
                if truth == "misstamped" and kind in ("trades", "equity"):
                    continue  # fills are put right by their prices; an account has no decisions
                rng = np.random.default_rng([seed, number, TRUTHS.index(truth), KINDS.index(kind)])
                yield _made(truth, kind, daily_bars(rng, days), rng)


def _made(truth: str, kind: str, bars: Bars, rng: np.random.Generator) -> Made:
    close = bars.close
    ahead = np.concatenate([close[1:] / close[:-1] - 1.0, [0.0]])
    own = np.concatenate([[0.0], ahead[:-1]])
    noise = rng.standard_normal(len(close))
    scaled = ahead / ahead.std()
    signal, options = noise, dict[str, Any]()
    late = own if kind in ("forecasts", "positions") else ahead
    if truth == "skilled":
        signal = _IC * scaled + noise
    elif truth == "lucky":  # the best of a hundred worthless ones
        several = rng.standard_normal((100, len(close)))
        signal = several[np.argmax((np.sign(several) * ahead).mean(axis=1))]
        options = {"trials": 100}
    elif truth == "leaking":  # a fill at the open, or a label, by who knows the close
        signal = 2.0 * late / late.std() + noise
    elif truth == "overfit":  # rules that have learnt the first part by heart
        signal = np.where(np.arange(len(close)) < 0.6 * len(close), 0.25 * scaled, 0.0) + noise
    elif truth == "misstamped":
        skilled = 0.15 * scaled + noise
        signal = np.roll(skilled, -5 if rng.random() < 0.5 else 5)
    return Made(truth, kind, bars, _WRITE[kind](bars, signal, ahead), options)


def _labels(bars: Bars) -> pd.Series:
    return pd.Series(pd.DatetimeIndex(bars.opened_at)).dt.strftime("%Y-%m-%d")


def _forecasts(bars: Bars, signal: Any, ahead: Any) -> pd.DataFrame:
    return pd.DataFrame({"date": _labels(bars), "forecast": 0.001 * signal})


def _positions(bars: Bars, signal: Any, ahead: Any) -> pd.DataFrame:
    return pd.DataFrame({"date": _labels(bars), "position": np.sign(signal)})


def _trades(bars: Bars, signal: Any, ahead: Any) -> pd.DataFrame:
    """Every stretch of one sign is a trade, filled at the opens that follow."""
    side = np.sign(signal)[:-1]
    begins = np.flatnonzero(np.diff(side, prepend=0.0) != 0.0)
    ends = np.append(begins[1:], len(side) - 1)
    whole = ends > begins
    begins, ends = begins[whole], ends[whole]
    labels, opened = _labels(bars).to_numpy(), bars.records["open"]
    return pd.DataFrame(
        {
            "EntryTime": labels[begins + 1],
            "ExitTime": labels[ends + 1],
            "EntryPrice": opened[begins + 1],
            "ExitPrice": opened[ends + 1],
            "Size": 10.0 * side[begins],
        }
    )


def _equity(bars: Bars, signal: Any, ahead: Any) -> pd.DataFrame:
    earned = np.concatenate([[0.0], (np.sign(signal) * ahead)[:-1]])
    return pd.DataFrame({"date": _labels(bars), "equity": 10_000.0 * np.cumprod(1.0 + earned)})


_WRITE: dict[str, Callable[..., pd.DataFrame]] = {
    "forecasts": _forecasts,
    "positions": _positions,
    "trades": _trades,
    "equity": _equity,
}
