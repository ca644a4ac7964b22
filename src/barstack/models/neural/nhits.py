"""N-HiTS: coarse first, then what is left at finer rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

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

    fuses: ClassVar[bool] = True

    lookback: int = Field(24, ge=2, le=100_000, description="bars that a forecast looks at")
    pools: tuple[int, ...] = Field(
        (8, 4, 1), min_length=1, description="bars pooled into one, block by block"
    )
    hidden: int = Field(32, ge=1, le=4_096, description="width of each block's layers, in units")

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
        from ._stacked import Linear, max_pool  # noqa: PLC0415

        class Block(nn.Module):
            """(batch, n_features, lookback) -> what it explains of them, and its forecast."""

            def __init__(self, model: NHiTS, pool: int, last: bool) -> None:
                super().__init__()
                self.pool, self.knots = pool, -(-model.lookback // pool)
                sizes = (self.knots * n_features, model.hidden, model.hidden)
                self.body = p.perceptron(*sizes, dropout=model.dropout)
                self.read = p.head(model.hidden, n_outputs)
                # Nobody looks at what the last block leaves.
                self.explain = None if last else Linear(model.hidden, self.knots * n_features)
                self.register_buffer("fill", between(self.knots, model.lookback), persistent=False)

            def forward(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
                found = self.body((x if self.pool == 1 else max_pool(x, self.pool)).flatten(-2))
                if self.explain is None:
                    return None, self.read(found)
                coarse = self.explain(found).reshape(*x.shape[:-1], self.knots)
                return coarse @ self.fill, self.read(found)

        class Blocks(nn.Module):
            """(batch, lookback, n_features) -> (batch, n_outputs)."""

            def __init__(self, model: NHiTS) -> None:
                super().__init__()
                final = len(model.pools) - 1
                self.blocks = nn.ModuleList(
                    Block(model, pool, place == final) for place, pool in enumerate(model.pools)
                )

            def forward(self, bars: Tensor) -> Tensor:
                left, forecast = bars.transpose(-1, -2).contiguous(), 0.0
                for block in self.blocks:
                    explained, said = block(left)
                    forecast = forecast + said
                    left = left if explained is None else left - explained
                return forecast  # type: ignore[return-value]  # there is at least one block

        return Blocks(self)


def between(knots: int, bars: int) -> Tensor:
    """(knots, bars) what each knot says of each bar, in straight lines from one to the next.

    >>> between(2, 4).tolist()
    [[1.0, 0.75, 0.25, 0.0], [0.0, 0.25, 0.75, 1.0]]
    """
    from torch import eye, nn  # noqa: PLC0415

    each = eye(knots, device="cpu")[None]
    return nn.functional.interpolate(each, bars, mode="linear", align_corners=False)[0]
