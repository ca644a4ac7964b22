"""Layers of networks. All of them are causal: later steps do not change earlier outputs.

Shapes: (batch, steps, width) in and out; with `keep`, only the latest `keep` steps come out. Those
that look back give their empty state by `empty` and take a bar by `advance`: see `_carried`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._attention import attend
from ._carried import CarriedState, successors
from ._dropout import Dropout
from ._recurrent import few, next_states, states, states_of_each

_MOST_ROWS = 16  # of a few chunks; beyond it they are windows


def head(width: int, n_outputs: int) -> nn.Linear:
    """(..., width) -> (..., n_outputs). It begins small: near the naive forecast it is added to."""
    linear = nn.Linear(width, n_outputs)
    with torch.no_grad():
        linear.weight.mul_(0.3)
        linear.bias.zero_()
    return linear


def perceptron(*widths: int, dropout: float = 0.0) -> nn.Sequential:
    """(..., widths[0]) -> (..., widths[-1]), with a ReLU and dropout after each layer."""
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        layers += [nn.Linear(width, following), nn.ReLU(), Dropout(dropout)]
    return nn.Sequential(*layers)


class Recurrent(nn.Module):
    """LSTM or GRU layers: (batch, steps, n_features) -> (batch, steps, hidden).

    window  steps of a window; each begins with a state of zeros
    """

    def __init__(
        self, kind: str, n_features: int, hidden: int, layers: int, dropout: float, window: int
    ) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        cell = nn.LSTM if kind == "lstm" else nn.GRU
        self.cells = cell(n_features, hidden, layers, batch_first=True, dropout=between)
        self.dropout = Dropout(dropout)
        self.window = window

    def forward(self, bars: Tensor) -> Tensor:
        return cast(Tensor, self.dropout(states(self.cells, bars)))

    def empty(self) -> tuple[Tensor, ...]:
        """States of the windows under way, (layers, window, hidden), the oldest first."""
        shape = (self.cells.num_layers, self.window, self.cells.hidden_size)
        return tuple(torch.zeros(shape) for _ in range(2 if self.cells.mode == "LSTM" else 1))

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        """(1, n_features) -> (window, hidden): of all windows under way, the one that ends first.

        Each window starts from zeros, so one state is carried for each that is under way. All of
        them take a bar in one batched step: no window is ever read from its beginning.
        """
        carried = [state.take() for _ in range(2 if self.cells.mode == "LSTM" else 1)]
        latest, found = next_states(self.cells, x, carried)
        for each in found:
            state.keep(successors(each, dim=1))
        return latest


def side_by_side(layers: Sequence[Recurrent], bars: Tensor) -> Sequence[Tensor]:
    """What each of several recurrent layers of the same shape finds in the same bars."""
    if not few(layers[0].cells, bars):
        return [layer(bars) for layer in layers]
    found: Tensor = layers[0].dropout(states_of_each([layer.cells for layer in layers], bars))
    return found.unbind()


class CausalConv(nn.Module):
    """A convolution over past steps: (batch, steps, width) -> (batch, steps - reach, out)."""

    def __init__(self, width: int, out: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, out, kernel, dilation=dilation)
        self.reach, self.dilation = (kernel - 1) * dilation, dilation

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda or len(x) > _MOST_ROWS or torch.compiler.is_exporting():
            return cast(Tensor, self.conv(x.transpose(1, 2)).transpose(1, 2))
        # Of a few chunks one matrix product is faster than a convolution and its changes of layout.
        steps = x.shape[1] - self.reach
        seen = [x[:, at : at + steps] for at in range(0, self.reach + 1, self.dilation)]
        return self._of(torch.cat(seen, dim=-1))

    def empty(self) -> tuple[Tensor, ...]:
        return (torch.zeros(self.reach, self.conv.in_channels),)

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        """(1, width) -> (1, out)."""
        return self._of(state.push(x)[:: self.dilation].reshape(1, -1))

    def _of(self, joined: Tensor) -> Tensor:
        """(..., kernel * width) what the kernel lies over, oldest first -> (..., out)."""
        weight = self.conv.weight.transpose(1, 2).flatten(1)
        return functional.linear(joined, weight, self.conv.bias)


class TrailingMean(nn.Module):
    """Means of the latest `steps`: (batch, n, width) -> (batch, n - steps + 1, width)."""

    def __init__(self, steps: int, width: int) -> None:
        super().__init__()
        self.steps, self.width = steps, width

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool1d(x.transpose(1, 2), self.steps, stride=1).transpose(1, 2)

    def empty(self) -> tuple[Tensor, ...]:
        return (torch.zeros(self.steps - 1, self.width),)

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        """(1, width) -> (1, width)."""
        return state.push(x).mean(dim=0, keepdim=True)


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
        self.heads, self.dropout = heads, Dropout(dropout)
        self.query, self.key = nn.Linear(size, size), nn.Linear(size, size)
        self.shared = shared_values
        each = size // heads
        self.value = nn.Linear(size, each if shared_values else size)
        self.out = nn.Linear(each if shared_values else size, size)
        self.nearness = nn.Parameter(torch.zeros(heads, width))

    def forward(self, x: Tensor, keep: int) -> Tensor:
        return self._look(self.query(x[:, -keep:]), self.key(x), self.value(x))

    def _look(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        value = value[:, None] if self.shared else self._split(value)
        found = attend(self._split(query), self._split(key), value, self.nearness)
        found = found.mean(dim=1) if self.shared else found.transpose(1, 2).flatten(2)
        return cast(Tensor, self.dropout(self.out(found)))

    def _split(self, x: Tensor) -> Tensor:
        """(batch, steps, size) -> (batch, heads, steps, size / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class SlidingAttention(BandAttention):
    """As above, of steps that are the same in every window, and so carried from bar to bar."""

    def empty(self) -> tuple[Tensor, ...]:
        """Keys and values of the earlier steps that are looked at."""
        earlier = self.nearness.shape[1] - 1
        return tuple(torch.zeros(earlier, of.out_features) for of in (self.key, self.value))

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        """(1, size) -> (1, size)."""
        key, value = state.push(self.key(x)), state.push(self.value(x))
        return self._look(self.query(x)[None], key[None], value[None])[0]


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
        self.dropout = Dropout(dropout)
        self.both = nn.Linear(width, 2 * out)
        self.norm = nn.LayerNorm(out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        gated = functional.glu(self.both(self.dropout(x)), dim=-1)
        return cast(Tensor, self.norm(skip + gated))
