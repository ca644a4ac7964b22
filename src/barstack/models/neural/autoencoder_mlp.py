"""A supervised autoencoder in front of a plain network."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("autoencoder_mlp", family="neural", tasks=EVERY_TASK)
class AutoencoderMLP(Neural):
    """A network over the features and a short code of them, trained to rebuild them as well.

    After Bengio et al. (2007): noise goes in, the code must rebuild the clean features and be
    useful for the forecast at once. By default it sees the newest bar only.
    """

    fuses: ClassVar[bool] = True

    lookback: int = Field(1, ge=1, le=100_000, description="bars that a forecast looks at")
    code: int = Field(
        24, ge=1, le=4_096, description="numbers in the code that stands for the features"
    )
    hidden: tuple[int, ...] = Field(
        (96, 64), min_length=1, description="widths of the layers, in units"
    )
    noise: float = Field(
        0.1, ge=0, description="deviation of what is added to scaled features in training"
    )
    rebuild: float = Field(
        0.1, ge=0, description="how much rebuilding the features counts beside the forecast"
    )

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, lookback, n_features) -> (batch, n_outputs)."""
        from torch import cat, nn  # noqa: PLC0415

        p = parts()
        from ._random import Noise  # noqa: PLC0415
        from ._stacked import Linear  # noqa: PLC0415

        class Supervised(nn.Module):
            """(batch, lookback, n_features) -> (batch, n_outputs); `side_loss` in training."""

            def __init__(self, model: AutoencoderMLP) -> None:
                super().__init__()
                inputs = model.lookback * n_features
                self.noise, self.rebuild = Noise(model.noise), model.rebuild
                self.encode = nn.Sequential(Linear(inputs, model.code), nn.SiLU())
                self.decode = Linear(model.code, inputs)
                widths = (inputs + model.code, *model.hidden)
                self.body = p.perceptron(*widths, dropout=model.dropout)
                self.read = p.head(model.hidden[-1], n_outputs)
                self.side_loss: Tensor | None = None

            def forward(self, bars: Tensor) -> Tensor:
                flat = bars.flatten(-2)
                code = self.encode(self.noise(flat))
                if self.training:
                    error = nn.functional.huber_loss(self.decode(code), flat, reduction="none")
                    self.side_loss = self.rebuild * error.mean(dim=(-2, -1))
                return self.read(self.body(cat([flat, code], dim=-1)))  # type: ignore[no-any-return]

        return Supervised(self)
