"""Forecasts: one form for every model and ensemble, which cannot be made with a leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from barstack.core.arrays import Array, Bools, Floats, Rows

from .columns import DECIDED_AT, SYMBOL, TRAINED_THROUGH, at_horizon
from .decisions import Decisions
from .errors import ConfigError, LeakError
from .frames import frame_of
from .notebook import card, remark, table
from .text import listed
from .times import DecidedAt, TrainedThrough, iso

if TYPE_CHECKING:
    import pandas as pd

Task = Literal["return", "direction", "three_class", "quantiles", "regime"]
Kind = Literal["forward", "crossed", "in_sample"]


# States of a market, in the order in which a distribution over them is given.
REGIMES = ("bull_trend", "bear_trend", "sideways", "high_volatility", "low_volatility", "crash")

_WITH_A_SIDE = ("bull_trend", "bear_trend", "crash")

# What a forecast says of each horizon. Classes are SELL 0, HOLD 1, BUY 2. The quantiles of the
# return are as many as the target has levels. A regime is that of the decision itself.
OUTPUTS: dict[Task, tuple[str, ...]] = {
    "return": ("return",),
    "direction": ("p_up",),
    "three_class": ("p_sell", "p_hold", "p_buy"),
    "quantiles": (),
    "regime": tuple(f"p_{name}" for name in REGIMES),
}
EVERY_TASK: tuple[Task, ...] = ("return", "direction", "three_class", "quantiles")  # of labels
_CLASSES: dict[Task, int] = {
    "return": 0,
    "direction": 2,
    "three_class": 3,
    "quantiles": 0,
    "regime": len(REGIMES),
}

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
NOW = "now"  # horizon of a regime: that of the decision itself
_DECIMALS = 4  # of a level, so that its name is short


@dataclass(frozen=True)
class Target:
    """What is forecast: a task, at one or several horizons.

    levels  of quantiles, rising, the median among them; empty for all other tasks

    >>> Target("three_class", ("4h",)).columns
    ('p_sell_4h', 'p_hold_4h', 'p_buy_4h')
    >>> Target("quantiles", ("4h",), (0.05, 0.5, 0.975)).columns
    ('q05_4h', 'q50_4h', 'q975_4h')
    """

    task: Task
    horizons: tuple[str, ...]
    levels: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in OUTPUTS:
            raise ConfigError(f"Unknown task {self.task!r}. Known: {', '.join(OUTPUTS)}.")
        of_now = NOW in self.horizons
        if of_now != (self.task == "regime") or (of_now and len(self.horizons) > 1):
            raise ConfigError(
                f"Task {self.task} at {', '.join(self.horizons)}: a regime is of {NOW!r}, and "
                "nothing else is. Give it that horizon alone."
            )
        if self.task == "quantiles":
            check_levels(self.levels)
        elif self.levels:
            raise ConfigError(
                f"Task {self.task} has no levels, got {list(self.levels)}. Leave them out, or "
                "forecast quantiles."
            )

    @property
    def outputs(self) -> tuple[str, ...]:
        """Numbers forecast for each horizon."""
        return OUTPUTS[self.task] or tuple(map(level_name, self.levels))

    @property
    def n_classes(self) -> int:
        """Classes that labels are of; 0 where they are returns."""
        return _CLASSES[self.task]

    @property
    def median(self) -> int:
        """Place of the median among the levels."""
        return self.levels.index(0.5)

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        levels = {"levels": list(self.levels)} if self.levels else {}
        return {"task": self.task, "horizons": list(self.horizons)} | levels

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The target within what `to_json` wrote, other keys beside it passed by."""
        return cls(content["task"], tuple(content["horizons"]), tuple(content.get("levels", ())))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all numbers forecast, horizon by horizon."""
        return tuple(
            at_horizon(output, horizon) for horizon in self.horizons for output in self.outputs
        )


@dataclass(frozen=True, eq=False)
class Forecast:
    """Forecasts of many decisions by one model or ensemble.

    decisions        (n_rows,) when and for which symbol
    target           what is forecast
    values           (n_rows, n_horizons, n_outputs) float64: returns as fractions, probabilities,
                     or quantiles of the return that rise with their level
    trained_through  (n_rows,) latest `known_at` that anything behind each forecast has seen
    kind             "forward": all training was known when the decision fell.
                     "crossed": trained on both sides of it, purged; for meta-learners and
                     distributions, never for verdicts, simulations or serving.
                     "in_sample": made by a model that has seen the answer; for looking only

    A forward forecast that is trained later than it is decided raises `LeakError`.
    """

    decisions: Decisions
    target: Target
    values: Floats
    trained_through: TrainedThrough
    kind: Kind = "forward"

    def __post_init__(self) -> None:
        shape = (len(self.decisions), len(self.target.horizons), len(self.target.outputs))
        if self.values.shape != shape:
            raise ConfigError(f"Forecast values have shape {self.values.shape}, need {shape}.")
        if not np.isfinite(self.values).all():
            row = int(np.argmin(np.isfinite(self.values).all(axis=(1, 2))))
            raise ConfigError(
                f"The forecast for {self.decisions.symbol[row]} at "
                f"{iso(self.decisions.decided_at[row])} is {self.values[row].tolist()}, not finite."
            )
        if self.target.levels and (np.diff(self.values, axis=2) < 0.0).any():
            row = int(np.argmax((np.diff(self.values, axis=2) < 0.0).any(axis=(1, 2))))
            raise ConfigError(
                f"The quantiles forecast for {self.decisions.symbol[row]} at "
                f"{iso(self.decisions.decided_at[row])} are {self.values[row].tolist()}, which "
                "fall where their levels rise. Sort them with uncrossed."
            )
        if self.kind == "forward":
            late = ~(self.trained_through <= self.decisions.decided_at)
            if late.any():
                row = int(np.argmax(late))
                raise LeakError(
                    f"A forward forecast for {self.decisions.symbol[row]} decided at "
                    f"{iso(self.decisions.decided_at[row])} was trained through "
                    f"{iso(self.trained_through[row])}, later than its decision. Train on labels "
                    "known by then, or forecast later rows."
                )

    def __len__(self) -> int:
        return len(self.decisions)

    def __repr__(self) -> str:
        columns = listed(self.target.columns, 6)
        return f"Forecast({self.kind}, {len(self):,} decisions, {columns})"

    def _repr_html_(self) -> str:
        """The numbers forecast with their spread, as notebooks show them."""
        numbers = self.values.reshape(len(self), len(self.target.columns))
        rows = [
            (name, *(float(each) for each in (own.mean(), own.std(), own.min(), own.max())))
            for name, own in zip(self.target.columns, numbers.T, strict=True)
            if len(own)
        ]
        decided_at = self.decisions.decided_at
        span = (f"From {iso(decided_at.min())} to {iso(decided_at.max())}.",) if len(self) else ()
        return card(
            f"{self.kind.capitalize()} forecasts of {len(self):,} decisions".replace("_", " "),
            table(["column", "mean", "deviation", "least", "most"], rows),
            remark(*span, "to_frame() has all."),
            note=f"{self.target.task}, {listed(self.decisions.symbols, 5)}",
        )

    @property
    def signal(self) -> Floats:
        """(n_rows, n_horizons) positive for up, see `signal_of`."""
        return signal_of(self.values, self.target)

    def take(self, rows: Rows | Bools) -> Forecast:
        """Some of the rows."""
        index = np.arange(len(self))[rows]
        return replace(
            self,
            decisions=self.decisions.take(index),
            values=self.values[index],
            trained_through=TrainedThrough(self.trained_through[index]),
        )

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame: decided_at, symbol, trained_through and one for each number forecast."""
        columns = self.columns()
        return frame_of(self.decisions, {name: columns[name] for name in list(columns)[2:]})

    def columns(self) -> dict[str, Array]:
        """Plain columns: decided_at, symbol, trained_through and one for each number forecast."""
        numbers = self.values.reshape(len(self), -1)
        return {
            DECIDED_AT: self.decisions.decided_at,
            SYMBOL: self.decisions.symbol,
            TRAINED_THROUGH: self.trained_through,
        } | {name: numbers[:, place] for place, name in enumerate(self.target.columns)}


def signal_of(values: Floats, target: Target) -> Floats:
    """(n_rows, n_horizons) positive for up: the return or its median, 2 p_up - 1, p_buy - p_sell.

    values  (n_rows, n_horizons, n_outputs)

    Of three classes 0 where HOLD is as likely as either other, so that the sign of the signal is
    the likeliest class: the one rule for the side that a forecast takes. Of regimes, bull trend
    less bear trend and crash.

    >>> both = np.array([[[0.2, 0.3, 0.5]], [[0.2, 0.5, 0.3]]])
    >>> signal_of(both, Target("three_class", ("4h",))).round(3).tolist()
    [[0.3], [0.0]]
    """
    if target.task == "three_class":
        sell, hold, buy = (values[:, :, place] for place in range(3))
        return np.where(hold >= np.maximum(sell, buy), 0.0, buy - sell)
    if target.task == "direction":
        return 2.0 * values[:, :, 0] - 1.0
    if target.task == "regime":
        bull, bear, crash = (values[:, :, REGIMES.index(each)] for each in _WITH_A_SIDE)
        return bull - bear - crash
    return values[:, :, target.median if target.levels else 0]


def uncrossed(values: Floats, target: Target) -> Floats:
    """Quantiles in rising order; forecasts of another task as they are.

    Levels are learned apart from one another, so that a low one may come out above a high one.
    Sorting never adds to the pinball loss: Chernozhukov, Fernández-Val, Galichon (2010).

    >>> uncrossed(np.array([[[0.02, 0.01, 0.03]]]), Target("quantiles", ("4h",), (0.1, 0.5, 0.9)))
    array([[[0.01, 0.02, 0.03]]])
    """
    return np.sort(values, axis=-1) if target.levels else values


def level_name(level: float) -> str:
    """As columns are called: the decimals of a level, at least two.

    >>> level_name(0.05), level_name(0.5), level_name(0.975)
    ('q05', 'q50', 'q975')
    """
    return "q" + f"{level:.{_DECIMALS}f}"[2:].rstrip("0").ljust(2, "0")


def check_levels(levels: Sequence[float]) -> None:
    """`ConfigError` unless levels rise within 0 and 1 and the median is among them."""
    plain = all(isinstance(each, float) and round(each, _DECIMALS) == each for each in levels)
    if not (plain and all(a < b for a, b in pairwise((0.0, *levels, 1.0))) and 0.5 in levels):
        raise ConfigError(
            f"Levels of quantiles are {list(levels)}. Write shares above 0 and below 1 that rise, "
            f"of at most {_DECIMALS} decimals, 0.5 among them, such as {list(LEVELS)}."
        )


def concatenate(forecasts: Sequence[Forecast]) -> Forecast:
    """Forecasts of the same target and symbols for different rows, one after the other."""
    first = forecasts[0]
    decisions = Decisions(
        first.decisions.symbols,
        np.concatenate([each.decisions.symbol_code for each in forecasts]),
        DecidedAt(np.concatenate([each.decisions.decided_at for each in forecasts])),
    )
    return Forecast(
        decisions,
        first.target,
        np.concatenate([each.values for each in forecasts]),
        TrainedThrough(np.concatenate([each.trained_through for each in forecasts])),
        first.kind,
    )
