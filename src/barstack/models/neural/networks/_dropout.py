"""Dropout and noise in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zeroes a share of the numbers in training and scales the others to keep the mean.

    Sixteen random bits decide on a place. A draw of a float for each, as in `nn.Dropout`, costs six
    times as much, which in a network of many small layers is a sixth of all its time.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.zeroed = min(round(share * 2**16), 2**16 - 1)  # places zeroed, of 65,536

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.zeroed:
            return x
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()].view(x.shape)
        kept = (bits >= self.zeroed - 2**15).to(x.dtype)
        return x * kept.mul_(2**16 / (2**16 - self.zeroed))


class InputNoise(nn.Module):
    """Adds normal noise of a standard deviation in training."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.deviation:
            return x
        return x + torch.empty_like(x).normal_().mul_(self.deviation)
