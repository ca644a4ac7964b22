"""Three classes of the return: by fixed thresholds, by volatility, by quantiles of the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, field_validator, model_validator

from barstack.bars import Bars, Panel, as_panel
from barstack.core.arrays import Floats, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.horizon import Horizon
from barstack.core.times import NEVER, KnownAt

from ._holding import HoldingLabel
from ._label import Horizons, Label, Outcome, register
from ._returns import ReturnLabel, forward_return
from ._volatility import volatility_ahead

_FEWEST_RETURNS = 30  # from which quantiles are learned
Pairs = tuple[tuple[float, float], ...]


def three_classes(returns: Floats, lower: Floats | float, upper: Floats | float) -> Floats:
    """BUY (2) above `upper`, SELL (0) below `lower`, HOLD (1) between; NaN where a return is.

    >>> three_classes(np.array([-0.02, 0.0, 0.03, np.nan]), -0.01, 0.01)
    array([ 0.,  1.,  2., nan])
    """
    side = (returns > upper).astype(float) - (returns < lower)
    return np.where(np.isnan(returns), np.nan, 1.0 + side)


def _thresholds(value: Any) -> Any:
    """One number, or pairs; each of them below and above which a return is no HOLD."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not value > 0:
            raise ConfigError(f"Write a number above 0, got {value}.")
        return value
    pairs = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    for pair in pairs:
        numbers = isinstance(pair, Sequence) and all(
            isinstance(x, int | float) and not isinstance(x, bool) for x in pair
        )
        if not numbers or len(pair) != 2 or not pair[0] <= pair[1]:
            raise ConfigError(f"{pair!r} is no pair of thresholds. Write [lower, upper].")
    if not pairs:
        raise ConfigError(
            "Write a number, or a pair [lower, upper] for each horizon, such as "
            f"[[-8, 10], [-20, 24]]; got {value!r}."
        )
    return value


@register("three_class", task="three_class")
class ThreeClass(ReturnLabel):
    """BUY (2) above the threshold, SELL (0) below its negative, HOLD (1) between.

    >>> from barstack.testing import walk
    >>> ThreeClass(["1h"], threshold_bps=20).compute(walk(60)).values[-8:, 0]
    array([ 1.,  1.,  2.,  2.,  2.,  0.,  1., nan])
    """

    # One number for all, or for each horizon what lies below HOLD and what above.
    threshold_bps: Annotated[float | Pairs, BeforeValidator(_thresholds)] = 10.0

    if TYPE_CHECKING:

        def __init__(
            self,
            horizons: Horizons,
            *,
            threshold_bps: float | Sequence[Any] = 10.0,
            overnight: bool = True,
            max_gap: str | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _check_count(self) -> ThreeClass:
        if isinstance(self.threshold_bps, tuple) and len(self.threshold_bps) != len(self.horizons):
            raise ConfigError(
                f"threshold_bps has {len(self.threshold_bps)} pairs for {len(self.horizons)} "
                "horizons. Give one for each."
            )
        return self

    def encode(self, returns: Floats, bars: Bars, horizon: Horizon) -> Floats:
        if isinstance(self.threshold_bps, float):
            lower, upper = -self.threshold_bps, self.threshold_bps
        else:
            lower, upper = self.threshold_bps[self.horizons.index(horizon)]
        return three_classes(returns, lower * 1e-4, upper * 1e-4)


@register("three_class_volatility", task="three_class")
class ThreeClassVolatility(HoldingLabel):
    """Three classes by a threshold that widens and narrows with volatility.

    The threshold is a multiple of trailing volatility, known at the decision and scaled to the
    horizon. Decisions before that is known, or where nothing has moved, have no label.

    >>> from barstack.testing import walk
    >>> ThreeClassVolatility(["1h"], span=20).compute(walk(60)).values[-8:, 0]
    array([ 1.,  1.,  2.,  2.,  2.,  1.,  1., nan])
    """

    threshold: float = Field(0.5, gt=0)  # in volatilities over the horizon
    span: int = Field(100, ge=2, le=1_000_000)  # of the exponential volatility, bars

    if TYPE_CHECKING:

        def __init__(
            self,
            horizons: Horizons,
            *,
            threshold: float = 0.5,
            span: int = 100,
            overnight: bool = True,
            max_gap: str | None = None,
        ) -> None: ...

    def outcome(self, bars: Bars, horizon: Horizon) -> Outcome:
        returns, known_at = forward_return(bars, horizon, overnight=self.overnight)
        exit_row, bound = self.bound(bars, horizon)
        threshold = self.threshold * volatility_ahead(bars, self.span, exit_row, bound)
        scaled = ~np.isnan(threshold)
        returns = np.where(scaled, returns, np.nan)
        return Outcome(
            three_classes(returns, -threshold, threshold),
            returns,
            KnownAt(np.where(scaled, known_at, NEVER)),
            scaled & (exit_row > np.arange(len(bars))),
        )


@register("three_class_quantiles", task="three_class")
class ThreeClassQuantiles(HoldingLabel):
    """Three classes by quantiles of the returns of training rows, learned for each fold anew.

    >>> label = ThreeClassQuantiles(["1h"], lower=0.25, upper=0.75)
    >>> label.task, label.fitted
    ('three_class', True)
    """

    fitted = True
    lower: float = Field(0.3, gt=0, lt=1)  # share of training returns that are SELL
    upper: float = Field(0.7, gt=0, lt=1)  # share that are not BUY

    if TYPE_CHECKING:

        def __init__(
            self,
            horizons: Horizons,
            *,
            lower: float = 0.3,
            upper: float = 0.7,
            overnight: bool = True,
            max_gap: str | None = None,
        ) -> None: ...

    @field_validator("upper")
    @classmethod
    def _check_order(cls, upper: float, info: Any) -> float:
        if upper <= info.data.get("lower", 0.0):
            raise ConfigError(f"Write a share above lower, {info.data['lower']}; got {upper}.")
        return upper

    def fit(self, bars: Bars | Panel, rows: Rows) -> Label:
        """`three_class` with the quantiles of the returns of `rows` as thresholds."""
        panel = as_panel(bars)
        pairs = []
        for horizon in self.horizons:
            returns = np.concatenate([self._returns(each, horizon) for each in panel.values()])[
                rows
            ]
            held = returns[~np.isnan(returns)]
            if len(held) < _FEWEST_RETURNS:
                raise DataError(
                    f"Only {len(held)} of {len(rows)} training rows have a known return over "
                    f"{horizon.in_words}; three_class_quantiles learns from {_FEWEST_RETURNS} or "
                    "more. Train on more rows, or choose a shorter horizon."
                )
            lower, upper = np.quantile(held, [self.lower, self.upper])
            pairs.append((float(lower) * 1e4, float(upper) * 1e4))
        return ThreeClass(
            horizons=self.horizons,
            max_gap=self.max_gap,
            overnight=self.overnight,
            threshold_bps=tuple(pairs),
        )

    def _returns(self, bars: Bars, horizon: Horizon) -> Floats:
        returns, known_at = forward_return(bars, horizon, overnight=self.overnight)
        return np.where(self.across_hole(bars, horizon, known_at), np.nan, returns)

    def outcome(self, bars: Bars, horizon: Horizon) -> Outcome:
        raise unfitted("three_class_quantiles")


def unfitted(name: str) -> ConfigError:
    """What `outcome` of a label says that has learned nothing yet."""
    return ConfigError(
        f"Label {name} has learned nothing yet. Fit it on training rows first, "
        "label.fit(bars, rows), and use what that returns."
    )
