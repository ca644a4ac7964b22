"""Specialists, and a gate that says whom to listen to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("mixture_of_experts", family="neural", tasks=EVERY_TASK)
class MixtureOfExperts(Neural):
    """LSTMs that specialise, weighed by a gate that looks at the newest bar and the window's mean.

    Jacobs et al. (1991).
    """

    causal: ClassVar[bool] = True

    experts: int = Field(3, ge=1, le=64, description="LSTMs that share the work")
    hidden: int = Field(64, ge=1, le=4_096, description="numbers in the state of a layer")
    layers: int = Field(2, ge=1, le=64, description="layers of each LSTM")

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, steps, n_features) -> (batch, keep, n_outputs)."""
        from torch import cat, nn, stack  # noqa: PLC0415

        from ._steps import Carrying, State, advance  # noqa: PLC0415

        p = parts()

        class Mixture(Carrying):
            """(batch, steps, n_features) -> (batch, keep, n_outputs)."""

            def __init__(self, model: MixtureOfExperts) -> None:
                super().__init__()
                self.width = model.lookback
                size = (n_features, model.hidden, model.layers, model.dropout, model.lookback)
                self.experts = nn.ModuleList(
                    p.RecurrentHead(p.Recurrent("lstm", *size), p.head(model.hidden, n_outputs))
                    for _ in range(model.experts)
                )
                self.mean = p.TrailingMean(model.lookback, n_features)
                self.gate = nn.Sequential(
                    nn.Linear(2 * n_features, 16), nn.Tanh(), nn.Linear(16, model.experts)
                )

            def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
                said = stack([expert(bars, keep) for expert in self.experts], dim=-1)
                mean = self.mean(bars[:, 1 - self.width - keep :])
                return self.weigh(said, bars[:, -keep:], mean)

            def advance(self, x: Tensor, state: State) -> Tensor:
                said = stack([advance(expert, x, state) for expert in self.experts], dim=-1)
                return self.weigh(said, x, self.mean.advance(x, state))

            def weigh(self, said: Tensor, newest: Tensor, mean: Tensor) -> Tensor:
                """(..., n_outputs, experts) by trust in each -> (..., n_outputs)."""
                trust = self.gate(cat([newest, mean], dim=-1)).softmax(dim=-1)
                return (said * trust[..., None, :]).sum(dim=-1)  # type: ignore[no-any-return]

        return Mixture(self)
