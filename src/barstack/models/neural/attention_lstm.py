"""An LSTM that looks back at its own earlier states."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("attention_lstm", family="neural", tasks=EVERY_TASK)
class AttentionLSTM(Neural):
    """An LSTM whose latest state attends to those of the `lookback` bars. Luong et al. (2015)."""

    causal: ClassVar[bool] = True

    hidden: int = Field(60, ge=1, le=4_096, description="numbers in the state of a layer")
    layers: int = Field(2, ge=1, le=64, description="LSTM layers, one on another")

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, steps, n_features) -> (batch, keep, n_outputs)."""
        from torch import cat, nn  # noqa: PLC0415

        from ._attention import attend  # noqa: PLC0415
        from ._steps import Carrying, State, Trail  # noqa: PLC0415

        p = parts()

        class Attending(Carrying):
            """(batch, steps, n_features) -> (batch, keep, n_outputs)."""

            def __init__(self, model: AttentionLSTM) -> None:
                super().__init__()
                hidden, self.width = model.hidden, model.lookback
                sizes = (n_features, hidden, model.layers, model.dropout, model.lookback)
                self.states = p.Recurrent("lstm", *sizes)
                self.trail = Trail(model.lookback, hidden)
                self.query = nn.Linear(hidden, hidden, bias=False)
                self.join = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.Tanh())
                self.read = p.head(hidden, n_outputs)

            def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
                return self.look(self.states(bars), keep)

            def advance(self, x: Tensor, state: State) -> Tensor:
                return self.look(self.trail.advance(self.states.advance(x, state), state), 1)[0]

            def look(self, states: Tensor, keep: int) -> Tensor:
                """(batch, steps, hidden) -> (batch, keep, n_outputs)."""
                latest = states[:, -keep:]
                key, alike = states[:, None], states.new_zeros(1, self.width)
                seen = attend(self.query(latest)[:, None], key, key, alike)
                return self.read(self.join(cat([seen[:, 0], latest], dim=-1)))  # type: ignore[no-any-return]

        return Attending(self)
