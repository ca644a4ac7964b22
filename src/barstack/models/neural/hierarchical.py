"""An encoder for each timeframe, and attention across them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("hierarchical", family="neural", tasks=EVERY_TASK)
class Hierarchical(Neural):
    """Bars of several lengths, each read by convolutions of its own, then attention across them.

    A timeframe of 6 sees means of six bars, the latest six first: its bars end now, not where a
    clock says. After Shabani et al. (2023), with one pass and encoders side by side.
    """

    causal: ClassVar[bool] = True

    timeframes: tuple[int, ...] = Field(
        (1, 3, 6), min_length=1, description="bars in one bar of each length"
    )
    channels: int = Field(
        48, ge=1, le=4_096, description="numbers that stand for a bar of each length"
    )
    heads: int = Field(4, ge=1, le=64, description="attentions side by side")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.channels % self.heads:
            raise ConfigError(
                f"hierarchical: {self.channels} channels cannot be shared by {self.heads} heads. "
                "Make them a multiple."
            )
        for timeframe in self.timeframes:
            if timeframe < 1 or 3 * timeframe > self.lookback:
                raise ConfigError(
                    f"hierarchical: timeframe {timeframe} does not fit into a lookback of "
                    f"{self.lookback} bars three times. Look back further, or leave it out."
                )
        return self

    def dilations(self, timeframe: int) -> tuple[int, ...]:
        """Of the convolutions over bars of one timeframe, doubling while `lookback` has room.

        >>> [Hierarchical().dilations(each) for each in (1, 3, 6)]
        [(1, 2, 4), (3, 6), (6,)]
        """
        found = [timeframe]
        while timeframe + 2 * (sum(found) + 2 * found[-1]) <= self.lookback:
            found.append(2 * found[-1])
        return tuple(found)

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, steps, n_features) -> (batch, keep, n_outputs)."""
        from torch import nn, relu, stack  # noqa: PLC0415

        from ._attention import across  # noqa: PLC0415
        from ._steps import Carrying, State, advance  # noqa: PLC0415

        p = parts()

        class Timeframe(nn.Module):
            """(batch, steps, n_features) -> (batch, keep, channels)."""

            def __init__(self, model: Hierarchical, timeframe: int) -> None:
                super().__init__()
                dilations = model.dilations(timeframe)
                self.reach = timeframe - 1 + 2 * sum(dilations)
                alone = timeframe == 1
                self.mean = nn.Identity() if alone else p.TrailingMean(timeframe, n_features)
                self.enter = nn.Linear(n_features, model.channels)
                self.convs = nn.ModuleList(
                    p.CausalConv(model.channels, model.channels, 3, dilation)
                    for dilation in dilations
                )
                self.drop = p.Dropout(model.dropout)

            def forward(self, bars: Tensor, keep: int) -> Tensor:
                x = self.enter(self.mean(bars[:, -keep - self.reach :]))
                for conv in self.convs:
                    x = self.drop(relu(conv(x))) + x[:, conv.reach :]
                return x  # type: ignore[no-any-return]

            def advance(self, x: Tensor, state: State) -> Tensor:
                """(1, n_features) -> (1, channels)."""
                x = self.enter(advance(self.mean, x, state))
                for conv in self.convs:
                    x = relu(advance(conv, x, state)) + x
                return x

        class Across(Carrying):
            """(batch, steps, n_features) -> (batch, keep, n_outputs)."""

            def __init__(self, model: Hierarchical) -> None:
                super().__init__()
                width = model.channels
                self.timeframes = nn.ModuleList(Timeframe(model, n) for n in model.timeframes)
                self.heads, self.norm = model.heads, nn.LayerNorm(width)
                self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
                self.read = p.head(width * len(model.timeframes), n_outputs)

            def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
                return self.look(stack([each(bars, keep) for each in self.timeframes]))

            def advance(self, x: Tensor, state: State) -> Tensor:
                found = stack([advance(each, x, state) for each in self.timeframes])
                return self.look(found[:, None])[0]

            def look(self, x: Tensor) -> Tensor:
                """(timeframes, batch, keep, channels) -> (batch, keep, n_outputs)."""
                x = x + self.out(self.attend(self.norm(x)))
                return self.read(x.permute(1, 2, 0, 3).flatten(2))  # type: ignore[no-any-return]

            def attend(self, x: Tensor) -> Tensor:
                """(timeframes, batch, keep, channels), each step by itself, over its timeframes."""
                timeframes, n, keep, _ = x.shape
                steps = x.flatten(1, 2).transpose(1, 2)
                lines = self.mix.weight @ steps + self.mix.bias[:, None]
                seen = across(lines.reshape(timeframes, 3, self.heads, -1, n * keep))
                return seen.flatten(1, 2).transpose(1, 2).reshape(x.shape)

        return Across(self)
