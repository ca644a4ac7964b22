"""Causal self-attention over the latest bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("transformer", family="neural", tasks=EVERY_TASK)
class Transformer(Neural):
    """Self-attention in which each bar looks back a fixed way. Vaswani et al. (2017).

    A layer looks back so far that all of them together reach `lookback` bars, as in Beltagy et
    al. (2020), and knows bars by how far back they lie (Press et al. 2022): a forecast is then the
    same in a window and in a chunk.
    """

    causal: ClassVar[bool] = True

    width: int = Field(64, ge=1, le=4_096, description="numbers that stand for a bar")
    heads: int = Field(4, ge=1, le=64, description="attentions side by side")
    layers: int = Field(2, ge=1, le=64, description="attention layers, one on another")
    inner: int = Field(
        104, ge=1, le=16_384, description="width within the feed-forward layers, in units"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads:
            raise ConfigError(
                f"transformer: width {self.width} cannot be shared by {self.heads} heads. Make it "
                "a multiple."
            )
        if self.layers >= self.lookback:
            raise ConfigError(
                f"transformer: {self.layers} layers cannot share a lookback of {self.lookback} "
                "bars. Take fewer layers."
            )
        return self

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, steps, n_features) -> (batch, keep, n_outputs)."""
        from torch import nn  # noqa: PLC0415

        from ._steps import Carrying, State, advance  # noqa: PLC0415

        p = parts()
        looks = (self.lookback - 1) // self.layers + 1  # bars in one layer's sight

        class Layer(nn.Module):
            """(batch, steps, width) -> (batch, keep, width)."""

            def __init__(self, model: Transformer) -> None:
                super().__init__()
                self.first, self.second = nn.LayerNorm(model.width), nn.LayerNorm(model.width)
                self.attend = p.SlidingAttention(model.width, model.heads, looks, model.dropout)
                self.think = nn.Sequential(
                    p.perceptron(model.width, model.inner, dropout=model.dropout),
                    nn.Linear(model.inner, model.width),
                    p.Dropout(model.dropout),
                )

            def forward(self, x: Tensor, keep: int) -> Tensor:
                x = x[:, -keep:] + self.attend(self.first(x), keep)
                return x + self.think(self.second(x))  # type: ignore[no-any-return]

            def advance(self, x: Tensor, state: State) -> Tensor:
                """(1, width) -> (1, width)."""
                x = x + self.attend.advance(self.first(x), state)
                return x + self.think(self.second(x))  # type: ignore[no-any-return]

        class Encoder(Carrying):
            """(batch, steps, n_features) -> (batch, keep, n_outputs)."""

            def __init__(self, model: Transformer) -> None:
                super().__init__()
                self.enter = nn.Linear(n_features, model.width)
                self.layers = nn.ModuleList(Layer(model) for _ in range(model.layers))
                self.norm = nn.LayerNorm(model.width)
                self.read = p.head(model.width, n_outputs)

            def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
                later = keep + (looks - 1) * len(self.layers)  # steps that later layers look at
                x = self.enter(bars[:, -later:])
                for layer in self.layers:
                    later -= looks - 1
                    x = layer(x, later)
                return self.read(self.norm(x))  # type: ignore[no-any-return]

            def advance(self, x: Tensor, state: State) -> Tensor:
                x = self.enter(x)
                for layer in self.layers:
                    x = advance(layer, x, state)
                return self.read(self.norm(x))  # type: ignore[no-any-return]

        return Encoder(self)
