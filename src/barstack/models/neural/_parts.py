"""Pieces of networks. All of them are causal: what comes later changes nothing before it.

Shapes: (batch, steps, width) in and out; with `keep`, only the latest `keep` steps come out.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import _gru
from ._random import Dropout
from ._stacked import Linear


def head(width: int, n_outputs: int) -> nn.Linear:
    """(..., width) -> (..., n_outputs). It begins small: near the naive forecast it is added to."""
    linear = Linear(width, n_outputs)
    with torch.no_grad():
        linear.weight.mul_(0.3)
        linear.bias.zero_()
    return linear


def perceptron(*widths: int, dropout: float = 0.0) -> nn.Sequential:
    """(..., widths[0]) -> (..., widths[-1]), with a ReLU and dropout after each layer."""
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        layers += [Linear(width, following), nn.ReLU(), Dropout(dropout)]
    return nn.Sequential(*layers)


class Recurrent(nn.Module):
    """LSTM or GRU layers: (batch, steps, n_features) -> (batch, steps, hidden)."""

    def __init__(
        self, kind: str, n_features: int, hidden: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        cell = nn.LSTM if kind == "lstm" else nn.GRU
        self.cells = cell(n_features, hidden, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)

    def forward(self, bars: Tensor) -> Tensor:
        if isinstance(self.cells, nn.GRU):
            states = _gru.states(self.cells, bars)
        else:
            states, _ = self.cells(bars)
        return cast(Tensor, self.dropout(states))


class RecurrentHead(nn.Module):
    """Recurrent layers read by one linear map at each step.

    (batch, steps, n_features) -> (batch, keep, n_outputs)
    """

    def __init__(self, recurrent: nn.Module, read: nn.Module) -> None:
        super().__init__()
        self.recurrent, self.read = recurrent, read

    def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
        return cast(Tensor, self.read(self.recurrent(bars)[:, -keep:]))


class CausalConv(nn.Module):
    """A convolution over past steps: (batch, steps, width) -> (batch, steps - reach, out)."""

    def __init__(self, width: int, out: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, out, kernel, dilation=dilation)
        self.reach = (kernel - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.conv(x.transpose(1, 2)).transpose(1, 2))


def trailing_mean(x: Tensor, steps: int) -> Tensor:
    """(batch, n, width) -> (batch, n - steps + 1, width): means of the latest `steps`."""
    return functional.avg_pool1d(x.transpose(1, 2), steps, stride=1).transpose(1, 2)


def band(nearness: Tensor, queries: int, keys: int) -> Tensor:
    """What each of the latest `queries` steps thinks of each of `keys` by how far back it lies.

    nearness  (heads, width) of 0, 1 ... width - 1 steps back; it must not look at others
    returns   (heads, queries, keys), minus infinity where it must not look
    """
    known = nearness[:, :keys].flip(1)
    around = (keys - known.shape[1], queries - 1)
    line = functional.pad(known, around, value=float("-inf"))
    # Each row is the one below it moved by a step: views of one line, where looking the distances
    # up one by one costs more than all the attention, above all on the way back.
    return line.unfold(1, keys, 1).flip(1)


class BandAttention(nn.Module):
    """Attention over the latest `width` steps, each known by how far back it lies.

    Positions are relative, so a step says the same in a window and in a chunk. One set of values
    for all heads with `shared_values`, which lets their weights be read as one picture (Lim et
    al. 2021).
    (batch, steps, size) -> (batch, keep, size)
    """

    def __init__(
        self, size: int, heads: int, width: int, dropout: float, shared_values: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.query, self.key = nn.Linear(size, size), nn.Linear(size, size)
        self.shared = shared_values
        each = size // heads
        self.value = nn.Linear(size, each if shared_values else size)
        self.out = nn.Linear(each if shared_values else size, size)
        self.nearness = nn.Parameter(torch.zeros(heads, width))

    def forward(self, x: Tensor, keep: int) -> Tensor:
        n, steps, size = x.shape
        query = self._split(self.query(x[:, -keep:]))
        key = self._split(self.key(x))
        value = self.value(x)[:, None] if self.shared else self._split(self.value(x))
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        found = (scores + band(self.nearness, keep, steps)).softmax(dim=-1) @ value
        if self.shared:
            return cast(Tensor, self.dropout(self.out(found.mean(dim=1))))
        found = found.transpose(1, 2).reshape(n, keep, size)
        return cast(Tensor, self.dropout(self.out(found)))

    def _split(self, x: Tensor) -> Tensor:
        """(batch, steps, size) -> (batch, heads, steps, size / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class GatedResidual(nn.Module):
    """A layer that can switch itself off: norm(skip + gate * nonlinear). Lim et al. (2021).

    (..., width) -> (..., out)
    """

    def __init__(self, width: int, hidden: int, out: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(width, hidden), nn.ELU(), nn.Linear(hidden, hidden))
        self.gate = GatedSkip(hidden, out, dropout)
        self.skip = nn.Identity() if width == out else nn.Linear(width, out)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.gate(self.inner(x), self.skip(x)))


class GatedSkip(nn.Module):
    """norm(skip + gated linear unit): (..., width), (..., out) -> (..., out)."""

    def __init__(self, width: int, out: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.both = nn.Linear(width, 2 * out)
        self.norm = nn.LayerNorm(out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        gated = functional.glu(self.both(self.dropout(x)), dim=-1)
        return cast(Tensor, self.norm(skip + gated))


def small_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(batch, heads, n, size) all over each other: for so few that a fused kernel costs more."""
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    found: Tensor = scores.softmax(dim=-1) @ value
    return found
