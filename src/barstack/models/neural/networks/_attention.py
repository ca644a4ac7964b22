"""Attention over the latest few steps: as matrices, or compiled for a few chunks side by side."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from . import _attention_kernels

_MOST_ROWS = 16  # from here on matrices are the faster way


def attend(query: Tensor, key: Tensor, value: Tensor, nearness: Tensor) -> Tensor:
    """Attention of the latest steps over the `width` steps up to each of them.

    query     (batch, heads, keep, size)
    key       (batch, heads, steps, size)
    value     (batch, heads, steps, value_size), or one head for all
    nearness  (heads, width) scores added for a key of 0, 1 ... width - 1 steps back
    returns   (batch, heads, keep, value_size)
    """
    keep, steps, width = query.shape[2], key.shape[2], nearness.shape[1]
    query = query * query.shape[-1] ** -0.5
    few = len(query) <= _MOST_ROWS and not (query.is_cuda or torch.compiler.is_exporting())
    if keep == 1 or not few or steps - keep < width - 1:
        scores = query @ key.transpose(-1, -2) + band(nearness, keep, steps)
        found: Tensor = scores.softmax(dim=-1) @ value
        return found
    lines = (each.transpose(-1, -2).flatten(0, 1).float() for each in (query, key, value))
    found = _Band.apply(*lines, nearness)  # type: ignore[no-untyped-call]
    return found.reshape(*query.shape[:2], -1, keep).transpose(-1, -2)


def band(nearness: Tensor, queries: int, keys: int) -> Tensor:
    """Scores of each of the latest `queries` steps for each of `keys`, by distance alone.

    nearness  (heads, width) of 0, 1 ... width - 1 steps back
    returns   (heads, queries, keys), minus infinity for keys beyond `width` or later
    """
    known = nearness[:, :keys].flip(1)
    around = (keys - known.shape[1], queries - 1)
    line = functional.pad(known, around, value=float("-inf"))
    # Each row is the one below it moved by a step: views of one line, where looking the distances
    # up one by one costs more than all the attention, above all on the way back.
    return line.unfold(1, keys, 1).flip(1)


def across(lines: Tensor) -> Tensor:
    """Attention of each of a few sequences over all of them, each step by itself.

    lines    (sequences, 3, heads, size, steps) queries, keys and values
    returns  (sequences, heads, size, steps)
    """
    query, key, value = lines.unbind(dim=1)
    lines = torch.stack([query * query.shape[2] ** -0.5, key, value], dim=1)
    if not lines.is_cuda and lines.shape[-1] > 1 and not torch.compiler.is_exporting():
        found: Tensor = _Across.apply(lines.float())  # type: ignore[no-untyped-call]
        return found
    query, key, value = lines.unbind(dim=1)
    scores = (query[:, None] * key).sum(dim=3, keepdim=True)
    return (scores.softmax(dim=1) * value).sum(dim=1)


def small_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(..., heads, n, size) of each of very many short sequences, all over each other.

    Compiled, sequences lie side by side: a softmax over ten numbers at a time, and a product of
    matrices as small, leave a core mostly waiting.
    """
    if query.is_cuda or torch.compiler.is_exporting():
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        found: Tensor = scores.softmax(dim=-1) @ value
        return found
    own = [each.flatten(end_dim=-4) for each in (query, key, value)]
    lines = torch.stack(own).permute(3, 0, 2, 4, 1)  # (n, 3, heads, size, sequences)
    return across(lines).permute(3, 1, 0, 2).reshape(query.shape)


class _Band(torch.autograd.Function):
    """The same of lines by step: see `_attention_kernels` for shapes."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, nearness: Tensor) -> Tensor:
        q, k, v = (each.detach().contiguous().numpy() for each in (query, key, value))
        found, weights = _attention_kernels.band_forward(q, k, v, nearness.detach().numpy())
        ctx.found = q, k, v, weights, len(nearness)
        return torch.from_numpy(found)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        of_given = _attention_kernels.band_backward(gradient.contiguous().numpy(), *ctx.found)
        return tuple(torch.from_numpy(each) for each in of_given)


class _Across(torch.autograd.Function):
    """`across`, compiled."""

    @staticmethod
    def forward(ctx: Any, lines: Tensor) -> Tensor:
        given = lines.detach().contiguous().numpy()
        found, weights = _attention_kernels.across_forward(given)
        ctx.found = given, weights
        return torch.from_numpy(found)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        of_lines = _attention_kernels.across_backward(gradient.contiguous().numpy(), *ctx.found)
        return torch.from_numpy(of_lines)
