"""Networks bar by bar: what they carry from one bar to the next, and one step on it.

A state is a few tensors of fixed shapes, all zero before any bar. After `lookback` bars what a step
says of a bar is what the network says of the window that ends with it, and it stays so. Steps are
plain functions of tensors, so that they can be exported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn


class State:
    """Tensors carried to this bar, taken in order, and those to carry on, kept in the same order.

    >>> state = State((torch.zeros(2, 1),))
    >>> state.push(torch.ones(1, 1)).flatten().tolist()
    [0.0, 0.0, 1.0]
    >>> state.later[0].flatten().tolist()
    [0.0, 1.0]
    """

    def __init__(self, carried: tuple[Tensor, ...]) -> None:
        self._carried: Iterator[Tensor] = iter(carried)
        self.later: list[Tensor] = []

    def take(self) -> Tensor:
        """The next tensor that was carried here."""
        return next(self._carried)

    def keep(self, tensor: Tensor) -> None:
        """Carry it on in the place of the one that was taken."""
        self.later.append(tensor)

    def push(self, new: Tensor) -> Tensor:
        """(n, width) carried and (1, width) new -> (n + 1, width), of which the oldest goes."""
        seen = torch.cat([self.take(), new])
        self.keep(seen[1:])
        return seen


@runtime_checkable
class Part(Protocol):
    """A piece of a network that looks back: it carries something, or holds pieces that do."""

    def advance(self, x: Tensor, state: State) -> Tensor:
        """(1, width) -> (1, out), what `forward` says at the latest step."""


@runtime_checkable
class Carrier(Part, Protocol):
    """One that carries something itself."""

    def empty(self) -> tuple[Tensor, ...]:
        """What it carries before any bar."""


class Carrying(nn.Module):
    """A causal network: one step a bar, the same numbers as on windows.

    Write `advance`, which lets parts advance in the order in which they were set on the network.
    """

    def initial(self) -> tuple[Tensor, ...]:
        """The state before any bar."""
        parts = (part for part in self.modules() if isinstance(part, Carrier))
        return tuple(tensor for part in parts for tensor in part.empty())

    def step(self, bar: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """(1, n_features) scaled and a state -> (1, n_outputs) and the state after this bar."""
        carried = State(state)
        said = self.advance(bar, carried)
        return (said, *carried.later)

    def advance(self, x: Tensor, state: State) -> Tensor:
        """(1, n_features) -> (1, n_outputs)."""
        raise NotImplementedError


class Chain(nn.Sequential):
    """Parts one after the other, over whole stretches or step by step."""

    def advance(self, x: Tensor, state: State) -> Tensor:
        """(1, width) -> (1, out)."""
        for part in self:
            x = advance(part, x, state)
        return x


def advance(part: nn.Module, x: Tensor, state: State) -> Tensor:
    """One step through a part, whether or not it looks back."""
    return part.advance(x, state) if isinstance(part, Part) else cast(Tensor, part(x))


class Trail(nn.Module):
    """What has been found along each of the windows under way, for those that look back at it.

    Where a recurrent state begins anew with each window, so does all that is made of it: the window
    that began `window - 1` bars ago ends now, the one that began after it with the next bar.
    """

    def __init__(self, window: int, width: int) -> None:
        super().__init__()
        self.window, self.width = window, width

    def empty(self) -> tuple[Tensor, ...]:
        return (torch.zeros(self.window, self.window, self.width),)

    def advance(self, found: Tensor, state: State) -> Tensor:
        """(window, width) of this bar, by age -> (1, window, width) of the window that ends now."""
        trails = torch.cat([state.take()[:, 1:], found[:, None]], dim=1)
        state.keep(successors(trails))
        return trails[:1]


def successors(windows: Tensor, dim: int = 0) -> Tensor:
    """Windows by age along `dim`: the oldest has ended, and one begins with nothing in it."""
    younger = windows.narrow(dim, 1, windows.shape[dim] - 1)
    return torch.cat([younger, torch.zeros_like(windows.narrow(dim, 0, 1))], dim=dim)
