"""From signals to positions: when to take a side, how long to hold it, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.core.forecast import Forecast
from barstack.core.spec import Spec
from barstack.core.times import KnownAt

from .intervals import side_of_interval
from .signals import side_of

NotNegative = Annotated[float, Field(ge=0.0)]
Positive = Annotated[float, Field(gt=0.0)]


class Strategy(Spec):
    """How positions follow signals.

    Attributes
    ----------
    enter
        Least size of a signal that takes a side, in the unit of the signal: a return, or a
        difference of probabilities.
    leave
        Size below which a side is left again; by default any signal smaller than `enter`.
    sides
        Which are taken.
    hold
        "horizon" holds each decision until its label is known, and overlapping ones share the
        position: the unit rule of the verdict. "latest" follows the newest signal alone.
    sizing
        "equal" gives each symbol the same weight. "conviction" is in proportion to the signal, up
        to `full`. "volatility" aims at `volatility` a year, and "kelly" at the share `kelly` of
        the growth-optimal bet on signals that are returns over `kelly_bars` bars. "risk_parity"
        weights symbols by the inverse of their volatility.
    full
        Signal that deserves the whole weight, for "conviction".
    volatility
        Aim of each symbol, as a fraction a year.
    kelly, kelly_bars
        Share of the Kelly bet, and bars to the horizon of the signal.
    volatility_bars
        Span of the exponential mean of squared returns.
    gross
        Sum of the weights of all symbols where each has a full position.
    most
        Largest weight of one symbol, as a multiple of its equal share.
    step
        Changes of weight smaller than this are not traded.
    stop, take, trail
        Exits as fractions of the entry price. After one the symbol is entered again only once the
        position that the signals ask for has changed.
    hold_bars
        Bars after which a position is left at the close; 0 for none.

    >>> Strategy(enter=0.001, sizing="volatility", volatility=0.1).hold
    'horizon'
    """

    enter: NotNegative = 0.0
    leave: NotNegative | None = None
    sides: Literal["both", "long", "short"] = "both"
    hold: Literal["horizon", "latest"] = "horizon"
    sizing: Literal["equal", "conviction", "volatility", "kelly", "risk_parity"] = "equal"
    full: Positive = 1.0
    volatility: Positive = 0.1
    kelly: Positive = 0.5
    kelly_bars: Annotated[int, Field(ge=1)] = 1
    volatility_bars: Annotated[int, Field(ge=2)] = 100
    gross: Positive = 1.0
    most: Positive = 1.0
    step: NotNegative = 0.0
    stop: Positive | None = None
    take: Positive | None = None
    trail: Positive | None = None
    hold_bars: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.leave is not None and self.leave > self.enter:
            raise ConfigError(
                f"leave is {self.leave:g}, above enter, {self.enter:g}: a side would be left as "
                "soon as it is taken. Lower it."
            )
        if self.leave is not None and self.hold == "horizon":
            raise ConfigError(
                "leave is for hold latest; with hold horizon each decision is held until its "
                "label is known. Leave one of them out."
            )
        return self


@dataclass(frozen=True, eq=False)
class Signals:
    """What is known at each decision of which way the price will go.

    Attributes
    ----------
    decisions
        When and for which symbol.
    signal
        (n_rows,) positive for up; 0 for nothing.
    known_at
        (n_rows,) when each decision's holding ends, for `hold` horizon.

    >>> day = np.array(["2026-01-05T21:00"], "M8[us]")
    >>> len(Signals(Decisions.concatenate({"SPY": day}), np.array([0.01])))
    1
    """

    decisions: Decisions
    signal: Floats
    known_at: KnownAt | None = None

    def __len__(self) -> int:
        return len(self.decisions)

    def __post_init__(self) -> None:
        shape = (len(self.decisions),)
        if self.signal.shape != shape or not np.isfinite(self.signal).all():
            raise DataError(
                f"Signals of {shape[0]} decisions have shape {self.signal.shape}, or are not "
                "finite. Give one finite number for each."
            )
        if self.known_at is not None and self.known_at.shape != shape:
            raise DataError(f"known_at has shape {self.known_at.shape} for {shape[0]} decisions.")

    @classmethod
    def of(
        cls,
        forecast: Forecast,
        horizon: str,
        *,
        known_at: KnownAt | None = None,
        rule_side: Floats | None = None,
        interval: tuple[Floats, Floats] | None = None,
        cost: float = 0.0,
    ) -> Signals:
        """Signals of a forecast at one horizon.

        Parameters
        ----------
        forecast
            A forward one: nothing that it learned from was later than its decisions.
        horizon
            One of the forecast's.
        known_at
            (n_rows,) when each label is known.
        rule_side
            (n_rows,) side of a rule that the forecast confirms or not (meta-labels).
        interval
            (n_rows,) low and high end of a conformal interval: no side where it holds returns of
            both signs beyond `cost`.
        cost
            Of getting in and out, as a fraction.

        Raises
        ------
        LeakError
            For crossed forecasts, which were trained on both sides of each decision.
        """
        if forecast.kind != "forward":
            raise LeakError(
                "These forecasts are crossed: they were trained on both sides of each decision, so "
                "trading them shows nothing. Run the study with a forward split, such as "
                "walk_forward."
            )
        horizons = list(forecast.target.horizons)
        if horizon not in horizons:
            raise ConfigError(f"There is no horizon {horizon!r}. There are {', '.join(horizons)}.")
        signal = forecast.signal[:, horizons.index(horizon)]
        if rule_side is not None:
            signal = np.abs(signal) * side_of(signal[:, None], rule_side)[:, 0]
        if interval is not None:
            sure = side_of_interval(*interval, cost)
            signal = np.where(np.sign(signal) == sure, signal, 0.0)
        return cls(forecast.decisions, np.ascontiguousarray(signal), known_at)
