"""Layers for networks that can be trained as one: their numbers may be those of several members.

A network that is built of these, and of what works number by number, is its own stack: give its
parameters a first dimension of members, and it maps (members, batch, ...) where it mapped
(batch, ...). `torch.func.vmap` says the same of any network, and costs more than it saves where
layers are small: 3 ms a step, for networks whose own step is 1 ms.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Linear(nn.Linear):
    """(..., width) -> (..., out), or with weights of several members (members, ..., width)."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


class LayerNorm(nn.LayerNorm):
    """Mean 0 and deviation 1 over the last dimension, then a slope and a level of each member."""

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.dim() == 1:
            return super().forward(x)
        shape = (len(self.weight), *[1] * (x.dim() - 2), -1)
        normal = functional.layer_norm(x, self.normalized_shape, eps=self.eps)
        return normal * self.weight.view(shape) + self.bias.view(shape)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(..., width) by (out, width), or (members, ..., width) by (members, out, width)."""
    if weight.dim() == 2:
        return functional.linear(x, weight, bias)
    rows = x.reshape(len(weight), -1, x.shape[-1])
    turned = weight.transpose(1, 2)
    found = rows @ turned if bias is None else torch.baddbmm(bias[:, None], rows, turned)
    return found.view(*x.shape[:-1], -1)


def max_pool(x: Tensor, width: int) -> Tensor:
    """(..., channels, steps) -> (..., channels, steps / width) rounded up."""
    pooled = functional.max_pool1d(x.flatten(0, -3), width, ceil_mode=True)
    return pooled.reshape(*x.shape[:-1], -1)
