"""Convolutional networks: dilated causal convolutions, and one encoder for each timeframe.

Shapes: (batch, steps, n_features) -> (batch, keep, n_outputs).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from ._attention import across
from ._carried import CarriedState, SteppingNetwork, SteppingSequential, advance
from ._dropout import Dropout
from ._layers import CausalConv, TrailingMean, head


class _ResidualBlock(nn.Module):
    """(batch, steps, width) -> (batch, steps - 4 * dilation, channels)."""

    def __init__(self, width: int, out: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.reach = 4 * dilation
        self.body = SteppingSequential(
            CausalConv(width, out, 3, dilation),
            nn.ReLU(),
            Dropout(dropout),
            CausalConv(out, out, 3, dilation),
            nn.ReLU(),
            Dropout(dropout),
        )
        self.skip = nn.Identity() if width == out else nn.Linear(width, out)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.body(x) + self.skip(x[:, self.reach :]))

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        """(1, width) -> (1, channels)."""
        return cast(Tensor, self.body.advance(x, state) + self.skip(x))


class TemporalConvolutions(SteppingNetwork):
    """Residual blocks of dilated causal convolutions."""

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        channels: int,
        dilations: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        widths = pairwise((n_features, *(channels for _ in dilations)))
        self.blocks = SteppingSequential(
            *(
                _ResidualBlock(*width, dilation, dropout)
                for width, dilation in zip(widths, dilations, strict=True)
            )
        )
        self.reach = 4 * sum(dilations)
        self.read = head(channels, n_outputs)

    def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
        return cast(Tensor, self.read(self.blocks(bars[:, -keep - self.reach :])))

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        return cast(Tensor, self.read(self.blocks.advance(x, state)))


class _TimeframeEncoder(nn.Module):
    """(batch, steps, n_features) -> (batch, keep, channels)."""

    def __init__(
        self, n_features: int, channels: int, timeframe: int, dilations: Sequence[int], drop: float
    ) -> None:
        super().__init__()
        self.reach = timeframe - 1 + 2 * sum(dilations)
        self.mean = nn.Identity() if timeframe == 1 else TrailingMean(timeframe, n_features)
        self.enter = nn.Linear(n_features, channels)
        self.convs = nn.ModuleList(
            CausalConv(channels, channels, 3, dilation) for dilation in dilations
        )
        self.drop = Dropout(drop)

    def forward(self, bars: Tensor, keep: int) -> Tensor:
        x = self.enter(self.mean(bars[:, -keep - self.reach :]))
        for conv in self.convs:
            x = self.drop(torch.relu(conv(x))) + x[:, conv.reach :]
        return cast(Tensor, x)

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        """(1, n_features) -> (1, channels)."""
        x = self.enter(advance(self.mean, x, state))
        for conv in self.convs:
            x = torch.relu(advance(conv, x, state)) + x
        return x


class TimeframeAttention(SteppingNetwork):
    """An encoder for each timeframe, and attention across them at each step.

    dilations  of each timeframe's convolutions
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        channels: int,
        heads: int,
        dilations: Sequence[tuple[int, Sequence[int]]],
        dropout: float,
    ) -> None:
        super().__init__()
        self.timeframes = nn.ModuleList(
            _TimeframeEncoder(n_features, channels, *each, dropout) for each in dilations
        )
        self.heads, self.norm = heads, nn.LayerNorm(channels)
        self.mix, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.read = head(channels * len(dilations), n_outputs)

    def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
        return self._read(torch.stack([each(bars, keep) for each in self.timeframes]))

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        found = torch.stack([advance(each, x, state) for each in self.timeframes])
        return self._read(found[:, None])[0]

    def _read(self, x: Tensor) -> Tensor:
        """(timeframes, batch, keep, channels) -> (batch, keep, n_outputs)."""
        x = x + self.out(self._attend(self.norm(x)))
        return cast(Tensor, self.read(x.permute(1, 2, 0, 3).flatten(2)))

    def _attend(self, x: Tensor) -> Tensor:
        """(timeframes, batch, keep, channels), each step by itself, over its timeframes."""
        timeframes, n, keep, _ = x.shape
        steps = x.flatten(1, 2).transpose(1, 2)
        lines = self.mix.weight @ steps + self.mix.bias[:, None]
        seen = across(lines.reshape(timeframes, 3, self.heads, -1, n * keep))
        return seen.flatten(1, 2).transpose(1, 2).reshape(x.shape)
