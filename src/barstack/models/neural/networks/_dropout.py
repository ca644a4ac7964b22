"""Dropout and noise in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ._dropout_kernel import kept_by_number


class Dropout(nn.Module):
    """Zeroes a share of the numbers in training and scales the others to keep the mean.

    On a processor one draw of PyTorch's generator decides on all places at once: see
    `_dropout_kernel`. A draw for each place, as in `nn.Dropout`, costs ten times as much, which in
    a network of many small layers is a sixth of all its time.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.share:
            return x
        return dropped(x, self.share)


def dropped(x: Tensor, share: float) -> Tensor:
    """`x` with a share of its numbers zeroed, and the others scaled to keep the mean."""
    if x.is_cuda:
        return nn.functional.dropout(x, share)
    seed = int(torch.randint(2**62, ()))
    found: Tensor = _Dropped.apply(x, share, seed)  # type: ignore[no-untyped-call]
    return found


class _Dropped(torch.autograd.Function):
    """The same places are zeroed on the way back, by the same seed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, share: float, seed: int) -> Tensor:
        ctx.drawn = share, seed
        return _kept(x.detach(), share, seed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _kept(gradient, *ctx.drawn), None, None


def _kept(x: Tensor, share: float, seed: int) -> Tensor:
    values = x.float().contiguous().numpy()
    low, high = np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)
    found = kept_by_number(values.reshape(-1), share, low, high)
    return torch.from_numpy(found).view(x.shape).to(x.dtype)


class InputNoise(nn.Module):
    """Adds normal noise of a standard deviation in training."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.deviation:
            return x
        return x + torch.empty_like(x).normal_().mul_(self.deviation)
