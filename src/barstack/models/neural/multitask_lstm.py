"""One LSTM for several tasks, a tower for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("multitask_lstm", family="neural", tasks=EVERY_TASK)
class MultitaskLSTM(Neural):
    """One LSTM shared by all horizons, and a small network of its own for each. Caruana (1997)."""

    causal: ClassVar[bool] = True

    hidden: int = Field(60, ge=1, le=4_096, description="numbers in the state of a layer")
    layers: int = Field(2, ge=1, le=64, description="LSTM layers, one on another")
    tower: int = Field(
        32, ge=1, le=4_096, description="width of each horizon's own layer, in units"
    )

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, steps, n_features) -> (batch, keep, n_outputs); a tower for each output."""
        from torch import cat, nn  # noqa: PLC0415

        p = parts()

        class Towers(nn.Module):
            """(batch, keep, hidden) -> (batch, keep, n_outputs)."""

            def __init__(self, hidden: int, tower: int, dropout: float) -> None:
                super().__init__()
                self.each = nn.ModuleList(
                    nn.Sequential(
                        p.perceptron(hidden, tower, dropout=dropout),
                        p.head(tower, 1),
                    )
                    for _ in range(n_outputs)
                )

            def forward(self, states: Tensor) -> Tensor:
                return cat([tower(states) for tower in self.each], dim=-1)

        sizes = (n_features, self.hidden, self.layers, self.dropout, self.lookback)
        recurrent = p.Recurrent("lstm", *sizes)
        return p.RecurrentHead(recurrent, Towers(self.hidden, self.tower, self.dropout))  # type: ignore[no-any-return]
