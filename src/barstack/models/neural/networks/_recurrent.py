"""GRU layers for a few sequences on a processor: compiled loops, forward and back.

PyTorch has a fused LSTM there, and no fused GRU, only a dozen small calls for each step: for a few
chunks side by side these loops take a ninth of its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import _recurrent_kernels as _kernels

_MOST_ROWS = 16  # from here on PyTorch's own calls have enough to do


def states(cells: nn.LSTM | nn.GRU, bars: Tensor) -> Tensor:
    """(batch, steps, n_features) -> (batch, steps, hidden), the output of `cells`."""
    few = len(bars) <= _MOST_ROWS and not bars.is_cuda
    if isinstance(cells, nn.LSTM) or not few or torch.compiler.is_exporting():
        found: Tensor = cells(bars)[0]
        return found
    x = bars.transpose(0, 1)
    for layer in range(cells.num_layers):
        weight_in, weight, bias_in, bias = _weights(cells, layer)
        if layer:
            x = functional.dropout(x, cells.dropout, cells.training)
        inputs = functional.linear(x, weight_in, bias_in).float()
        x = _GRULayer.apply(inputs, weight, bias)  # type: ignore[no-untyped-call]
    return x.transpose(0, 1)


def next_states(
    cells: nn.LSTM | nn.GRU, x: Tensor, carried: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """One step of several sequences that all see the same bar.

    x        (1, n_features)
    carried  (layers, sequences, hidden) states and, of an LSTM, cells
    returns  (sequences, hidden) states of the last layer, and what is carried on
    """
    found: list[tuple[Tensor, ...]] = []
    for layer in range(cells.num_layers):
        weight_in, weight, bias_in, bias = _weights(cells, layer)
        given = functional.linear(x, weight_in, bias_in)
        recurrent = functional.linear(carried[0][layer], weight, bias)
        if isinstance(cells, nn.GRU):
            (a, b, c), (d, e, f) = given.chunk(3, dim=1), recurrent.chunk(3, dim=1)
            reset, keep = (a + d).sigmoid(), (b + e).sigmoid()
            new = (c + reset * f).tanh()
            x = new + keep * (carried[0][layer] - new)
            found.append((x,))
        else:
            enter, stay, new, leave = (given + recurrent).chunk(4, dim=1)
            cell = stay.sigmoid() * carried[1][layer] + enter.sigmoid() * new.tanh()
            x = leave.sigmoid() * cell.tanh()
            found.append((x, cell))
    return x, [torch.stack(each) for each in zip(*found, strict=True)]


def _weights(cells: nn.LSTM | nn.GRU, layer: int) -> tuple[Tensor, ...]:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return tuple(getattr(cells, f"{name}_l{layer}") for name in names)


class _GRULayer(torch.autograd.Function):
    """(steps, batch, 3 * hidden) the inputs' share in the gates -> (steps, batch, hidden)."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        gates = inputs.detach().contiguous().numpy()
        found = _kernels.gru_forward(
            gates, weight.detach().t().contiguous().numpy(), bias.detach().numpy()
        )
        ctx.save_for_backward(weight)
        ctx.found = found
        return torch.from_numpy(found[0][1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (weight,) = ctx.saved_tensors
        inner, outer = _kernels.gru_backward(
            gradient.contiguous().numpy(), weight.detach().numpy(), *ctx.found
        )
        hidden = weight.shape[1]
        of_gates = torch.from_numpy(outer).reshape(-1, 3 * hidden)
        before = torch.from_numpy(ctx.found[0][:-1]).reshape(-1, hidden)
        return torch.from_numpy(inner), of_gates.t() @ before, of_gates.sum(dim=0)
