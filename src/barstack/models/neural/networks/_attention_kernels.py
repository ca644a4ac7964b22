"""Compiled attention: of each step over the latest few, and of a few timeframes over each other.

Products of matrices take all steps over all others and throw most of it away. Here loops run over
how far back a key lies, and inside over all queries at once: neighbours in memory.

Shapes of a band, with `rows` sequences and heads together: query (rows, size, keep), key (rows,
size, steps), value (rows / share, size, steps), nearness (heads, width), weights (rows, width,
keep). The latest query is the latest key's, and before the first query's there are `width - 1` keys
at least.
"""

from __future__ import annotations

import numba
import numpy as np

_LOG2E, _LN2 = np.float32(1.4426950408889634), np.float32(0.6931471805599453)
# Taylor's, good to float32's last digits up to half of ln 2 either side of 0.
_EXP = tuple(np.float32(1.0 / each) for each in (1, 1, 2, 6, 24, 120, 720))


@numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _exp(x):  # type: ignore[no-untyped-def]
    """e to the power of a number that is 0 or less: plain arithmetic, many at a time."""
    x = max(x, np.float32(-87.0))
    whole = np.floor(x * _LOG2E + np.float32(0.5))
    r = x - whole * _LN2
    c = _EXP
    near = (((((c[6] * r + c[5]) * r + c[4]) * r + c[3]) * r + c[2]) * r + c[1]) * r + c[0]
    power = (np.int32(whole) + np.int32(127)) << np.int32(23)
    return near * np.int32(power).view(np.float32)


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _add_products(line, one, other, at):  # type: ignore[no-untyped-def]
    """Add to line (keep,) the products of one (size, keep) and other (size, steps) from `at` on."""
    size, keep = one.shape
    whole = size // 4 * 4
    for d in range(0, whole, 4):
        a, b, c, e = one[d], one[d + 1], one[d + 2], one[d + 3]
        p, q = other[d, at : at + keep], other[d + 1, at : at + keep]
        r, s = other[d + 2, at : at + keep], other[d + 3, at : at + keep]
        for i in range(keep):
            line[i] += (a[i] * p[i] + b[i] * q[i]) + (c[i] * r[i] + e[i] * s[i])
    for d in range(whole, size):
        a, p = one[d], other[d, at : at + keep]
        for i in range(keep):
            line[i] += a[i] * p[i]


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def band_forward(query, key, value, nearness):  # type: ignore[no-untyped-def]
    """What each query finds (rows, value's size, keep), and the weights that it gave."""
    rows, _, keep = query.shape
    steps, (heads, width) = key.shape[2], nearness.shape
    share, value_size = rows // len(value), value.shape[1]
    newest = steps - keep
    found = np.zeros((rows, value_size, keep), np.float32)
    weights = np.empty((rows, width, keep), np.float32)
    top, total = np.empty(keep, np.float32), np.empty(keep, np.float32)
    for row in range(rows):
        top[:] = np.float32(-np.inf)
        for back in range(width):
            w = weights[row, back]
            w[:] = nearness[row % heads, back]
            _add_products(w, query[row], key[row], newest - back)
            for i in range(keep):
                top[i] = max(top[i], w[i])
        total[:] = np.float32(0.0)
        for back in range(width):
            w = weights[row, back]
            for i in range(keep):
                w[i] = _exp(w[i] - top[i])
                total[i] += w[i]
        for i in range(keep):
            total[i] = np.float32(1.0) / total[i]
        for back in range(width):
            w, at = weights[row, back], newest - back
            for i in range(keep):
                w[i] *= total[i]
            for d in range(value_size):
                out, v = found[row, d], value[row // share, d, at : at + keep]
                for i in range(keep):
                    out[i] += w[i] * v[i]
    return found, weights


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def band_backward(gradient, query, key, value, weights, heads):  # type: ignore[no-untyped-def]
    """Gradients of query, key, value and nearness from the `gradient` of `found`."""
    rows, size, keep = query.shape
    steps, width = key.shape[2], weights.shape[1]
    share, value_size = rows // len(value), value.shape[1]
    newest = steps - keep
    of_query, of_key, of_value = np.zeros_like(query), np.zeros_like(key), np.zeros_like(value)
    of_nearness = np.zeros((heads, width), np.float32)
    scores = np.empty((width, keep), np.float32)
    mean = np.empty(keep, np.float32)
    for row in range(rows):
        mean[:] = np.float32(0.0)
        scores[:] = np.float32(0.0)
        for back in range(width):
            line, w, at = scores[back], weights[row, back], newest - back
            _add_products(line, gradient[row], value[row // share], at)
            for d in range(value_size):
                a, dv = gradient[row, d], of_value[row // share, d, at : at + keep]
                for i in range(keep):
                    dv[i] += w[i] * a[i]
            for i in range(keep):
                mean[i] += w[i] * line[i]
        for back in range(width):
            line, w, at = scores[back], weights[row, back], newest - back
            total = np.float32(0.0)
            for i in range(keep):
                line[i] = w[i] * (line[i] - mean[i])
                total += line[i]
            of_nearness[row % heads, back] += total
            for d in range(size):
                q, k = query[row, d], key[row, d, at : at + keep]
                dq, dk = of_query[row, d], of_key[row, d, at : at + keep]
                for i in range(keep):
                    dq[i] += line[i] * k[i]
                    dk[i] += line[i] * q[i]
    return of_query, of_key, of_value, of_nearness


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def across_forward(lines):  # type: ignore[no-untyped-def]
    """What each of a few sequences finds in all of them, step by step, and the weights it gave.

    lines    (sequences, 3, heads, size, steps) queries, keys and values
    returns  (sequences, heads, size, steps) and (heads, sequences, sequences, steps)
    """
    many, _, heads, size, steps = lines.shape
    found = np.zeros((many, heads, size, steps), np.float32)
    weights = np.zeros((heads, many, many, steps), np.float32)
    top, total = np.empty(steps, np.float32), np.empty(steps, np.float32)
    for head in range(heads):
        for one in range(many):
            top[:] = np.float32(-np.inf)
            for other in range(many):
                w = weights[head, one, other]
                _add_products(w, lines[one, 0, head], lines[other, 1, head], 0)
                for i in range(steps):
                    top[i] = max(top[i], w[i])
            total[:] = np.float32(0.0)
            for other in range(many):
                w = weights[head, one, other]
                for i in range(steps):
                    w[i] = _exp(w[i] - top[i])
                    total[i] += w[i]
            for other in range(many):
                w = weights[head, one, other]
                for i in range(steps):
                    w[i] /= total[i]
                for d in range(size):
                    out, v = found[one, head, d], lines[other, 2, head, d]
                    for i in range(steps):
                        out[i] += w[i] * v[i]
    return found, weights


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def across_backward(gradient, lines, weights):  # type: ignore[no-untyped-def]
    """Gradient of `lines` from the `gradient` of `found`."""
    many, _, heads, size, steps = lines.shape
    of_lines = np.zeros_like(lines)
    scores = np.empty((many, steps), np.float32)
    mean = np.empty(steps, np.float32)
    for head in range(heads):
        for one in range(many):
            mean[:] = np.float32(0.0)
            scores[:] = np.float32(0.0)
            for other in range(many):
                line, w = scores[other], weights[head, one, other]
                _add_products(line, gradient[one, head], lines[other, 2, head], 0)
                for i in range(steps):
                    mean[i] += w[i] * line[i]
            for other in range(many):
                line, w = scores[other], weights[head, one, other]
                for i in range(steps):
                    line[i] = w[i] * (line[i] - mean[i])
                for d in range(size):
                    a, dv = gradient[one, head, d], of_lines[other, 2, head, d]
                    q, dq = lines[one, 0, head, d], of_lines[one, 0, head, d]
                    k, dk = lines[other, 1, head, d], of_lines[other, 1, head, d]
                    for i in range(steps):
                        dv[i] += w[i] * a[i]
                    for i in range(steps):
                        dq[i] += line[i] * k[i]
                        dk[i] += line[i] * q[i]
    return of_lines
