"""Networks bar by bar: the state carried from one bar to the next, and one step on it.

A state is a few tensors of fixed shapes, all zero before the first bar. From bar number `lookback`
on, a step gives what the network gives for the window that ends with the bar. Steps are plain
functions of tensors, so that they can be exported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn


class CarriedState:
    """Tensors carried to this bar, taken in order, and those to carry on, kept in the same order.

    >>> state = CarriedState((torch.zeros(2, 1),))
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
        """(n, width) carried and (1, width) new -> (n + 1, width); the oldest is dropped."""
        seen = torch.cat([self.take(), new])
        self.keep(seen[1:])
        return seen


@runtime_checkable
class Stepping(Protocol):
    """A module that looks back: it carries a state, or holds modules that do."""

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        """(1, width) -> (1, out), the output of `forward` at the latest step."""


@runtime_checkable
class Stateful(Stepping, Protocol):
    """A module that carries a state itself."""

    def empty(self) -> tuple[Tensor, ...]:
        """Its state before any bar."""


class SteppingNetwork(nn.Module):
    """A causal network: one step a bar, the same numbers as on windows.

    Write `advance`, which advances the parts in the order in which they were set on the network.
    """

    def initial(self) -> tuple[Tensor, ...]:
        """The state before any bar."""
        parts = (part for part in self.modules() if isinstance(part, Stateful))
        return tuple(tensor for part in parts for tensor in part.empty())

    def step(self, bar: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """(1, n_features) scaled and a state -> (1, n_outputs) and the state after this bar."""
        carried = CarriedState(state)
        output = self.advance(bar, carried)
        return (output, *carried.later)

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        """(1, n_features) -> (1, n_outputs)."""
        raise NotImplementedError


class SteppingSequential(nn.Sequential):
    """Modules one after the other, over whole stretches or step by step."""

    def advance(self, x: Tensor, state: CarriedState) -> Tensor:
        """(1, width) -> (1, out)."""
        for part in self:
            x = advance(part, x, state)
        return x


def advance(part: nn.Module, x: Tensor, state: CarriedState) -> Tensor:
    """One step through a module, whether or not it looks back."""
    return part.advance(x, state) if isinstance(part, Stepping) else cast(Tensor, part(x))


class WindowTrail(nn.Module):
    """Past outputs of each window under way, for modules that attend to them.

    Where a recurrent state begins anew with each window, so does all that is computed from it: the
    window that began `window - 1` bars ago ends now, the one that began after it with the next bar.
    """

    def __init__(self, window: int, width: int) -> None:
        super().__init__()
        self.window, self.width = window, width

    def empty(self) -> tuple[Tensor, ...]:
        return (torch.zeros(self.window, self.window, self.width),)

    def advance(self, found: Tensor, state: CarriedState) -> Tensor:
        """(window, width) of this bar, by age -> (1, window, width) of the window that ends now."""
        trails = torch.cat([state.take()[:, 1:], found[:, None]], dim=1)
        state.keep(successors(trails))
        return trails[:1]


def successors(windows: Tensor, dim: int = 0) -> Tensor:
    """Windows by age along `dim`: the oldest has ended, and an empty one begins."""
    younger = windows.narrow(dim, 1, windows.shape[dim] - 1)
    return torch.cat([younger, torch.zeros_like(windows.narrow(dim, 0, 1))], dim=dim)
