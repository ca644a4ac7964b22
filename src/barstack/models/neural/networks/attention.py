"""Attention networks: transformer, PatchTST and Temporal Fusion Transformer."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ._attention import small_attention
from ._carried import CarriedState, SteppingNetwork, WindowTrail, advance
from ._dropout import Dropout
from ._layers import (
    BandAttention,
    GatedResidual,
    GatedSkip,
    Recurrent,
    SlidingAttention,
    head,
    perceptron,
)


class _TransformerLayer(nn.Module):
    """(batch, steps, width) -> (batch, keep, width); `sight` steps are attended to."""

    def __init__(self, width: int, heads: int, sight: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = SlidingAttention(width, heads, sight, dropout)
        self.think = nn.Sequential(
            perceptron(width, inner, dropout=dropout),
            nn.Linear(inner, width),
            Dropout(dropout),
        )

    def forward(self, x: Tensor, keep: int) -> Tensor:
        x = x[:, -keep:] + self.attend(self.first(x), keep)
        return cast(Tensor, x + self.think(self.second(x)))

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        """(1, width) -> (1, width)."""
        x = x + self.attend.advance(self.first(x), state)
        return cast(Tensor, x + self.think(self.second(x)))


class TransformerNetwork(SteppingNetwork):
    """Causal self-attention: (batch, steps, n_features) -> (batch, keep, n_outputs).

    Each layer attends to so many steps that all layers together reach `window` steps.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        width: int,
        heads: int,
        layers: int,
        inner: int,
        dropout: float,
        window: int,
    ) -> None:
        super().__init__()
        self.sight = (window - 1) // layers + 1
        self.enter = nn.Linear(n_features, width)
        self.layers = nn.ModuleList(
            _TransformerLayer(width, heads, self.sight, inner, dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.read = head(width, n_outputs)

    def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
        later = keep + (self.sight - 1) * len(self.layers)  # steps that later layers attend to
        x = self.enter(bars[:, -later:])
        for layer in self.layers:
            later -= self.sight - 1
            x = layer(x, later)
        return cast(Tensor, self.read(self.norm(x)))

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        x = self.enter(x)
        for layer in self.layers:
            x = advance(layer, x, state)
        return cast(Tensor, self.read(self.norm(x)))


class _PatchLayer(nn.Module):
    """(sequences, n_patches, width) -> the same."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.drop = Dropout(dropout)
        self.think = nn.Sequential(
            perceptron(width, 2 * width, dropout=dropout), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mix(self.first(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = mixed.transpose(-4, -2).unbind(-3)
        seen = small_attention(query, key, value).transpose(-3, -2)
        x = x + self.drop(self.out(seen.reshape(x.shape)))
        return cast(Tensor, x + self.drop(self.think(self.second(x))))


class PatchNetwork(nn.Module):
    """Patches of each feature, which attend to one another, then a layer that joins all features.

    (batch, window, n_features) -> (batch, n_outputs)
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        patch: int,
        stride: int,
        width: int,
        heads: int,
        layers: int,
        dropout: float,
        window: int,
    ) -> None:
        super().__init__()
        self.patch, self.stride = patch, stride
        self.n_patches = (window - patch) // stride + 1
        self.enter = nn.Linear(patch, width)
        self.place = nn.Parameter(torch.zeros(self.n_patches, width))
        self.layers = nn.Sequential(*(_PatchLayer(width, heads, dropout) for _ in range(layers)))
        self.join = nn.Linear(self.n_patches * width, 16)
        self.drop = Dropout(dropout)
        # Nonlinear, as no layer before it sees two features together.
        self.meet = perceptron(16 * n_features, 32, dropout=dropout)
        self.read = head(32, n_outputs)

    def forward(self, bars: Tensor) -> Tensor:
        # The latest bars are always within a patch; the oldest may be left over.
        whole = self.patch + (self.n_patches - 1) * self.stride
        cut = bars[..., -whole:, :].transpose(-1, -2).unfold(-1, self.patch, self.stride)
        x = self.enter(cut.flatten(-4, -3)) + self.place[..., None, :, :]
        found = torch.relu(self.join(self.layers(x).flatten(-2)))
        together = self.meet(self.drop(found.reshape(*bars.shape[:-2], -1)))
        return cast(Tensor, self.read(together))


class _VariableSelection(nn.Module):
    """(batch, steps, n_features) -> (batch, steps, width), a weighted mean of features."""

    def __init__(self, n_features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.choose = GatedResidual(n_features, width, n_features, dropout)
        self.slope = nn.Linear(n_features, width, bias=False)
        self.level = nn.Parameter(torch.zeros(n_features, width))

    def forward(self, bars: Tensor) -> Tensor:
        weights = self.weights(bars)
        return cast(Tensor, self.slope(weights * bars * bars.shape[-1]) + weights @ self.level)

    def weights(self, bars: Tensor) -> Tensor:
        """(batch, steps, n_features) the weight of each feature at each step; they sum to 1."""
        return cast(Tensor, self.choose(bars).softmax(dim=-1))


class FusionTransformer(SteppingNetwork):
    """Variable selection, an LSTM, and attention with gated residuals. Lim et al. (2021).

    (batch, steps, n_features) -> (batch, keep, n_outputs)
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        width: int,
        heads: int,
        dropout: float,
        window: int,
    ) -> None:
        super().__init__()
        self.select = _VariableSelection(n_features, width, dropout)
        self.order = Recurrent("lstm", width, width, 1, dropout, window)
        self.after_order = GatedSkip(width, width, dropout)
        self.enrich = GatedResidual(width, width, width, dropout)
        self.trail = WindowTrail(window, width)
        self.attend = BandAttention(width, heads, window, dropout, shared_values=True)
        self.after_attention = GatedSkip(width, width, dropout)
        self.think = GatedResidual(width, width, width, dropout)
        self.last = GatedSkip(width, width, dropout)
        self.read = head(width, n_outputs)

    def forward(self, bars: Tensor, keep: int = 1) -> Tensor:
        chosen = self.select(bars)
        ordered = self.after_order(self.order(chosen), chosen)
        return self._fuse(self.enrich(ordered), ordered[:, -keep:])

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        chosen = self.select(x)
        ordered = self.after_order(self.order.advance(chosen, state), chosen)
        rich = self.trail.advance(self.enrich(ordered), state)
        return self._fuse(rich, ordered[None, :1])[0]

    def _fuse(self, rich: Tensor, ordered: Tensor) -> Tensor:
        """(batch, steps, width), (batch, keep, width) -> (batch, keep, n_outputs)."""
        keep = ordered.shape[1]
        latest = self.after_attention(self.attend(rich, keep), rich[:, -keep:])
        return cast(Tensor, self.read(self.last(self.think(latest), ordered)))
