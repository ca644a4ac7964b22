"""Chance inside a network: dropout and noise, drawn by each member of a training for itself.

Networks that are trained as one draw what each would have drawn alone: a step of all of them asks
one generator for each, where PyTorch's own layers would share a single stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

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


class Chance(nn.Module):
    """Draws in training; of any shape, with the members in front where several are stacked.

    sizes  how much, for each member
    """

    def __init__(self, size: float) -> None:
        super().__init__()
        self.sizes = [size]

    def forward(self, x: Tensor) -> Tensor:
        """(...) or (members, ...) -> the same."""
        if not self.training or not any(self.sizes):
            return x
        generators = _generators.get()
        if len(self.sizes) == 1:
            return self.apply_to(x, self.draw(x, self.sizes[0], generators[0]))
        each = zip(x.unbind(), self.sizes, generators, strict=True)
        return self.apply_to(x, torch.stack([self.draw(*own) for own in each]))

    def draw(self, like: Tensor, size: float, generator: torch.Generator | None) -> Tensor:
        """Numbers of the shape of `like`."""
        raise NotImplementedError

    def apply_to(self, x: Tensor, drawn: Tensor) -> Tensor:
        """What becomes of `x`."""
        raise NotImplementedError


class Dropout(Chance):
    """Hides a share of the numbers in training and raises the rest to make up."""

    def draw(self, like: Tensor, size: float, generator: torch.Generator | None) -> Tensor:
        """0 in a share of all places, and elsewhere what keeps the mean.

        Sixteen random bits decide on a place. A draw of a float for each costs six times as much,
        which in a network of many small layers is a sixth of all its time.
        """
        hidden = min(round(size * 2**16), 2**16 - 1)
        if not hidden:
            return torch.ones_like(like)
        words = torch.empty(-(-like.numel() // 4), dtype=torch.int64, device=like.device)
        words.random_(-(2**63), None, generator=generator)
        bits = words.view(torch.int16)[: like.numel()].view(like.shape)
        return (bits >= hidden - 2**15).to(like.dtype).mul_(2**16 / (2**16 - hidden))

    def apply_to(self, x: Tensor, drawn: Tensor) -> Tensor:
        return x * drawn


class Noise(Chance):
    """Adds normal numbers of a deviation in training."""

    def draw(self, like: Tensor, size: float, generator: torch.Generator | None) -> Tensor:
        return torch.empty_like(like).normal_(generator=generator).mul_(size)

    def apply_to(self, x: Tensor, drawn: Tensor) -> Tensor:
        return x + drawn
