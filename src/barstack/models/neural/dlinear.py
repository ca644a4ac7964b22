"""Trend and remainder, each read by one linear map."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

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

    fuses: ClassVar[bool] = True

    trend_bars: int = Field(13, ge=3, le=100_001, description="bars in the moving mean; odd")
    readings: int = Field(
        8, ge=1, le=1_024, description="linear maps over time that all features share"
    )

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
        from ._stacked import linear  # noqa: PLC0415

        class Decomposed(nn.Module):
            """(batch, lookback, n_features) -> (batch, n_outputs)."""

            def __init__(self, model: DLinear) -> None:
                super().__init__()
                self.trend = nn.Linear(model.lookback, model.readings)
                self.rest = nn.Linear(model.lookback, model.readings)
                self.drop = p.Dropout(model.dropout)
                self.read = p.head(2 * model.readings * n_features, n_outputs)
                self.smooth: Tensor
                smooth = moving_mean(model.lookback, model.trend_bars)
                self.register_buffer("smooth", smooth, persistent=False)

            def forward(self, bars: Tensor) -> Tensor:
                # What reads the mean of the bars reads the bars with its weights averaged: a
                # handful of numbers where the bars are many.
                trend, rest = self.trend.weight @ self.smooth, self.rest.weight
                weight = cat([trend, rest - rest @ self.smooth], dim=-2)
                bias = cat([self.trend.bias, self.rest.bias], dim=-1)
                found = linear(bars.transpose(-1, -2), weight, bias)
                return self.read(self.drop(found.flatten(-2)))  # type: ignore[no-any-return]

        return Decomposed(self)


def moving_mean(lookback: int, width: int) -> Tensor:
    """(lookback, lookback): each bar's mean of `width` around it, the outermost bars repeated.

    >>> moving_mean(4, 3).mul(3).int().tolist()
    [[2, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 2]]
    """
    from torch import eye, nn  # noqa: PLC0415

    side = width // 2
    padded = nn.functional.pad(eye(lookback, device="cpu"), (side, side), mode="replicate")
    # In rows: what a product with columns rounds to depends on where in memory the other one lies.
    return nn.functional.avg_pool1d(padded, width, stride=1).T.contiguous()
