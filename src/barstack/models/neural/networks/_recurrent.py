"""LSTM and GRU layers for a few sequences on a processor: compiled loops, forward and back.

For a few chunks side by side these loops take a third of the time of PyTorch's fused LSTM, and a
ninth of that of its GRU, which is a dozen small calls for each step. Without gradients its LSTM is
the faster one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import _recurrent_kernels as _kernels
from ._dropout import dropped

_MOST_ROWS = 16  # from here on PyTorch's own calls have enough to do


def few(cells: nn.LSTM | nn.GRU, bars: Tensor) -> bool:
    """Whether the compiled loops are the faster way for (batch, steps, n_features)."""
    if len(bars) > _MOST_ROWS or bars.is_cuda or torch.compiler.is_exporting():
        return False
    return isinstance(cells, nn.GRU) or torch.is_grad_enabled()


def states(cells: nn.LSTM | nn.GRU, bars: Tensor) -> Tensor:
    """(batch, steps, n_features) -> (batch, steps, hidden), the output of `cells`."""
    found: Tensor = states_of_each([cells], bars)[0] if few(cells, bars) else cells(bars)[0]
    return found


def states_of_each(cells: Sequence[nn.LSTM | nn.GRU], bars: Tensor) -> Tensor:
    """Outputs of several recurrent layers of the same shape, (models, batch, steps, hidden)."""
    first = cells[0]
    x = bars.transpose(0, 1).float().expand(len(cells), -1, -1, -1)
    for layer in range(first.num_layers):
        if layer and first.dropout and first.training:
            x = dropped(x, first.dropout)
        of_each = zip(*(_weights(each, layer) for each in cells), strict=True)
        weights = [one[0][None] if len(one) == 1 else torch.stack(one) for one in of_each]
        x = _Layer.apply(x, *weights, isinstance(first, nn.LSTM))  # type: ignore[no-untyped-call]
    return x.transpose(1, 2)


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


class _Layer(torch.autograd.Function):
    """(models, steps, batch, width) -> (models, steps, batch, hidden), of an LSTM or a GRU."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight_in: Tensor,
        weight: Tensor,
        bias_in: Tensor,
        bias: Tensor,
        lstm: bool,
    ) -> Tensor:
        models, steps, batch, width = x.shape
        x = x.reshape(models, -1, width)
        inputs = torch.baddbmm(bias_in[:, None], x, weight_in.transpose(1, 2)).float()
        kernel = _kernels.lstm_forward if lstm else _kernels.gru_forward
        found, gates = kernel(
            inputs.detach().reshape(models, steps, batch, -1).numpy(),
            weight.detach().transpose(1, 2).contiguous().numpy(),
            bias.detach().numpy(),
        )
        ctx.save_for_backward(x, weight_in, weight)
        ctx.found, ctx.lstm = (found, gates), lstm
        return torch.from_numpy(found[:, 1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight_in, weight = ctx.saved_tensors
        kernel = _kernels.lstm_backward if ctx.lstm else _kernels.gru_backward
        both = kernel(gradient.contiguous().numpy(), weight.detach().numpy(), *ctx.found)
        inner, outer = (torch.from_numpy(each).flatten(1, 2) for each in both)
        before = torch.from_numpy(ctx.found[0][:, :-1]).flatten(1, 2)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = (inner @ weight_in).reshape(*gradient.shape[:3], -1)
        of_bias = inner.sum(dim=1)
        return (
            of_x,
            inner.transpose(1, 2) @ x,
            outer.transpose(1, 2) @ before,
            of_bias,
            of_bias.clone() if ctx.lstm else outer.sum(dim=1),  # gradients are added to in place
            None,
        )
