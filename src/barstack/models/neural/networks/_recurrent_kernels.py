"""Compiled loops of GRU layers, forward and back, for a few sequences side by side."""

from __future__ import annotations

import numba
import numpy as np

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


@numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _tanh(x):  # type: ignore[no-untyped-def]
    x = min(max(x, -_FLAT), _FLAT)
    s = x * x
    a, b = _ABOVE, _BELOW
    above = ((((((a[6] * s + a[5]) * s + a[4]) * s + a[3]) * s + a[2]) * s + a[1]) * s + a[0]) * x
    return above / (((b[3] * s + b[2]) * s + b[1]) * s + b[0])


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _times(left, right, out):  # type: ignore[no-untyped-def]
    """(rows, inner) @ (inner, columns) for a few rows; a library spends longer on its set-up."""
    rows, inner = left.shape
    columns = right.shape[1]
    out[:] = np.float32(0.0)
    whole = inner // 8 * 8
    for k in range(0, whole, 8):
        for b in range(rows):
            a, c, d, e = left[b, k], left[b, k + 1], left[b, k + 2], left[b, k + 3]
            p, q, r, s = left[b, k + 4], left[b, k + 5], left[b, k + 6], left[b, k + 7]
            for j in range(columns):
                out[b, j] += (
                    (a * right[k, j] + c * right[k + 1, j])
                    + (d * right[k + 2, j] + e * right[k + 3, j])
                ) + (
                    (p * right[k + 4, j] + q * right[k + 5, j])
                    + (r * right[k + 6, j] + s * right[k + 7, j])
                )
    for k in range(whole, inner):
        for b in range(rows):
            for j in range(columns):
                out[b, j] += left[b, k] * right[k, j]


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def gru_forward(inputs, weight, bias):  # type: ignore[no-untyped-def]
    """States (one more than steps), the three gates, and the state's share in the new state.

    inputs  (steps, batch, 3 * hidden) the inputs' share in the gates' arguments
    weight  (hidden, 3 * hidden)
    """
    steps, batch, width = inputs.shape
    hidden = width // 3
    h = np.zeros((steps + 1, batch, hidden), np.float32)
    r = np.empty((steps, batch, hidden), np.float32)
    z, n, m = np.empty_like(r), np.empty_like(r), np.empty_like(r)
    from_states = np.empty((batch, width), np.float32)
    half = np.float32(0.5)
    for t in range(steps):
        _times(h[t], weight, from_states)
        for b in range(batch):
            for j in range(hidden):
                k, i = hidden + j, 2 * hidden + j
                reset = half + half * _tanh(half * (inputs[t, b, j] + from_states[b, j] + bias[j]))
                keep = half + half * _tanh(half * (inputs[t, b, k] + from_states[b, k] + bias[k]))
                candidate = from_states[b, i] + bias[i]
                new = _tanh(inputs[t, b, i] + reset * candidate)
                r[t, b, j], z[t, b, j], n[t, b, j], m[t, b, j] = reset, keep, new, candidate
                h[t + 1, b, j] = new + keep * (h[t, b, j] - new)
    return h, r, z, n, m


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def gru_backward(gradient, weight, h, r, z, n, m):  # type: ignore[no-untyped-def]
    """Gradients of the inputs' share in the gates' arguments, and of the state's share.

    gradient   (steps, batch, hidden) gradients of the states
    weight  (3 * hidden, hidden)
    """
    steps, batch, hidden = gradient.shape
    inner = np.empty((steps, batch, 3 * hidden), np.float32)
    outer = np.empty((steps, batch, 3 * hidden), np.float32)
    later = np.zeros((batch, hidden), np.float32)
    through = np.zeros((batch, hidden), np.float32)
    one = np.float32(1.0)
    for t in range(steps - 1, -1, -1):
        for b in range(batch):
            for j in range(hidden):
                reset, keep, new = r[t, b, j], z[t, b, j], n[t, b, j]
                dh = gradient[t, b, j] + later[b, j] + through[b, j]
                d_new = dh * (one - keep) * (one - new * new)
                d_keep = dh * (h[t, b, j] - new) * keep * (one - keep)
                d_reset = d_new * m[t, b, j] * reset * (one - reset)
                inner[t, b, j] = outer[t, b, j] = d_reset
                inner[t, b, hidden + j] = outer[t, b, hidden + j] = d_keep
                inner[t, b, 2 * hidden + j] = d_new
                outer[t, b, 2 * hidden + j] = d_new * reset
                later[b, j] = dh * keep
        _times(outer[t], weight, through)
    return inner, outer
