"""Forecasts: one form for every model and ensemble, which cannot be made with a leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .decisions import Decisions, Rows
from .errors import ConfigError, LeakError
from .times import DecidedAt, TrainedThrough, iso

Task = Literal["return", "direction", "three_class"]
Kind = Literal["forward", "crossed", "in_sample"]

# What a forecast says of each horizon. Classes are SELL 0, HOLD 1, BUY 2.
OUTPUTS: dict[Task, tuple[str, ...]] = {
    "return": ("return",),
    "direction": ("p_up",),
    "three_class": ("p_sell", "p_hold", "p_buy"),
}


@dataclass(frozen=True)
class Target:
    """What is forecast: a task, at one or several horizons.

    >>> Target("three_class", ("4h",)).columns
    ('p_sell_4h', 'p_hold_4h', 'p_buy_4h')
    """

    task: Task
    horizons: tuple[str, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Numbers forecast for each horizon."""
        return OUTPUTS[self.task]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all numbers forecast, horizon by horizon."""
        return tuple(f"{output}_{horizon}" for horizon in self.horizons for output in self.outputs)


@dataclass(frozen=True, eq=False)
class Forecast:
    """Forecasts of many decisions by one model or ensemble.

    decisions        (n_rows,) when and for which symbol
    target           what is forecast
    values           (n_rows, n_horizons, n_outputs) float64: returns as fractions, or probabilities
    trained_through  (n_rows,) latest `known_at` that anything behind each forecast has seen
    kind             "forward": all training was known when the decision fell.
                     "crossed": trained on both sides of it, purged; for meta-learners and
                     distributions, never for verdicts, simulations or serving.
                     "in_sample": made by a model that has seen the answer; for looking only

    A forward forecast that is trained later than it is decided raises `LeakError`.
    """

    decisions: Decisions
    target: Target
    values: npt.NDArray[np.float64]
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

    @property
    def signal(self) -> npt.NDArray[np.float64]:
        """(n_rows, n_horizons) positive for up: the return, 2 p_up - 1, or p_buy - p_sell."""
        if self.target.task == "return":
            return self.values[:, :, 0]
        if self.target.task == "direction":
            return 2.0 * self.values[:, :, 0] - 1.0
        return self.values[:, :, 2] - self.values[:, :, 0]

    def take(self, rows: Rows | npt.NDArray[np.bool_]) -> Forecast:
        """Some of the rows."""
        index = np.arange(len(self))[rows]
        return replace(
            self,
            decisions=self.decisions.take(index),
            values=self.values[index],
            trained_through=TrainedThrough(self.trained_through[index]),
        )

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Plain columns: decided_at, symbol, trained_through and one for each number forecast."""
        numbers = self.values.reshape(len(self), -1)
        return {
            "decided_at": self.decisions.decided_at,
            "symbol": self.decisions.symbol,
            "trained_through": self.trained_through,
        } | {name: numbers[:, place] for place, name in enumerate(self.target.columns)}


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
