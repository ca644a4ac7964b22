"""Attention over the latest few steps: as matrices, or compiled for a few chunks side by side."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from . import _band_kernels

_MOST_ROWS = 16  # from here on matrices are the faster way


def attend(query: Tensor, key: Tensor, value: Tensor, nearness: Tensor) -> Tensor:
    """What the latest steps find among the `width` steps up to each of them.

    query     (batch, heads, keep, size)
    key       (batch, heads, steps, size)
    value     (batch, heads, steps, value_size), or one head for all
    nearness  (heads, width) what to add for a key of 0, 1 ... width - 1 steps back
    returns   (batch, heads, keep, value_size)
    """
    keep, steps, width = query.shape[2], key.shape[2], nearness.shape[1]
    query = query * query.shape[-1] ** -0.5
    if query.is_cuda or len(query) > _MOST_ROWS or steps - keep < width - 1:
        scores = query @ key.transpose(-1, -2) + band(nearness, keep, steps)
        found: Tensor = scores.softmax(dim=-1) @ value
        return found
    lines = (each.transpose(-1, -2).flatten(0, 1).float() for each in (query, key, value))
    found = _Band.apply(*lines, nearness)  # type: ignore[no-untyped-call]
    return found.unflatten(0, query.shape[:2]).transpose(-1, -2)


def band(nearness: Tensor, queries: int, keys: int) -> Tensor:
    """What each of the latest `queries` steps thinks of each of `keys` by how far back it lies.

    nearness  (heads, width) of 0, 1 ... width - 1 steps back; it must not look at others
    returns   (heads, queries, keys), minus infinity where it must not look
    """
    known = nearness[:, :keys].flip(1)
    around = (keys - known.shape[1], queries - 1)
    line = functional.pad(known, around, value=float("-inf"))
    # Each row is the one below it moved by a step: views of one line, where looking the distances
    # up one by one costs more than all the attention, above all on the way back.
    return line.unfold(1, keys, 1).flip(1)


class _Band(torch.autograd.Function):
    """The same of lines by step: see `_band_kernels` for shapes."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, nearness: Tensor) -> Tensor:
        given = [each.detach().contiguous().numpy() for each in (query, key, value)]
        found, weights = _band_kernels.forward(*given, nearness.detach().numpy())
        ctx.found, ctx.heads = (*given, weights), len(nearness)
        return torch.from_numpy(found)

    @staticmethod
    def backward(ctx: Any, asked: Tensor) -> tuple[Tensor, ...]:
        of_given = _band_kernels.backward(asked.contiguous().numpy(), *ctx.found, ctx.heads)
        return tuple(torch.from_numpy(each) for each in of_given)
