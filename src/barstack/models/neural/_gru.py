"""A GRU layer for small batches on a processor: compiled loops, forward and back.

PyTorch has a fused LSTM there and no fused GRU: each step of each layer is a dozen calls that do
little, four times the work itself for a few chunks side by side.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

_MOST_ROWS = 16  # from here on PyTorch's own calls have enough to do


def states(cells: nn.GRU, bars: Tensor) -> Tensor:
    """(batch, steps, n_features) -> (batch, steps, hidden), as `cells` would, in training."""
    if bars.is_cuda or len(bars) > _MOST_ROWS or not torch.is_grad_enabled():
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
        x = _Layer.apply(  # type: ignore[no-untyped-call]
            functional.linear(x, weight_in, bias_in).float(), weight, bias
        )
    return x.transpose(0, 1)


class _Layer(torch.autograd.Function):
    """(steps, batch, 3 * hidden) what the inputs say of the gates -> (steps, batch, hidden)."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        gates = inputs.detach().contiguous().numpy()
        found = _forward(gates, weight.detach().t().contiguous().numpy(), bias.detach().numpy())
        ctx.save_for_backward(weight)
        ctx.found = found
        return torch.from_numpy(found[0][1:])

    @staticmethod
    def backward(ctx: Any, asked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (weight,) = ctx.saved_tensors
        inner, outer = _backward(asked.contiguous().numpy(), weight.detach().numpy(), *ctx.found)
        hidden = weight.shape[1]
        of_gates = torch.from_numpy(outer).reshape(-1, 3 * hidden)
        before = torch.from_numpy(ctx.found[0][:-1]).reshape(-1, hidden)
        return torch.from_numpy(inner), of_gates.t() @ before, of_gates.sum(dim=0)


# A quotient of polynomials, right to float32's last digits: the library's function is a call for
# each number, this is arithmetic on eight or sixteen of them at a time.
_ABOVE = tuple(
    np.float32(each)
    for each in (
        4.89352455891786e-03, 6.37261928875436e-04, 1.48572235717979e-05, 5.12229709037114e-08,
        -8.60467152213735e-11, 2.00018790482477e-13, -2.76076847742355e-16,
    )
)  # fmt: skip
_BELOW = tuple(
    np.float32(each)
    for each in (4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04,
                 1.19825839466702e-06)
)  # fmt: skip
_FLAT = np.float32(7.905)  # beyond it the answer is one


@numba.njit(cache=True, fastmath=True, inline="always")
def _tanh(x):  # type: ignore[no-untyped-def]
    x = min(max(x, -_FLAT), _FLAT)
    s = x * x
    a, b = _ABOVE, _BELOW
    above = ((((((a[6] * s + a[5]) * s + a[4]) * s + a[3]) * s + a[2]) * s + a[1]) * s + a[0]) * x
    return above / (((b[3] * s + b[2]) * s + b[1]) * s + b[0])


@numba.njit(cache=True, fastmath=True)
def _forward(inputs, weight, bias):  # type: ignore[no-untyped-def]
    """States (one more than steps), the three gates, and what the state says of the new one."""
    steps, batch, width = inputs.shape
    hidden = width // 3
    h = np.zeros((steps + 1, batch, hidden), np.float32)
    r = np.empty((steps, batch, hidden), np.float32)
    z, n, m = np.empty_like(r), np.empty_like(r), np.empty_like(r)
    said = np.empty((batch, width), np.float32)
    half = np.float32(0.5)
    for t in range(steps):
        np.dot(h[t], weight, said)
        for b in range(batch):
            for j in range(hidden):
                k, i = hidden + j, 2 * hidden + j
                reset = half + half * _tanh(half * (inputs[t, b, j] + said[b, j] + bias[j]))
                keep = half + half * _tanh(half * (inputs[t, b, k] + said[b, k] + bias[k]))
                from_state = said[b, i] + bias[i]
                new = _tanh(inputs[t, b, i] + reset * from_state)
                r[t, b, j], z[t, b, j], n[t, b, j], m[t, b, j] = reset, keep, new, from_state
                h[t + 1, b, j] = new + keep * (h[t, b, j] - new)
    return h, r, z, n, m


@numba.njit(cache=True, fastmath=True)
def _backward(asked, weight, h, r, z, n, m):  # type: ignore[no-untyped-def]
    """What the loss asks of the inputs' share in the gates, and of the state's share."""
    steps, batch, hidden = asked.shape
    inner = np.empty((steps, batch, 3 * hidden), np.float32)
    outer = np.empty((steps, batch, 3 * hidden), np.float32)
    later = np.zeros((batch, hidden), np.float32)
    through = np.zeros((batch, hidden), np.float32)
    one = np.float32(1.0)
    for t in range(steps - 1, -1, -1):
        for b in range(batch):
            for j in range(hidden):
                reset, keep, new = r[t, b, j], z[t, b, j], n[t, b, j]
                dh = asked[t, b, j] + later[b, j] + through[b, j]
                d_new = dh * (one - keep) * (one - new * new)
                d_keep = dh * (h[t, b, j] - new) * keep * (one - keep)
                d_reset = d_new * m[t, b, j] * reset * (one - reset)
                inner[t, b, j] = outer[t, b, j] = d_reset
                inner[t, b, hidden + j] = outer[t, b, hidden + j] = d_keep
                inner[t, b, 2 * hidden + j] = d_new
                outer[t, b, 2 * hidden + j] = d_new * reset
                later[b, j] = dh * keep
        np.dot(outer[t], weight, through)
    return inner, outer
