"""LSTM and GRU layers for a few sequences on a processor: compiled loops, forward and back.

For a few chunks side by side each step is little work. PyTorch has no fused GRU there, only a
dozen calls a step that do next to nothing each, and its fused LSTM is made for whole batches.
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
    """(batch, steps, n_features) -> (batch, steps, hidden), as `cells` would."""
    if bars.is_cuda or len(bars) > _MOST_ROWS or torch.compiler.is_exporting():
        found: Tensor = cells(bars)[0]
        return found
    x = bars.transpose(0, 1)
    for layer in range(cells.num_layers):
        weight_in, weight, bias_in, bias = (
            getattr(cells, f"{name}_l{layer}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        if layer:
            x = functional.dropout(x, cells.dropout, cells.training)
        if isinstance(cells, nn.GRU):
            said = functional.linear(x, weight_in, bias_in).float()
            x = _GRULayer.apply(said, weight, bias)  # type: ignore[no-untyped-call]
        else:
            said = functional.linear(x, weight_in, bias_in + bias).float()
            x = _LSTMLayer.apply(said, weight)  # type: ignore[no-untyped-call]
    return x.transpose(0, 1)


def next_states(
    cells: nn.LSTM | nn.GRU, x: Tensor, carried: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """One step of sequences side by side that all see the same bar.

    x        (1, n_features)
    carried  (layers, sequences, hidden) states and, of an LSTM, cells
    returns  (sequences, hidden) states of the last layer, and what is carried on
    """
    found: list[tuple[Tensor, ...]] = []
    for layer in range(cells.num_layers):
        weight_in, weight, bias_in, bias = (
            getattr(cells, f"{name}_l{layer}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        given = functional.linear(x, weight_in, bias_in)
        said = functional.linear(carried[0][layer], weight, bias)
        if isinstance(cells, nn.GRU):
            (a, b, c), (d, e, f) = given.chunk(3, dim=1), said.chunk(3, dim=1)
            reset, keep = (a + d).sigmoid(), (b + e).sigmoid()
            new = (c + reset * f).tanh()
            x = new + keep * (carried[0][layer] - new)
            found.append((x,))
        else:
            enter, stay, new, leave = (given + said).chunk(4, dim=1)
            cell = stay.sigmoid() * carried[1][layer] + enter.sigmoid() * new.tanh()
            x = leave.sigmoid() * cell.tanh()
            found.append((x, cell))
    return x, [torch.stack(each) for each in zip(*found, strict=True)]


class _LSTMLayer(torch.autograd.Function):
    """(steps, batch, 4 * hidden) what inputs say of the gates -> (steps, batch, hidden)."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor) -> Tensor:
        gates = inputs.detach().contiguous().numpy()
        h, *ctx.found = _kernels.lstm_forward(gates, weight.detach().t().contiguous().numpy())
        ctx.save_for_backward(weight)
        ctx.states = torch.from_numpy(h)
        return torch.from_numpy(h[1:])

    @staticmethod
    def backward(ctx: Any, asked: Tensor) -> tuple[Tensor, Tensor]:
        (weight,) = ctx.saved_tensors
        found = _kernels.lstm_backward(
            asked.contiguous().numpy(), weight.detach().numpy(), *ctx.found
        )
        of_gates = torch.from_numpy(found)
        before = ctx.states[:-1].reshape(-1, weight.shape[1])
        return of_gates, of_gates.reshape(-1, len(weight)).t() @ before


class _GRULayer(torch.autograd.Function):
    """(steps, batch, 3 * hidden) what inputs say of the gates -> (steps, batch, hidden)."""

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
    def backward(ctx: Any, asked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (weight,) = ctx.saved_tensors
        inner, outer = _kernels.gru_backward(
            asked.contiguous().numpy(), weight.detach().numpy(), *ctx.found
        )
        hidden = weight.shape[1]
        of_gates = torch.from_numpy(outer).reshape(-1, 3 * hidden)
        before = torch.from_numpy(ctx.found[0][:-1]).reshape(-1, hidden)
        return torch.from_numpy(inner), of_gates.t() @ before, of_gates.sum(dim=0)
