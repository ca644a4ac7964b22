"""One column of a feature table as a spec: a registered feature, its parameters, its timeframe."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import Field, field_validator, model_validator

from barstack.core.errors import ConfigError
from barstack.core.spec import Spec
from barstack.core.times import canonical_duration

from ._kernel import FEATURES, Kernel, shortest
from ._view import MARKET


class Feature(Spec):
    """One column: a registered feature, its parameters, and the timeframe of its bars.

    >>> Feature(feature="rsi", params={"window": 7}, timeframe="1h").name
    'rsi_7@1h'
    """

    feature: str
    params: dict[str, int | float] = Field(default_factory=dict)
    timeframe: str | None = None  # such as 4h or 1d; by default the bars' own

    @field_validator("timeframe")
    @classmethod
    def _canonical(cls, text: str | None) -> str | None:
        return text if text is None else canonical_duration(text)

    @model_validator(mode="after")
    def _check(self) -> Feature:
        self.kernel.check_params(self.params)
        if self.timeframe is not None and self.needs_market:
            raise ConfigError(
                f"Feature {self.feature!r} uses other symbols and takes no timeframe "
                f"{self.timeframe}: leave it out, or resample all bars."
            )
        return self

    def identity(self) -> list[Any]:
        """The formula itself and all parameters: an edited kernel is another feature, an explicit
        default is not."""
        return [self.kernel.name, self.kernel.code_id, list(self.values), self.timeframe]

    @cached_property
    def kernel(self) -> Kernel:
        return FEATURES.get(self.feature)

    @cached_property
    def values(self) -> tuple[int | float, ...]:
        """Parameters in the kernel's order, each in the type of its default."""
        return tuple(
            type(default)(self.params.get(name, default))
            for name, default in self.kernel.params.items()
        )

    @property
    def name(self) -> str:
        """Column name, such as `rsi_14` or `rsi_14@1d`."""
        text = "_".join([self.feature, *map(shortest, self.values)])
        return f"{text}@{self.timeframe}" if self.timeframe else text

    @property
    def needs_market(self) -> bool:
        """Whether it uses other symbols."""
        return not set(self.kernel.inputs).isdisjoint(MARKET)

    @property
    def warmup(self) -> int:
        """Bars of its timeframe before the first value."""
        return self.kernel.warmup_for(self.values)
