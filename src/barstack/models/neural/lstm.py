"""LSTM over the latest bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import nn


@register("lstm", family="neural", tasks=EVERY_TASK)
class LSTM(Neural):
    """Long short-term memory, read at its latest state. Hochreiter, Schmidhuber (1997)."""

    causal: ClassVar[bool] = True

    hidden: int = Field(64, ge=1, le=4_096, description="numbers in the state of a layer")
    layers: int = Field(2, ge=1, le=64, description="LSTM layers, one on another")

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, steps, n_features) -> (batch, keep, n_outputs)."""
        p = parts()
        sizes = (n_features, self.hidden, self.layers, self.dropout, self.lookback)
        recurrent = p.Recurrent("lstm", *sizes)
        return p.RecurrentHead(recurrent, p.head(self.hidden, n_outputs))  # type: ignore[no-any-return]
