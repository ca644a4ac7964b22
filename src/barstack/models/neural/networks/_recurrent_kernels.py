"""Compiled loops of LSTM and GRU layers, forward and back, for a few sequences side by side.

Several models of the same shape are computed one after the other, each as it would be by itself.
"""

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


@numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _sigmoid(x):  # type: ignore[no-untyped-def]
    half = np.float32(0.5)
    return half + half * _tanh(half * x)


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

    inputs  (models, steps, batch, 3 * hidden) the inputs' share in the gates' arguments
    weight  (models, hidden, 3 * hidden)
    bias    (models, 3 * hidden)
    """
    models, steps, batch, width = inputs.shape
    hidden = width // 3
    h = np.zeros((models, steps + 1, batch, hidden), np.float32)
    r = np.empty((models, steps, batch, hidden), np.float32)
    z, n, m = np.empty_like(r), np.empty_like(r), np.empty_like(r)
    from_states = np.empty((batch, width), np.float32)
    for model in range(models):
        add = bias[model]
        for t in range(steps):
            _times(h[model, t], weight[model], from_states)
            for b in range(batch):
                given, own, at = inputs[model, t, b], from_states[b], (model, t, b)
                before, after = h[model, t, b], h[model, t + 1, b]
                resets, keeps, news, candidates = r[at], z[at], n[at], m[at]
                for j in range(hidden):
                    k, i = hidden + j, 2 * hidden + j
                    reset = _sigmoid(given[j] + own[j] + add[j])
                    keep = _sigmoid(given[k] + own[k] + add[k])
                    candidate = own[i] + add[i]
                    new = _tanh(given[i] + reset * candidate)
                    resets[j], keeps[j], news[j], candidates[j] = reset, keep, new, candidate
                    after[j] = new + keep * (before[j] - new)
    return h, (r, z, n, m)


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def gru_backward(gradient, weight, h, gates):  # type: ignore[no-untyped-def]
    """Gradients of the inputs' share in the gates' arguments, and of the state's share.

    gradient  (models, steps, batch, hidden) gradients of the states
    weight    (models, 3 * hidden, hidden)
    """
    models, steps, batch, hidden = gradient.shape
    r, z, n, m = gates
    inner = np.empty((models, steps, batch, 3 * hidden), np.float32)
    outer = np.empty((models, steps, batch, 3 * hidden), np.float32)
    later = np.empty((batch, hidden), np.float32)
    through = np.empty((batch, hidden), np.float32)
    one = np.float32(1.0)
    for model in range(models):
        later[:], through[:] = np.float32(0.0), np.float32(0.0)
        for t in range(steps - 1, -1, -1):
            for b in range(batch):
                at = (model, t, b)
                given, before, within, without = gradient[at], h[at], inner[at], outer[at]
                resets, keeps, news, candidates = r[at], z[at], n[at], m[at]
                ahead, back = later[b], through[b]
                for j in range(hidden):
                    reset, keep, new = resets[j], keeps[j], news[j]
                    dh = given[j] + ahead[j] + back[j]
                    d_new = dh * (one - keep) * (one - new * new)
                    d_keep = dh * (before[j] - new) * keep * (one - keep)
                    d_reset = d_new * candidates[j] * reset * (one - reset)
                    within[j], without[j] = d_reset, d_reset
                    within[hidden + j], without[hidden + j] = d_keep, d_keep
                    within[2 * hidden + j] = d_new
                    without[2 * hidden + j] = d_new * reset
                    ahead[j] = dh * keep
            _times(outer[model, t], weight[model], through)
    return inner, outer


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def lstm_forward(inputs, weight, bias):  # type: ignore[no-untyped-def]
    """States (one more than steps); the four gates, the cells, and their hyperbolic tangents.

    inputs  (models, steps, batch, 4 * hidden) the inputs' share in the gates' arguments
    weight  (models, hidden, 4 * hidden)
    bias    (models, 4 * hidden)
    """
    models, steps, batch, width = inputs.shape
    hidden = width // 4
    h = np.zeros((models, steps + 1, batch, hidden), np.float32)
    c = np.zeros((models, steps + 1, batch, hidden), np.float32)
    gates = np.empty((models, steps, batch, width), np.float32)
    flat = np.empty((models, steps, batch, hidden), np.float32)
    from_states = np.empty((batch, width), np.float32)
    for model in range(models):
        add = bias[model]
        for t in range(steps):
            _times(h[model, t], weight[model], from_states)
            for b in range(batch):
                at = (model, t, b)
                line, gate, given = from_states[b], gates[at], inputs[at]
                for j in range(width):
                    line[j] += given[j] + add[j]
                for j in range(2 * hidden):
                    gate[j] = _sigmoid(line[j])
                for j in range(2 * hidden, 3 * hidden):
                    gate[j] = _tanh(line[j])
                for j in range(3 * hidden, width):
                    gate[j] = _sigmoid(line[j])
                enter, stay = gate[:hidden], gate[hidden : 2 * hidden]
                new, leave = gate[2 * hidden : 3 * hidden], gate[3 * hidden :]
                before, cell = c[at], c[model, t + 1, b]
                shown, state = flat[at], h[model, t + 1, b]
                for j in range(hidden):
                    cell[j] = stay[j] * before[j] + enter[j] * new[j]
                for j in range(hidden):
                    shown[j] = _tanh(cell[j])
                    state[j] = leave[j] * shown[j]
    return h, (gates, c, flat)


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def lstm_backward(gradient, weight, h, gates):  # type: ignore[no-untyped-def]
    """Gradients of the inputs' share in the gates' arguments, and, the same, of the state's.

    gradient  (models, steps, batch, hidden) gradients of the states
    weight    (models, 4 * hidden, hidden)
    """
    models, steps, batch, hidden = gradient.shape
    activations, c, flat = gates
    found = np.empty((models, steps, batch, 4 * hidden), np.float32)
    later = np.empty((batch, hidden), np.float32)
    through = np.empty((batch, hidden), np.float32)
    one = np.float32(1.0)
    for model in range(models):
        later[:], through[:] = np.float32(0.0), np.float32(0.0)
        for t in range(steps - 1, -1, -1):
            for b in range(batch):
                at = (model, t, b)
                gate, given, before, tanh, out = (
                    activations[at], gradient[at], c[at], flat[at], found[at])  # fmt: skip
                ahead, back = later[b], through[b]
                for j in range(hidden):
                    k, i, o = hidden + j, 2 * hidden + j, 3 * hidden + j
                    enter, stay, new, leave, shown = gate[j], gate[k], gate[i], gate[o], tanh[j]
                    dh = given[j] + back[j]
                    dc = ahead[j] + dh * leave * (one - shown * shown)
                    out[j] = dc * new * enter * (one - enter)
                    out[k] = dc * before[j] * stay * (one - stay)
                    out[i] = dc * enter * (one - new * new)
                    out[o] = dh * shown * leave * (one - leave)
                    ahead[j] = dc * stay
            _times(found[model, t], weight[model], through)
    return found, found
