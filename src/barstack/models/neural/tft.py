"""Temporal Fusion Transformer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("tft", family="neural", tasks=EVERY_TASK)
class TFT(Neural):
    """Chooses among features at each bar, reads them in order, then looks back. Lim et al. (2021).

    Variable selection, gated residuals, an LSTM, and attention whose heads share their values so
    that it can be read. Each feature has an embedding but no network of its own, and no inputs
    are known ahead of time.
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
        """(batch, steps, n_features) -> (batch, keep, n_outputs)."""
        from torch import nn, zeros  # noqa: PLC0415

        from ._steps import Carrying, State, Trail  # noqa: PLC0415

        p = parts()

        class Selection(nn.Module):
            """(batch, steps, n_features) -> (batch, steps, width), a weighted mean of features."""

            def __init__(self, width: int, dropout: float) -> None:
                super().__init__()
                self.choose = p.GatedResidual(n_features, width, n_features, dropout)
                self.slope = nn.Linear(n_features, width, bias=False)
                self.level = nn.Parameter(zeros(n_features, width))

            def forward(self, bars: Tensor) -> Tensor:
                weights = self.weights(bars)
                return self.slope(weights * bars * n_features) + weights @ self.level  # type: ignore[no-any-return]

            def weights(self, bars: Tensor) -> Tensor:
                """(batch, steps, n_features) how much each counts at each step; they sum to 1."""
                return self.choose(bars).softmax(dim=-1)  # type: ignore[no-any-return]

        class Fusion(Carrying):
            """(batch, steps, n_features) -> (batch, keep, n_outputs)."""

            def __init__(self, model: TFT) -> None:
                super().__init__()
                width, drop = model.width, model.dropout
                self.select = Selection(width, drop)
                self.order = p.Recurrent("lstm", width, width, 1, drop, model.lookback)
                self.after_order = p.GatedSkip(width, width, drop)
                self.enrich = p.GatedResidual(width, width, width, drop)
                self.trail = Trail(model.lookback, width)
                self.attend = p.BandAttention(width, model.heads, model.lookback, drop, True)
                self.after_attention = p.GatedSkip(width, width, drop)
                self.think = p.GatedResidual(width, width, width, drop)
                self.last = p.GatedSkip(width, width, drop)
                self.read = p.head(width, n_outputs)

            def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
                chosen = self.select(bars)
                ordered = self.after_order(self.order(chosen), chosen)
                return self.look(self.enrich(ordered), ordered[:, -keep:])

            def advance(self, x: Tensor, state: State) -> Tensor:
                chosen = self.select(x)
                ordered = self.after_order(self.order.advance(chosen, state), chosen)
                rich = self.trail.advance(self.enrich(ordered), state)
                return self.look(rich, ordered[None, :1])[0]

            def look(self, rich: Tensor, ordered: Tensor) -> Tensor:
                """(batch, steps, width), (batch, keep, width) -> (batch, keep, n_outputs)."""
                keep = ordered.shape[1]
                latest = self.after_attention(self.attend(rich, keep), rich[:, -keep:])
                return self.read(self.last(self.think(latest), ordered))  # type: ignore[no-any-return]

        return Fusion(self)
