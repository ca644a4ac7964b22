"""Trend and remainder, each read by one linear map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("dlinear", family="neural", tasks=EVERY_TASK)
class DLinear(Neural):
    """Each feature as its moving mean and the rest, and linear in both. Zeng et al. (2023).

    All features share `readings` linear maps over time, and one more joins what they read.
    """

    trend_bars: int = Field(13, ge=3)  # bars in the moving mean; odd
    readings: int = Field(8, ge=1)

    @model_validator(mode="after")
    def _has_a_middle(self) -> Self:
        if self.trend_bars % 2 == 0:
            raise ConfigError(
                f"dlinear: a mean of {self.trend_bars} bars has no middle. Take an odd number."
            )
        return self

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, lookback, n_features) -> (batch, n_outputs)."""
        from torch import cat, nn  # noqa: PLC0415

        p = parts()

        class Decomposed(nn.Module):
            """(batch, lookback, n_features) -> (batch, n_outputs)."""

            def __init__(self, model: DLinear) -> None:
                super().__init__()
                self.side = model.trend_bars // 2
                self.trend = nn.Linear(model.lookback, model.readings)
                self.rest = nn.Linear(model.lookback, model.readings)
                self.drop = nn.Dropout(model.dropout)
                self.read = p.head(2 * model.readings * n_features, n_outputs)

            def forward(self, bars: Tensor) -> Tensor:
                x = bars.transpose(1, 2)  # (batch, n_features, lookback)
                padded = nn.functional.pad(x, (self.side, self.side), mode="replicate")
                trend = nn.functional.avg_pool1d(padded, 2 * self.side + 1, stride=1)
                found = cat([self.trend(trend), self.rest(x - trend)], dim=-1)
                return self.read(self.drop(found.flatten(1)))  # type: ignore[no-any-return]

        return Decomposed(self)
