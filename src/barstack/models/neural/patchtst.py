"""Attention over patches of each feature by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("patchtst", family="neural", tasks=EVERY_TASK)
class PatchTST(Neural):
    """Cuts each feature into patches that attend to one another. Nie et al. (2023).

    All features share the encoder; a small layer joins what it made of each. Features come scaled
    by what training rows showed, so windows are not normalised once more, one by one.
    """

    fuses: ClassVar[bool] = True

    patch: int = Field(8, ge=1, le=10_000, description="bars in a patch")
    stride: int = Field(4, ge=1, le=10_000, description="bars from one patch to the next")
    width: int = Field(24, ge=1, le=4_096, description="numbers that stand for a patch")
    heads: int = Field(4, ge=1, le=64, description="attentions side by side")
    layers: int = Field(2, ge=1, le=64, description="attention layers, one on another")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.patch > self.lookback:
            raise ConfigError(
                f"patchtst: no patch of {self.patch} bars fits a lookback of {self.lookback}."
                " Look back further, or make patches shorter."
            )
        if self.width % self.heads:
            raise ConfigError(
                f"patchtst: width {self.width} cannot be shared by {self.heads} heads. Make it a "
                "multiple."
            )
        return self

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, lookback, n_features) -> (batch, n_outputs)."""
        from torch import nn, zeros  # noqa: PLC0415

        p = parts()
        from ._attention import small_attention  # noqa: PLC0415
        from ._stacked import LayerNorm, Linear  # noqa: PLC0415

        n_patches = (self.lookback - self.patch) // self.stride + 1

        class Layer(nn.Module):
            """(sequences, n_patches, width) -> the same."""

            def __init__(self, model: PatchTST) -> None:
                super().__init__()
                width, self.heads = model.width, model.heads
                self.first, self.second = LayerNorm(width), LayerNorm(width)
                self.mix, self.out = Linear(width, 3 * width), Linear(width, width)
                self.drop = p.Dropout(model.dropout)
                self.think = nn.Sequential(
                    p.perceptron(width, 2 * width, dropout=model.dropout),
                    Linear(2 * width, width),
                )

            def forward(self, x: Tensor) -> Tensor:
                mixed = self.mix(self.first(x)).unflatten(-1, (3, self.heads, -1))
                query, key, value = mixed.transpose(-4, -2).unbind(-3)
                seen = small_attention(query, key, value).transpose(-3, -2)
                x = x + self.drop(self.out(seen.reshape(x.shape)))
                return x + self.drop(self.think(self.second(x)))  # type: ignore[no-any-return]

        class Patches(nn.Module):
            """(batch, lookback, n_features) -> (batch, n_outputs)."""

            def __init__(self, model: PatchTST) -> None:
                super().__init__()
                self.patch, self.stride = model.patch, model.stride
                self.enter = Linear(model.patch, model.width)
                self.place = nn.Parameter(zeros(n_patches, model.width))
                self.layers = nn.Sequential(*(Layer(model) for _ in range(model.layers)))
                self.join = Linear(n_patches * model.width, 16)
                self.drop = p.Dropout(model.dropout)
                # Bent, as what two features say together is seen nowhere before.
                self.meet = p.perceptron(16 * n_features, 32, dropout=model.dropout)
                self.read = p.head(32, n_outputs)

            def forward(self, bars: Tensor) -> Tensor:
                # The latest bars are always within a patch; what is over is the oldest.
                whole = self.patch + (n_patches - 1) * self.stride
                cut = bars[..., -whole:, :].transpose(-1, -2).unfold(-1, self.patch, self.stride)
                x = self.enter(cut.flatten(-4, -3)) + self.place[..., None, :, :]
                found = nn.functional.relu(self.join(self.layers(x).flatten(-2)))
                together = self.meet(self.drop(found.reshape(*bars.shape[:-2], -1)))
                return self.read(together)  # type: ignore[no-any-return]

        return Patches(self)
