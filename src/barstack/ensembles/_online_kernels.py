"""Compiled loops of the ensembles that learn on, outcome after outcome.

For each horizon, r (n_members,) is the linearised regret of one outcome, gradient x (what was
forecast - the member's forecast): above 0 where the member would have done better.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

HEDGE, SHARE, BOA, POLY = range(4)  # the methods


def _numbers(dimensions: int, *, written: bool = False) -> types.Array:
    return types.Array(types.float64, dimensions, "A", readonly=not written)


def _whole(*, written: bool = False) -> types.Array:
    return types.Array(types.int64, 1, "C", readonly=not written)


@numba.njit(cache=True, error_model="numpy")
def _log_sum(values, temperature):  # type: ignore[no-untyped-def]
    """Temperature x log of the sum of exp(value / temperature): the largest value at 0."""
    top = -np.inf
    for j in range(len(values)):
        top = max(top, values[j])
    if temperature == 0.0:
        return top
    total = 0.0
    for j in range(len(values)):
        total += np.exp((values[j] - top) / temperature)
    return top + temperature * np.log(total)


@numba.njit(cache=True, error_model="numpy")
def _normalise(weights):  # type: ignore[no-untyped-def]
    """To a sum of one; alike where they have no such sum, as where all are zero."""
    total = 0.0
    for j in range(len(weights)):
        total += weights[j]
    fine = total > 0.0 and total < np.inf
    for j in range(len(weights)):
        weights[j] = weights[j] / total if fine else 1.0 / len(weights)


@numba.njit(cache=True, error_model="numpy")
def _hedge(r, regret, gap, weights):  # type: ignore[no-untyped-def]
    """AdaHedge; the new mixability gap. Temperature is 1 / the learning rate."""
    size = np.log(max(len(r), 2))
    temperature = gap / size
    before = _log_sum(regret, temperature)
    for j in range(len(r)):
        regret[j] += r[j]
    gap += max(_log_sum(regret, temperature) - before, 0.0)
    temperature, top = gap / size, _log_sum(regret, 0.0)
    for j in range(len(r)):
        if temperature > 0.0:
            weights[j] = np.exp((regret[j] - top) / temperature)
        else:
            weights[j] = 1.0 if regret[j] == top else 0.0
    _normalise(weights)
    return gap


@numba.njit(cache=True, error_model="numpy")
def _share(r, scaled, gap, rows, share, weights):  # type: ignore[no-untyped-def]
    """Fixed share by AdaHedge's rate; `scaled` are the weights before, and is overwritten."""
    n = len(r)
    size = np.log(max(n, 2))
    each = share * np.log(n / share) - np.log1p(-share)
    temperature = gap / (size + rows * each)
    top = _log_sum(r, 0.0)
    if temperature > 0.0:
        total = 0.0
        for j in range(n):
            total += scaled[j] * np.exp((r[j] - top) / temperature)
        top += temperature * np.log(total)
    gap += max(top, 0.0)
    after = gap / (size + (rows + 1) * each)
    if after > 0.0:
        for j in range(n):
            # No weights to go by yet where the rate was without bound.
            scaled[j] = temperature * np.log(scaled[j]) + r[j] if temperature > 0.0 else 0.0
        top = _log_sum(scaled, 0.0)
        for j in range(n):
            weights[j] = np.exp((scaled[j] - top) / after)
        _normalise(weights)
        for j in range(n):
            weights[j] = share / n + (1.0 - share) * weights[j]
            scaled[j] = weights[j]
    else:
        for j in range(n):
            weights[j] = scaled[j]
    return gap


@numba.njit(cache=True, error_model="numpy")
def _boa(r, regret, variance, weights):  # type: ignore[no-untyped-def]
    """Bernstein online aggregation with a rate for each member, as opera has it."""
    n, active, top = len(r), 0, -np.inf
    for j in range(n):
        variance[j] += 2.2 * r[j] * r[j]
        if variance[j] > 0.0:
            rate = 1.0 / np.sqrt(variance[j])
            regret[j] += r[j] - rate * r[j] * r[j]
            weights[j] = np.log(rate) + rate * regret[j]
            top = max(top, weights[j])
            active += 1
    total = 0.0
    for j in range(n):
        if variance[j] > 0.0:
            weights[j] = np.exp(weights[j] - top)
            total += weights[j]
    for j in range(n):
        weights[j] = weights[j] / total * active if variance[j] > 0.0 else 1.0
    _normalise(weights)


@numba.njit(cache=True, error_model="numpy")
def _poly(r, regret, inverse, largest, weights):  # type: ignore[no-untyped-def]
    """ML-Poly, `inverse` of each member's rate, as opera has it; the new largest squared regret."""
    now = largest
    for j in range(len(r)):
        now = max(now, r[j] * r[j])
    for j in range(len(r)):
        regret[j] += r[j]
        inverse[j] += r[j] * r[j] + now - largest
        weights[j] = max(regret[j], 0.0) / inverse[j] if inverse[j] > 0.0 else 0.0
    _normalise(weights)
    return now


@numba.njit(cache=True, error_model="numpy")
def _regret(played, forecasts, outcomes, levels, weight, r):  # type: ignore[no-untyped-def]
    """Each member's linearised regret, from one row's forecasts (n_members, n_outputs)."""
    n_members, n_outputs = forecasts.shape
    for j in range(n_members):
        r[j] = 0.0
    for k in range(n_outputs):
        predicted = 0.0
        for j in range(n_members):
            predicted += played[j] * forecasts[j, k]
        if len(levels):
            slope = (1.0 if predicted > outcomes[k] else 0.0) - levels[k]
        else:
            slope = 2.0 * (predicted - outcomes[k])
        for j in range(n_members):
            r[j] += weight * slope * (predicted - forecasts[j, k])


@numba.njit(cache=True, error_model="numpy")
def _step(method, share, r, sums, scale, rows, weights):  # type: ignore[no-untyped-def]
    """The new scale; `sums` (2, n_members) and `weights` are overwritten."""
    if method == HEDGE:
        return _hedge(r, sums[0], scale, weights)
    if method == SHARE:
        return _share(r, sums[0], scale, rows, share, weights)
    if method == POLY:
        return _poly(r, sums[0], sums[1], scale, weights)
    _boa(r, sums[0], sums[1], weights)
    return scale


@numba.njit(cache=True, error_model="numpy")
def _copy(weights, out):  # type: ignore[no-untyped-def]
    """By elements: an assignment of arrays takes ten seconds to compile."""
    for h in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            out[h, j] = weights[h, j]


@numba.njit(cache=True, error_model="numpy")
def _place(times, begin, end, moment):  # type: ignore[no-untyped-def]
    """Of the versions from begin to end, the last in force at a moment, or the first of all."""
    low, high = begin + 1, end
    while low < high:
        middle = (low + high) // 2
        if times[middle] <= moment:
            low = middle + 1
        else:
            high = middle
    return low - 1


_LEARN: Any = types.UniTuple(types.int64, 4)(  # type: ignore[no-untyped-call]
    *(types.int64, types.float64),
    *(_numbers(4), _numbers(3), _numbers(1), _numbers(1), _whole(), _whole(), _whole(), _whole()),
    *(_numbers(3, written=True), _numbers(1, written=True), types.int64, types.int64),
    *(_whole(written=True), _numbers(3, written=True), types.int64, types.int64),
    _numbers(3, written=True),
)


@numba.njit(_LEARN, cache=True, error_model="numpy")
def learn(  # type: ignore[no-untyped-def]
    method, share, forecasts, outcomes, levels, row_weight, order, decided_at, known_at, wanted,
    state, scale, rows, longest, times, past, length, most, out,
):  # fmt: skip
    """Learn from rows in `order`; state, scale, times and past are overwritten.

    forecasts            (n_rows, n_members, n_horizons, n_outputs)
    outcomes             (n_rows, n_horizons, n_outputs)
    levels               (n_outputs,) of quantiles; empty for squared errors
    row_weight           (n_rows,) by which a row's loss counts
    decided_at, known_at (n_rows,) microseconds
    wanted               (n_wanted,) rising counts of rows after which `out` notes the weights
    state                (2, n_horizons, n_members), what the method sums
    scale                (n_horizons,) gap or largest squared regret
    rows, longest        rows learned from so far; most versions that came between a decision and
                         its outcome
    times, past          (n_kept,), (n_kept, n_horizons, n_members) weights by when each came into
                         force; the first `length` are in use, never more than `most` after pruning

    Returns rows, longest, and where the versions in use begin and end.
    """
    begin, end = 0, length
    r = np.empty(forecasts.shape[1])
    noted = 0
    for count in range(len(order) + 1):
        while noted < len(wanted) and wanted[noted] == count:
            _copy(past[end - 1], out[noted])
            noted += 1
        if count == len(order):
            break
        row = order[count]
        place = _place(times, begin, end, decided_at[row])
        longest = max(longest, end - 1 - place)
        newest = end
        if known_at[row] <= times[end - 1]:  # one moment, one version
            newest = end - 1
        elif end == len(times):
            for each in range(begin, end):
                times[each - begin] = times[each]
                _copy(past[each], past[each - begin])
            place, newest = place - begin, end - begin
            begin, end = 0, newest
        for h in range(forecasts.shape[2]):
            _regret(
                past[place, h], forecasts[row, :, h], outcomes[row, h], levels, row_weight[row], r
            )
            scale[h] = _step(method, share, r, state[:, h], scale[h], rows, past[newest, h])
        rows += 1
        if newest == end:
            times[newest] = known_at[row]
            end += 1
            begin = max(begin, end - min(max(2 * longest + 2, 64), most))
    return rows, longest, begin, end
