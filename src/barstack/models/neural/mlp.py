"""A plain network over the whole window."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import nn


@register("mlp", family="neural", tasks=EVERY_TASK)
class MLP(Neural):
    """Fully connected layers over all bars of the window side by side. Rosenblatt (1958)."""

    fuses: ClassVar[bool] = True

    lookback: int = Field(24, ge=1, le=100_000, description="bars that a forecast looks at")
    hidden: tuple[int, ...] = Field(
        (48, 48), min_length=1, description="widths of the layers, in units"
    )

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, lookback, n_features) -> (batch, n_outputs)."""
        from torch import nn  # noqa: PLC0415

        p = parts()
        widths = (self.lookback * n_features, *self.hidden)
        return nn.Sequential(
            nn.Flatten(-2),
            p.perceptron(*widths, dropout=self.dropout),
            p.head(self.hidden[-1], n_outputs),
        )
