"""Feedforward networks over whole windows: (batch, window, n_features) -> (batch, n_outputs)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._dropout import Dropout, InputNoise
from ._layers import head, perceptron


def multilayer_perceptron(
    n_features: int, n_outputs: int, *, hidden: Sequence[int], dropout: float, window: int
) -> nn.Sequential:
    """Fully connected layers over all bars of the window side by side."""
    return nn.Sequential(
        nn.Flatten(-2),
        perceptron(window * n_features, *hidden, dropout=dropout),
        head(hidden[-1], n_outputs),
    )


class SupervisedAutoencoder(nn.Module):
    """A short code of the features, trained to rebuild them, beside the features themselves.

    side_loss  in training, the loss of rebuilding them; added to that of the forecast
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        code: int,
        hidden: Sequence[int],
        noise: float,
        rebuild: float,
        dropout: float,
        window: int,
    ) -> None:
        super().__init__()
        inputs = window * n_features
        self.noise, self.rebuild = InputNoise(noise), rebuild
        self.encode = nn.Sequential(nn.Linear(inputs, code), nn.SiLU())
        self.decode = nn.Linear(code, inputs)
        self.body = perceptron(inputs + code, *hidden, dropout=dropout)
        self.read = head(hidden[-1], n_outputs)
        self.side_loss: Tensor | None = None

    def forward(self, bars: Tensor) -> Tensor:
        flat = bars.flatten(-2)
        code = self.encode(self.noise(flat))
        if self.training:
            error = functional.huber_loss(self.decode(code), flat, reduction="none")
            self.side_loss = self.rebuild * error.mean(dim=(-2, -1))
        return cast(Tensor, self.read(self.body(torch.cat([flat, code], dim=-1))))


class DecomposedLinear(nn.Module):
    """Each feature's moving mean and remainder, each read by linear maps that features share."""

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        trend_bars: int,
        readings: int,
        dropout: float,
        window: int,
    ) -> None:
        super().__init__()
        self.trend = nn.Linear(window, readings)
        self.rest = nn.Linear(window, readings)
        self.drop = Dropout(dropout)
        self.read = head(2 * readings * n_features, n_outputs)
        self.smooth: Tensor
        self.register_buffer("smooth", moving_mean(window, trend_bars), persistent=False)

    def forward(self, bars: Tensor) -> Tensor:
        # A map of the bars' moving mean is a map of the bars with averaged weights: a few numbers
        # where the bars are many.
        trend, rest = self.trend.weight @ self.smooth, self.rest.weight
        weight = torch.cat([trend, rest - rest @ self.smooth], dim=-2)
        bias = torch.cat([self.trend.bias, self.rest.bias], dim=-1)
        found = functional.linear(bars.transpose(-1, -2), weight, bias)
        return cast(Tensor, self.read(self.drop(found.flatten(-2))))


def moving_mean(window: int, width: int) -> Tensor:
    """(window, window): each bar's mean of `width` around it, the outermost bars repeated.

    >>> moving_mean(4, 3).mul(3).int().tolist()
    [[2, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 2]]
    """
    side = width // 2
    padded = functional.pad(torch.eye(window, device="cpu"), (side, side), mode="replicate")
    # In rows: how a product with columns rounds depends on where in memory the other factor lies.
    return functional.avg_pool1d(padded, width, stride=1).T.contiguous()


class _PooledBlock(nn.Module):
    """(batch, n_features, window) -> what it explains of them (None if last), and its forecast."""

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        pool: int,
        hidden: int,
        dropout: float,
        window: int,
        last: bool,
    ) -> None:
        super().__init__()
        self.pool, self.knots = pool, -(-window // pool)
        self.body = perceptron(self.knots * n_features, hidden, hidden, dropout=dropout)
        self.read = head(hidden, n_outputs)
        self.explain = None if last else nn.Linear(hidden, self.knots * n_features)
        self.fill: Tensor
        self.register_buffer("fill", between(self.knots, window), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        pooled = x if self.pool == 1 else functional.max_pool1d(x, self.pool, ceil_mode=True)
        found = self.body(pooled.flatten(-2))
        if self.explain is None:
            return None, self.read(found)
        coarse = self.explain(found).reshape(*x.shape[:-1], self.knots)
        return coarse @ self.fill, self.read(found)


class HierarchicalInterpolation(nn.Module):
    """Blocks that pool the window less and less; each explains a part and leaves the rest."""

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        pools: Sequence[int],
        hidden: int,
        dropout: float,
        window: int,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _PooledBlock(
                n_features,
                n_outputs,
                pool=pool,
                hidden=hidden,
                dropout=dropout,
                window=window,
                last=place == len(pools) - 1,
            )
            for place, pool in enumerate(pools)
        )

    def forward(self, bars: Tensor) -> Tensor:
        left, forecast = bars.transpose(-1, -2).contiguous(), bars.new_zeros(())
        for block in self.blocks:
            explained, output = block(left)
            forecast = forecast + output
            left = left if explained is None else left - explained
        return forecast


def between(knots: int, bars: int) -> Tensor:
    """(knots, bars) the weight of each knot at each bar, by linear interpolation.

    >>> between(2, 4).tolist()
    [[1.0, 0.75, 0.25, 0.0], [0.0, 0.25, 0.75, 1.0]]
    """
    each = torch.eye(knots, device="cpu")[None]
    return functional.interpolate(each, bars, mode="linear", align_corners=False)[0]
