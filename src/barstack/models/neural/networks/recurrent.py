"""Recurrent networks: LSTM and GRU, alone, behind convolutions, with towers, attention, experts.

Shapes: (batch, steps, n_features) -> (batch, keep, n_outputs), the outputs at the latest `keep`
steps. `window` is the number of steps of a window; each begins with a state of zeros.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ._attention import attend
from ._carried import (
    CarriedState,
    SteppingNetwork,
    SteppingSequential,
    WindowTrail,
    advance,
)
from ._layers import CausalConv, Recurrent, TrailingMean, head, perceptron, side_by_side


class RecurrentNetwork(SteppingNetwork):
    """Recurrent layers read by one map at each step."""

    def __init__(self, recurrent: nn.Module, read: nn.Module) -> None:
        super().__init__()
        self.recurrent, self.read = recurrent, read

    def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
        return cast(Tensor, self.read(self.recurrent(bars)[:, -keep:]))

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        return cast(Tensor, self.read(advance(self.recurrent, x, state)[:1]))


def recurrent(
    kind: str,
    n_features: int,
    n_outputs: int,
    *,
    hidden: int,
    layers: int,
    dropout: float,
    window: int,
) -> RecurrentNetwork:
    """LSTM or GRU layers and one linear map."""
    cells = Recurrent(kind, n_features, hidden, layers, dropout, window)
    return RecurrentNetwork(cells, head(hidden, n_outputs))


def convolutional_lstm(
    n_features: int,
    n_outputs: int,
    *,
    channels: int,
    kernel: int,
    hidden: int,
    layers: int,
    dropout: float,
    window: int,
) -> RecurrentNetwork:
    """Two causal convolutions, an LSTM over their outputs, and one linear map."""
    left = window - 2 * (kernel - 1)  # steps of a window after the convolutions
    found = SteppingSequential(
        CausalConv(n_features, channels, kernel),
        nn.ReLU(),
        CausalConv(channels, channels, kernel),
        nn.ReLU(),
        Recurrent("lstm", channels, hidden, layers, dropout, left),
    )
    return RecurrentNetwork(found, head(hidden, n_outputs))


class Towers(nn.Module):
    """A small network for each output: (batch, keep, hidden) -> (batch, keep, n_outputs)."""

    def __init__(self, hidden: int, tower: int, n_outputs: int, dropout: float) -> None:
        super().__init__()
        self.each = nn.ModuleList(
            nn.Sequential(perceptron(hidden, tower, dropout=dropout), head(tower, 1))
            for _ in range(n_outputs)
        )

    def forward(self, states: Tensor) -> Tensor:
        return torch.cat([tower(states) for tower in self.each], dim=-1)


class AttentionLSTMNetwork(SteppingNetwork):
    """An LSTM whose latest state attends to those of the window."""

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        hidden: int,
        layers: int,
        dropout: float,
        window: int,
    ) -> None:
        super().__init__()
        self.width = window
        self.states = Recurrent("lstm", n_features, hidden, layers, dropout, window)
        self.trail = WindowTrail(window, hidden)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.join = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.Tanh())
        self.read = head(hidden, n_outputs)

    def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
        return self._attend(self.states(bars), keep)

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        return self._attend(self.trail.advance(self.states.advance(x, state), state), 1)[0]

    def _attend(self, states: Tensor, keep: int) -> Tensor:
        """(batch, steps, hidden) -> (batch, keep, n_outputs)."""
        latest = states[:, -keep:]
        key, equal = states[:, None], states.new_zeros(1, self.width)
        seen = attend(self.query(latest)[:, None], key, key, equal)
        return cast(Tensor, self.read(self.join(torch.cat([seen[:, 0], latest], dim=-1))))


class MixtureNetwork(SteppingNetwork):
    """LSTMs weighted by a gate that sees the newest bar and the window's mean."""

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        experts: int,
        hidden: int,
        layers: int,
        dropout: float,
        window: int,
    ) -> None:
        super().__init__()
        self.width = window
        self.experts = nn.ModuleList(
            recurrent(
                "lstm",
                n_features,
                n_outputs,
                hidden=hidden,
                layers=layers,
                dropout=dropout,
                window=window,
            )
            for _ in range(experts)
        )
        self.mean = TrailingMean(window, n_features)
        self.gate = nn.Sequential(nn.Linear(2 * n_features, 16), nn.Tanh(), nn.Linear(16, experts))

    def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
        own = [cast(RecurrentNetwork, each) for each in self.experts]
        found = side_by_side([cast(Recurrent, each.recurrent) for each in own], bars)
        pairs = zip(own, found, strict=True)
        outputs = torch.stack([each.read(states[:, -keep:]) for each, states in pairs], dim=-1)
        mean = self.mean(bars[:, 1 - self.width - keep :])
        return self._weighted(outputs, bars[:, -keep:], mean)

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        outputs = torch.stack([advance(expert, x, state) for expert in self.experts], dim=-1)
        return self._weighted(outputs, x, self.mean.advance(x, state))

    def _weighted(self, outputs: Tensor, newest: Tensor, mean: Tensor) -> Tensor:
        """(..., n_outputs, experts) by the gate's weights -> (..., n_outputs)."""
        weights = self.gate(torch.cat([newest, mean], dim=-1)).softmax(dim=-1)
        return cast(Tensor, (outputs * weights[..., None, :]).sum(dim=-1))
