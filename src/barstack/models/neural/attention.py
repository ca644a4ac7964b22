"""Attention models: transformer, PatchTST and Temporal Fusion Transformer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural

if TYPE_CHECKING:
    from torch import nn


@register("transformer", family="neural", tasks=EVERY_TASK)
class Transformer(Neural):
    """Self-attention in which each bar looks back a fixed way. Vaswani et al. (2017).

    A layer looks back so far that all of them together reach `lookback` bars, as in Beltagy et
    al. (2020), and knows bars by how far back they lie (Press et al. 2022): a forecast is then the
    same in a window and in a chunk.

    >>> network = Transformer().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    61810
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
        from .networks.attention import TransformerNetwork  # noqa: PLC0415

        return TransformerNetwork(
            n_features,
            n_outputs,
            width=self.width,
            heads=self.heads,
            layers=self.layers,
            inner=self.inner,
            dropout=self.dropout,
            window=self.lookback,
        )


@register("patchtst", family="neural", tasks=EVERY_TASK)
class PatchTST(Neural):
    """Cuts each feature into patches that attend to one another. Nie et al. (2023).

    All features share the encoder; a small layer joins what it made of each. Features are scaled
    on training rows already, so windows are not normalised once more, one by one.

    >>> network = PatchTST().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    17234
    """

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
        from .networks.attention import PatchNetwork  # noqa: PLC0415

        return PatchNetwork(
            n_features,
            n_outputs,
            patch=self.patch,
            stride=self.stride,
            width=self.width,
            heads=self.heads,
            layers=self.layers,
            dropout=self.dropout,
            window=self.lookback,
        )


@register("tft", family="neural", tasks=EVERY_TASK)
class TFT(Neural):
    """Chooses among features at each bar, reads them in order, then looks back. Lim et al. (2021).

    Variable selection, gated residuals, an LSTM, and attention whose heads share their values so
    that it can be read. Each feature has an embedding but no network of its own, and no inputs
    are known ahead of time.

    >>> network = TFT().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    124119
    """

    causal: ClassVar[bool] = True

    width: int = Field(68, ge=1, le=4_096, description="numbers that stand for a bar")
    heads: int = Field(4, ge=1, le=64, description="attentions side by side")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ConfigError(
                f"tft: width {self.width} cannot be shared by {self.heads} heads. Make it a "
                "multiple."
            )
        return self

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.attention import FusionTransformer  # noqa: PLC0415

        return FusionTransformer(
            n_features,
            n_outputs,
            width=self.width,
            heads=self.heads,
            dropout=self.dropout,
            window=self.lookback,
        )
