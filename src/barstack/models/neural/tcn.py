"""Dilated causal convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from .._model import EVERY_TASK, register
from ._neural import Neural
from ._torch import parts

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("tcn", family="neural", tasks=EVERY_TASK)
class TCN(Neural):
    """Residual blocks of dilated causal convolutions, as many as `lookback` has room for.

    Bai, Kolter, Koltun (2018). Dilations double; the last block's fills what is left.
    """

    causal: ClassVar[bool] = True

    lookback: int = Field(
        24, ge=5, le=100_000, description="bars that a forecast looks at; one block needs 5"
    )
    channels: int = Field(56, ge=1, le=4_096, description="numbers that a block finds at each bar")

    @property
    def dilations(self) -> tuple[int, ...]:
        """Of each block; a block of two kernels of three bars reaches back four times as far.

        >>> TCN(lookback=24).dilations, TCN(lookback=60).dilations
        ((1, 2, 2), (1, 2, 4, 7))
        """
        found: list[int] = []
        while left := (self.lookback - 1 - 4 * sum(found)) // 4:
            found.append(min(2 ** len(found), left))
        return tuple(found)

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """(batch, steps, n_features) -> (batch, keep, n_outputs)."""
        from torch import nn  # noqa: PLC0415

        from ._steps import Carrying, Chain, State  # noqa: PLC0415

        p = parts()

        class Block(nn.Module):
            """(batch, steps, width) -> (batch, steps - 4 * dilation, channels)."""

            def __init__(self, width: int, out: int, dilation: int, dropout: float) -> None:
                super().__init__()
                self.reach = 4 * dilation
                self.body = Chain(
                    p.CausalConv(width, out, 3, dilation),
                    nn.ReLU(),
                    p.Dropout(dropout),
                    p.CausalConv(out, out, 3, dilation),
                    nn.ReLU(),
                    p.Dropout(dropout),
                )
                self.skip = nn.Identity() if width == out else nn.Linear(width, out)

            def forward(self, x: Tensor) -> Tensor:
                return self.body(x) + self.skip(x[:, self.reach :])  # type: ignore[no-any-return]

            def advance(self, x: Tensor, state: State) -> Tensor:
                """(1, width) -> (1, channels)."""
                return self.body.advance(x, state) + self.skip(x)  # type: ignore[no-any-return]

        class Blocks(Carrying):
            """(batch, steps, n_features) -> (batch, keep, n_outputs)."""

            def __init__(self, model: TCN) -> None:
                super().__init__()
                widths = (n_features, *(model.channels for _ in model.dilations))
                sizes = zip(widths, widths[1:], model.dilations, strict=False)
                self.blocks = Chain(*(Block(*size, model.dropout) for size in sizes))
                self.reach = 4 * sum(model.dilations)
                self.read = p.head(model.channels, n_outputs)

            def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
                return self.read(self.blocks(bars[:, -keep - self.reach :]))  # type: ignore[no-any-return]

            def advance(self, x: Tensor, state: State) -> Tensor:
                return self.read(self.blocks.advance(x, state))  # type: ignore[no-any-return]

        return Blocks(self)
