"""Meta-labels: whether a side that a rule takes earns more than it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, WithJsonSchema, model_validator

from barstack.bars import Bars, Panel
from barstack.core.arrays import Floats, Ints
from barstack.core.errors import ConfigError, DataError
from barstack.core.horizon import Horizon
from barstack.core.spec import Spec
from barstack.core.times import NEVER, KnownAt
from barstack.features import Feature, FeatureSet

from ._label import LABELS, Horizons, Label, Outcome, checked_outcome, latest_known_at, register
from ._returns import ForwardReturn
from ._triple_barrier import TripleBarrier


def _names(label: Label) -> str:
    return ", ".join(label.horizon_names)


class Side(Spec):
    """A rule that takes a side: long where a feature is above a value, short where below one.

    >>> from barstack.testing import walk
    >>> rule = Side(feature="rsi", above=70, below=30, against=True)
    >>> np.unique(rule.compute(walk(bars=400))).tolist()
    [-1, 0, 1]
    """

    feature: str
    params: dict[str, int | float] = Field(default_factory=dict)
    timeframe: str | None = None
    above: float = 0.0
    below: float = 0.0
    against: bool = False  # short where above, long where below

    @model_validator(mode="after")
    def _check(self) -> Side:
        if self.above < self.below:
            raise ConfigError(
                f"above, {self.above}, must not lie under below, {self.below}. Swap them, and "
                "write against: true to go short where the feature is high."
            )
        if self._column.needs_market:
            raise ConfigError(
                f"Feature {self.feature!r} looks at other symbols, which a side cannot. Choose "
                "one of the symbol's own."
            )
        return self

    @property
    def _column(self) -> Feature:
        return Feature(feature=self.feature, params=self.params, timeframe=self.timeframe)

    def compute(self, bars: Bars) -> Ints:
        """(n_bars,) 1 for long, -1 for short, 0 for none and while the feature is not known."""
        values = FeatureSet(features=(self._column,)).compute(bars).values[:, 0]
        side = (values > self.above).astype(np.int64) - (values < self.below)
        return -side if self.against else side

    def identity(self) -> list[Any]:
        """The feature by its formula, so that an edited one is another side."""
        return [self._column.identity(), self.above, self.below, self.against]


@register("meta", task="direction")
class Meta(Label):
    """1 where the side that a rule takes earns more than its costs over the holding, else 0.

    A model of it says which of the rule's trades to take. Decisions at which the rule takes no
    side have no label; `returns` are those of the side. López de Prado (2018), chapter 3.

    >>> from barstack.testing import walk
    >>> label = Meta(["1h"], side={"feature": "log_return"})
    >>> label.compute(walk(60)).values[-8:, 0]
    array([ 0.,  0.,  1.,  1.,  1.,  0.,  1., nan])
    """

    side: Side
    # How it is held: another label, by default `return`. The JSON Schema does not go into it, as
    # it would never come out again.
    base: (
        Annotated[Label, LABELS, WithJsonSchema({"type": ["string", "object"], "title": "Label"})]
        | None
    ) = None
    cost_bps: float = Field(2.0, ge=0, le=10_000)  # of a holding, both ways

    if TYPE_CHECKING:

        def __init__(
            self,
            horizons: Horizons,
            *,
            side: Side | Mapping[str, Any],
            base: Label | str | Mapping[str, Any] | None = None,
            cost_bps: float = 2.0,
            max_gap: str | None = None,
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _share_horizons(cls, values: Any) -> Any:
        """The base label is held as long as this one and need not say so."""
        base = values.get("base")
        if isinstance(base, str):
            base = {"label": base}
        if isinstance(base, dict) and "horizons" in values:
            base = {"horizons": values["horizons"]} | base
        return values | {"base": base}

    @model_validator(mode="after")
    def _check_base(self) -> Meta:
        name = (self._base.registered_as or ("", ""))[1]
        if self._base.fitted or isinstance(self._base, Meta):
            kind = "fitted" if self._base.fitted else "one of its own kind"
            raise ConfigError(
                f"The base label, {name}, is {kind}. "
                "Choose return or triple_barrier, or the label that fitting one returns."
            )
        if self._base.max_gap is not None:
            raise ConfigError(
                f"max_gap, {self._base.max_gap}, is written in base, where it does nothing. Write "
                "it beside base."
            )
        if self._base.horizons != self.horizons:
            raise ConfigError(
                f"The base label, {name}, has horizons {_names(self._base)}, not "
                f"{_names(self)}. Leave them out of base."
            )
        return self

    @property
    def _base(self) -> Label:
        return self.base or ForwardReturn(horizons=self.horizons)

    def latest_known_at(self, bars: Bars | Panel) -> KnownAt:
        return latest_known_at(self._base, bars)

    def newest_side(self, bars: Bars) -> int:
        return int(self.side.compute(bars)[-1])

    def outcome(self, bars: Bars, horizon: Horizon) -> Outcome:
        side = self.side.compute(bars)
        if not side.any():
            raise DataError(
                f"The rule of meta never takes a side on {bars!r}: {self.side.feature} is not "
                f"above {self.side.above}, nor below {self.side.below}. Move these."
            )
        held = checked_outcome(self._base, bars, horizon)
        known_at, returns = self._taken(bars, horizon, held, side)
        returns = side * returns
        known = (side != 0) & ~np.isnan(returns)
        earned = returns > self.cost_bps * 1e-4
        return Outcome(
            np.where(known, earned, np.nan),
            np.where(known, returns, np.nan),
            KnownAt(np.where(known, known_at, NEVER)),
            held.eligible & (side != 0),
            side,
        )

    def _taken(
        self, bars: Bars, horizon: Horizon, held: Outcome, side: Ints
    ) -> tuple[KnownAt, Floats]:
        """When each holding is known, and the price's return over it."""
        if not isinstance(self._base, TripleBarrier):
            return held.known_at, held.returns
        # A short holding has its barriers the other way up, and its own bad luck within a bar.
        short = self._base.outcome_short(bars, horizon)
        return (
            KnownAt(np.where(side < 0, short.known_at, held.known_at)),
            np.where(side < 0, short.returns, held.returns),
        )
