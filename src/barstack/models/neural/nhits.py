"""N-HiTS: coarse first, then what is left at finer rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("nhits", family="neural", tasks=EVERY_TASK)
class NHiTS(Neural):
    """Blocks that pool the window less and less; each explains a part and leaves the rest.

    Challu et al. (2023), with all features in one window.
    """

    lookback: int = Field(24, ge=2)
    pools: tuple[int, ...] = Field((8, 4, 1), min_length=1)  # bars pooled into one, block by block
    hidden: int = Field(32, ge=1)

    @model_validator(mode="after")
    def _pools_fit(self) -> Self:
        for pool in self.pools:
            if not 1 <= pool <= self.lookback:
                raise ConfigError(
                    f"nhits: {pool} bars cannot be pooled in a lookback of {self.lookback}. Give "
                    "pools from 1 to the lookback."
                )
        return self

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, lookback, n_features) -> (batch, n_outputs)."""
        from torch import nn  # noqa: PLC0415

        p = parts()

        class Block(nn.Module):
            """(batch, n_features, lookback) -> what it explains of them, and its forecast."""

            def __init__(self, model: NHiTS, pool: int, last: bool) -> None:
                super().__init__()
                self.pool, self.lookback = pool, model.lookback
                self.knots = -(-model.lookback // pool)
                sizes = (self.knots * n_features, model.hidden, model.hidden)
                self.body = p.perceptron(*sizes, dropout=model.dropout)
                self.read = p.head(model.hidden, n_outputs)
                # Nobody looks at what the last block leaves.
                self.explain = None if last else nn.Linear(model.hidden, self.knots * n_features)

            def forward(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
                pooled = nn.functional.max_pool1d(x, self.pool, ceil_mode=True)
                found = self.body(pooled.flatten(1))
                if self.explain is None:
                    return None, self.read(found)
                coarse = self.explain(found).reshape(len(x), n_features, self.knots)
                size = self.lookback
                fine = nn.functional.interpolate(coarse, size, mode="linear", align_corners=False)
                return fine, self.read(found)

        class Blocks(nn.Module):
            """(batch, lookback, n_features) -> (batch, n_outputs)."""

            def __init__(self, model: NHiTS) -> None:
                super().__init__()
                final = len(model.pools) - 1
                self.blocks = nn.ModuleList(
                    Block(model, pool, place == final) for place, pool in enumerate(model.pools)
                )

            def forward(self, bars: Tensor) -> Tensor:
                left, forecast = bars.transpose(1, 2), 0.0
                for block in self.blocks:
                    explained, said = block(left)
                    forecast = forecast + said
                    left = left if explained is None else left - explained
                return forecast  # type: ignore[return-value]  # there is at least one block

        return Blocks(self)
