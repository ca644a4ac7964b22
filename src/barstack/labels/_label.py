"""What is to be forecast, and when its answer is known."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import field_validator

from barstack.bars import Bars, Panel, as_panel
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Target, Task
from barstack.core.registry import SpecRegistry
from barstack.core.spec import Spec
from barstack.core.times import (
    NEVER,
    DecidedAt,
    KnownAt,
    decide_at_close,
    format_duration,
    microseconds,
    parse_duration,
)


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Labels of every decision, each with the moment it becomes known.

    decisions  the rows
    target     what the values are
    values     (n_rows, n_horizons) float64: a return, 0/1 for down/up, or 0/1/2 for
               SELL/HOLD/BUY; NaN while open
    known_at   (n_rows, n_horizons) NaT while open
    returns    (n_rows, n_horizons) the forward return behind each value, fraction
    """

    decisions: Decisions
    target: Target
    values: npt.NDArray[np.float64]
    known_at: KnownAt
    returns: npt.NDArray[np.float64]

    @property
    def all_known_at(self) -> KnownAt:
        """(n_rows,) when the last horizon of each row is known; NaT while any is open."""
        return KnownAt(self.known_at.max(axis=1))  # numpy: one NaT makes the maximum NaT


class Label(Spec):
    """What follows each decision over one or several horizons.

    A horizon is a duration such as `4h`, met by the first bar that closes that long after the
    decision or later, or a whole number of bars. Nights and weekends count as they pass.
    """

    task: ClassVar[Task]
    horizons: tuple[str | int, ...]

    @field_validator("horizons", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        """Horizons as given; true is no number of bars."""
        if isinstance(value, list | tuple) and any(isinstance(item, bool) for item in value):
            raise ConfigError(f"Horizons {list(value)}: write durations or numbers of bars.")
        return value

    @field_validator("horizons")
    @classmethod
    def _check(cls, horizons: tuple[str | int, ...]) -> tuple[str | int, ...]:
        if not horizons:
            raise ConfigError("Give at least one horizon, such as 4h.")
        for horizon in horizons:
            if isinstance(horizon, int) and horizon < 1:
                raise ConfigError(
                    f"A horizon of {horizon} bars does not lie ahead; give 1 or more."
                )
            if isinstance(horizon, str):
                parse_duration(horizon)
        meant = {
            each if isinstance(each, int) else f"{parse_duration(each)}us" for each in horizons
        }
        if len(meant) < len(horizons):
            raise ConfigError(
                f"Horizons {list(horizons)} repeat one, which would count its trials twice. Give "
                "each once."
            )
        return horizons

    @abstractmethod
    def encode(self, returns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The label for each forward return; NaN stays NaN."""

    @property
    def target(self) -> Target:
        """Task and horizon names, such as `4h` or `12bars`."""
        names = [f"{each}bars" if isinstance(each, int) else each for each in self.horizons]
        return Target(self.task, tuple(names))

    def compute(self, bars: Bars | Panel) -> LabelTable:
        """Labels of the decision at every bar's close."""
        panel = as_panel(bars)
        for each in panel.values():
            self._check_length(each)
        parts = [
            [forward_return(each, horizon) for horizon in self.horizons] for each in panel.values()
        ]
        returns = np.concatenate([np.column_stack([r for r, _ in part]) for part in parts])
        known_at = np.concatenate([np.column_stack([k for _, k in part]) for part in parts])
        decisions = Decisions.concatenate(
            {symbol: decide_at_close(each.closed_at) for symbol, each in panel.items()}
        )
        return LabelTable(decisions, self.target, self.encode(returns), KnownAt(known_at), returns)

    def _check_length(self, bars: Bars) -> None:
        for horizon in self.horizons:
            if isinstance(horizon, str) and parse_duration(horizon) < bars.length_us:
                raise ConfigError(
                    f"Horizon {horizon} is shorter than a bar of {bars.symbol} "
                    f"({format_duration(bars.length_us)}). Ask for one bar or more."
                )
            known = (~np.isnat(forward_return(bars, horizon)[1])).sum()
            if known == 0:
                raise DataError(
                    f"{bars!r} is too short for horizon {horizon}: no label would ever be known. "
                    "Give more bars or a shorter horizon."
                )


def forward_return(bars: Bars, horizon: str | int) -> tuple[npt.NDArray[np.float64], KnownAt]:
    """Return from holding over a horizon, and when it is known.

    horizon  a duration, or a number of bars
    returns  value (n_bars,) fraction, NaN while open
             known_at (n_bars,) close of the bar that ends the holding, NaT while open

    >>> from barstack.testing import walk
    >>> value, known_at = forward_return(walk(bars=4), 1)
    >>> np.datetime_as_string(known_at, unit="m").tolist()
    ['2026-01-05T15:30', '2026-01-05T16:00', '2026-01-05T16:30', 'NaT']
    """
    leaves_at = _exit_rows(decide_at_close(bars.closed_at), horizon)
    known = leaves_at < len(bars)
    value = np.full(len(bars), np.nan)
    known_at = np.full(len(bars), NEVER)
    close = bars.close
    value[known] = close[leaves_at[known]] / close[known] - 1.0
    known_at[known] = bars.closed_at[leaves_at[known]]
    return value, KnownAt(known_at)


def _exit_rows(decided_at: DecidedAt, horizon: str | int) -> npt.NDArray[np.int64]:
    if isinstance(horizon, int):
        return np.arange(len(decided_at)) + horizon
    times = microseconds(decided_at)
    return np.searchsorted(times, times + parse_duration(horizon)).astype(np.int64)


LABELS: SpecRegistry[Label] = SpecRegistry("label", "barstack.labels")
register = LABELS.register
