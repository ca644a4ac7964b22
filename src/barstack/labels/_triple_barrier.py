"""Which comes first: the upper barrier, the lower, or the end of the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, model_validator

from barstack.bars import Bars
from barstack.core.arrays import Floats, Ints
from barstack.core.errors import ConfigError
from barstack.core.horizon import Horizon
from barstack.core.times import NEVER, KnownAt

from ._holding import HoldingLabel
from ._label import Horizons, Outcome, register
from ._paths import LIMIT, OPEN, follow_all
from ._volatility import volatility_ahead


def _one_or_each(value: Any, kinds: Any, what: str) -> Any:
    items: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
    for item in items:
        if isinstance(item, bool) or not isinstance(item, kinds) or not item > 0:
            raise ConfigError(
                f"Write {what} above 0, or a list with one for each horizon; got {value!r}."
            )
    if not items:
        raise ConfigError(f"Write {what} above 0, or a list with one for each horizon; got none.")
    return value


# A number above 0, and a whole one.
Numbers = Annotated[
    float | tuple[float, ...], BeforeValidator(lambda v: _one_or_each(v, (int, float), "a number"))
]
Wholes = Annotated[
    int | tuple[int, ...], BeforeValidator(lambda v: _one_or_each(v, int, "a whole number"))
]


def _check_counts(horizons: Sequence[Horizon], **settings: Any) -> None:
    """`ConfigError` where a list has not one number for each horizon."""
    for setting, value in settings.items():
        if isinstance(value, tuple) and len(value) != len(horizons):
            raise ConfigError(
                f"{setting} has {len(value)} numbers for {len(horizons)} horizons. Give one for "
                "each, or one number for all."
            )


@register("triple_barrier", task="three_class")
class TripleBarrier(HoldingLabel):
    """BUY (2) where the upper barrier is touched first, SELL (0) the lower, HOLD (1) neither.

    A holding is followed bar by bar from the close of the decision up to the horizon. It is left
    at the barrier it touches; at the open, where a bar opens beyond one; at the lower barrier,
    where both lie within one bar, as nobody knows which came first; and at the close that ends
    the horizon otherwise. `returns` are those of leaving so, and each label is known at the
    close of the bar in which it is left.

    Barriers are multiples of trailing volatility, known at the decision and scaled to the
    horizon, or fixed. Decisions before volatility is known, or where nothing has moved, have no
    label. López de Prado (2018), chapter 3.

    >>> from barstack.testing import walk
    >>> TripleBarrier(["1d"], span=20).compute(walk(80)).values[30:38, 0]
    array([2., 2., 2., 2., 1., 1., 1., 1.])
    """

    upper: Numbers = 1.0
    lower: Numbers = 1.0
    unit: Literal["volatility", "bps"] = "volatility"
    span: Wholes = 100  # of the exponential volatility, bars
    limit_bars: Wholes | None = None  # left after so many bars at the latest

    if TYPE_CHECKING:

        def __init__(
            self,
            horizons: Horizons,
            *,
            upper: float | Sequence[float] = 1.0,
            lower: float | Sequence[float] = 1.0,
            unit: Literal["volatility", "bps"] = "volatility",
            span: int | Sequence[int] = 100,
            limit_bars: int | Sequence[int] | None = None,
            overnight: bool = True,
            max_gap: str | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _check_each(self) -> TripleBarrier:
        settings = {name: getattr(self, name) for name in ("upper", "lower", "span", "limit_bars")}
        _check_counts(self.horizons, **settings)
        if self.unit == "bps" and np.max(self.lower) >= 10_000:
            raise ConfigError(
                f"A lower barrier of {self.lower} bps lies at a price of 0 or below. Write less "
                "than 10000, such as 50."
            )
        return self

    def bound(self, bars: Bars, horizon: Horizon) -> tuple[Ints, KnownAt]:
        return self._cut(bars, horizon, *super().bound(bars, horizon))

    def _cut(
        self, bars: Bars, horizon: Horizon, exit_row: Ints, known_at: KnownAt
    ) -> tuple[Ints, KnownAt]:
        """Where holdings end once `limit_bars` has its say too."""
        limit = self._setting("limit_bars", horizon)
        if limit is None:
            return exit_row, known_at
        limits = np.minimum(np.arange(len(bars)) + min(limit, len(bars)), len(bars))
        sooner = (limits <= exit_row) & (limits < len(bars))
        closes = np.append(bars.closed_at, NEVER)[limits]
        return np.where(sooner, limits, exit_row), KnownAt(np.where(sooner, closes, known_at))

    def outcome(self, bars: Bars, horizon: Horizon) -> Outcome:
        return self._leave(bars, horizon, long=True)

    def outcome_short(self, bars: Bars, horizon: Horizon) -> Outcome:
        """As `outcome`, of holding short: BUY where its gain is touched first, SELL its loss.

        `upper` is how far the price may fall to the gain, `lower` how far it may rise to the
        loss; where both lie within one bar it is left with the loss. `returns` are the price's.
        """
        return self._leave(bars, horizon, long=False)

    def _leave(self, bars: Bars, horizon: Horizon, *, long: bool) -> Outcome:
        horizon_ends = super().bound(bars, horizon)
        exit_row, bound = self._cut(bars, horizon, *horizon_ends)
        # Scaled to the horizon whatever `limit_bars` says, so that a limit moves no barrier.
        upper, lower = self._widths(bars, horizon, *horizon_ends)
        n_bars, close = len(bars), bars.close
        # A short holding is a long one of the price turned upside down.
        sign = 1.0 if long else -1.0
        opens, highs, lows = (sign * bars.records[name] for name in ("open", "high", "low"))
        if not long:
            highs, lows = lows, highs
        gain, loss = sign * close * (1.0 + sign * upper), sign * close * (1.0 - sign * lower)
        kinds, exits = np.empty(n_bars, np.int64), np.zeros(n_bars, np.int64)
        left = np.full(n_bars, np.nan)
        follow_all(
            opens, highs, lows, sign * close, exit_row, loss, gain, kinds, left, exits
        )  # fmt: skip
        known_at = np.where(kinds == LIMIT, bound, bars.closed_at[exits])
        open_ = kinds == OPEN
        return Outcome(
            np.where(open_, np.nan, kinds),
            sign * left / close - 1.0,
            KnownAt(np.where(open_, NEVER, known_at)),
            (exit_row > np.arange(n_bars)) & ~np.isnan(upper),
        )

    def _widths(
        self, bars: Bars, horizon: Horizon, exit_row: Ints, known_at: KnownAt
    ) -> tuple[Floats, Floats]:
        """(n_bars,) distances of both barriers, as fractions of the price at the decision."""
        upper, lower = self._setting("upper", horizon), self._setting("lower", horizon)
        if self.unit == "bps":
            one = np.full(len(bars), 1e-4)
        else:
            one = volatility_ahead(bars, self._setting("span", horizon), exit_row, known_at)
        return upper * one, lower * one

    def _setting(self, name: str, horizon: Horizon) -> Any:
        """A setting as it is for one horizon."""
        value = getattr(self, name)
        return value[self.horizons.index(horizon)] if isinstance(value, tuple) else value
