"""Convolutions for shapes of a few bars, an LSTM for their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import nn


@register("cnn_lstm", family="neural", tasks=EVERY_TASK)
class CNNLSTM(Neural):
    """Two causal convolutions that find shapes of a few bars, then an LSTM over what they found.

    Sainath et al. (2015), without the fully connected layers before the last.
    """

    causal: ClassVar[bool] = True

    channels: int = Field(
        48, ge=1, le=4_096, description="numbers that a convolution finds at each bar"
    )
    kernel: int = Field(3, ge=2, le=1_000, description="bars that a convolution spans")
    hidden: int = Field(64, ge=1, le=4_096, description="numbers in the state of an LSTM layer")
    layers: int = Field(2, ge=1, le=64, description="LSTM layers, one on another")

    @model_validator(mode="after")
    def _leaves_steps(self) -> Self:
        if 2 * (self.kernel - 1) >= self.lookback:
            raise ConfigError(
                f"cnn_lstm: two convolutions of {self.kernel} bars leave nothing of a lookback of "
                f"{self.lookback}. Look back at least {2 * self.kernel - 1} bars."
            )
        return self

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, steps, n_features) -> (batch, keep, n_outputs)."""
        from torch import nn  # noqa: PLC0415

        from ._steps import Chain  # noqa: PLC0415

        p = parts()
        left = self.lookback - 2 * (self.kernel - 1)  # of a window, once convolved
        found = Chain(
            p.CausalConv(n_features, self.channels, self.kernel),
            nn.ReLU(),
            p.CausalConv(self.channels, self.channels, self.kernel),
            nn.ReLU(),
            p.Recurrent("lstm", self.channels, self.hidden, self.layers, self.dropout, left),
        )
        return p.RecurrentHead(found, p.head(self.hidden, n_outputs))  # type: ignore[no-any-return]
