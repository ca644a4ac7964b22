"""Chance inside a network: dropout and noise, drawn by each member of a training for itself.

Networks that are trained as one draw what each would have drawn alone: a step of all of them asks
one generator for each, where PyTorch's own layers would share a single stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function

Generators = Sequence[torch.Generator | None]

# None stands for PyTorch's own generator of the device, which a training alone has seeded.
_generators: ContextVar[Generators] = ContextVar("generators", default=(None,))


@contextmanager
def drawing_from(generators: Generators) -> Iterator[None]:
    """A stretch in which the members of a step draw from these, one for each."""
    token = _generators.set(generators)
    try:
        yield
    finally:
        _generators.reset(token)


class Dropout(nn.Module):
    """Hides a share of the numbers in training and raises the rest to make up: any shape."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = _own(self, "share", share)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x * cast(Tensor, _Mask.apply(x, self.share))  # type: ignore[no-untyped-call]


class Noise(nn.Module):
    """Adds normal numbers of a `deviation` in training: any shape."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = _own(self, "deviation", deviation)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x + cast(Tensor, _Normal.apply(x, self.deviation))  # type: ignore[no-untyped-call]


def _own(module: nn.Module, name: str, value: float) -> Tensor:
    """A setting as a tensor, so that members of a stack may differ in it; no part of the weights.

    It is a number even where a network is laid out without memory, on the device "meta".
    """
    setting = torch.tensor(value, device="cpu")
    module.register_buffer(name, setting, persistent=False)
    return setting


class _Drawn(Function):
    """Numbers of the shape of `like`; where several members are stacked, of each its own."""

    generate_vmap_rule = False

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, *asked: Tensor) -> tuple[None, None]:
        return None, None


class _Mask(_Drawn):
    @staticmethod
    def forward(like: Tensor, share: Tensor) -> Tensor:
        (generator,) = _generators.get()
        return _mask(like, float(share), generator)

    @staticmethod
    def vmap(info: Any, dims: tuple[int, int], like: Tensor, share: Tensor) -> tuple[Tensor, int]:
        each = zip(like.unbind(dims[0]), share.tolist(), _generators.get(), strict=True)
        return torch.stack([_mask(*own) for own in each]), 0


class _Normal(_Drawn):
    @staticmethod
    def forward(like: Tensor, deviation: Tensor) -> Tensor:
        (generator,) = _generators.get()
        return _normal(like, float(deviation), generator)

    @staticmethod
    def vmap(info: Any, dims: tuple[int, int], like: Tensor, size: Tensor) -> tuple[Tensor, int]:
        each = zip(like.unbind(dims[0]), size.tolist(), _generators.get(), strict=True)
        return torch.stack([_normal(*own) for own in each]), 0


def _mask(like: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """0 for a share of all places, drawn, and elsewhere what keeps the mean.

    Sixteen random bits decide on a place. A draw of a float for each costs six times as much,
    which in a network of many small layers is a sixth of all its time.
    """
    hidden = min(round(share * 2**16), 2**16 - 1)
    if not hidden:
        return torch.ones_like(like)
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64, device=like.device)
    words.random_(-(2**63), None, generator=generator)
    bits = words.view(torch.int16)[: like.numel()].view(like.shape)
    return (bits >= hidden - 2**15).to(like.dtype).mul_(2**16 / (2**16 - hidden))


def _normal(like: Tensor, deviation: float, generator: torch.Generator | None) -> Tensor:
    return torch.empty_like(like).normal_(generator=generator).mul_(deviation)
