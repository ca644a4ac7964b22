"""How well members forecast out of fold, on the rows that an ensemble learns from."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import Target, signal_of
from barstack.models._libraries import one_blas_thread

from ._stacked import Stacked


def row_weights(stacked: Stacked) -> Floats:
    """(n_rows,) how much each row counts, 1 on average."""
    if stacked.sample_weight is None or not stacked.sample_weight.sum() > 0.0:
        return np.ones(len(stacked))
    return np.asarray(stacked.sample_weight / stacked.sample_weight.mean())


def uneven_weights(stacked: Stacked) -> Floats | None:
    """The same where rows count for more or less; None where all count alike."""
    weight = row_weights(stacked)
    return weight if np.ptp(weight) > 0.0 else None


def outcomes(stacked: Stacked) -> Floats:
    """(n_rows, n_horizons, n_outputs) what a perfect forecast would have been.

    Of classes 1 for the realised one and 0 else; of quantiles the return at every level.
    """
    y, target = stacked.y, stacked.target
    assert y is not None  # in fitting
    if target.task == "three_class":
        return np.asarray(y[..., None] == np.arange(target.n_classes), float)
    return np.repeat(y[..., None], len(target.outputs), axis=2)


def errors(stacked: Stacked) -> Floats:
    """(n_rows, n_members, n_horizons, n_outputs) outcome minus forecast."""
    return np.asarray(outcomes(stacked)[:, None] - stacked.forecasts)


def losses_of(error: Floats, target: Target) -> Floats:
    """(...) losses from errors (..., n_outputs).

    Returns: squared error. Classes: Brier score, the sum of squared errors of the probabilities.
    Quantiles: mean pinball loss over the levels.
    """
    if target.levels:
        tau = np.array(target.levels)
        return np.asarray(np.maximum(tau * error, (tau - 1.0) * error).mean(axis=-1))
    return np.asarray(np.einsum("...k,...k->...", error, error))


def mean_losses(stacked: Stacked) -> Floats:
    """(n_horizons, n_members) mean loss of each member."""
    losses = losses_of(errors(stacked), stacked.target)
    return np.asarray(np.einsum("n,nmh->hm", row_weights(stacked), losses) / len(stacked))


def error_products(error: Floats, row_weight: Floats) -> Floats:
    """(n_members, n_members) mean product of members' errors, summed over outputs.

    error       (n_rows, n_members, n_outputs)
    row_weight  (n_rows,) 1 on average

    The loss of a combination with weights w that sum to one is w' C w.
    """
    flat = weighted_errors(error, row_weight)
    with one_blas_thread:  # the number of threads changes no bit
        return np.asarray(flat.T @ flat / len(error))


def weighted_errors(error: Floats, row_weight: Floats) -> Floats:
    """(n_rows * n_outputs, n_members) errors times the root of their rows' weights."""
    scaled = np.sqrt(row_weight)[:, None, None] * error
    return np.asarray(scaled.transpose(0, 2, 1).reshape(-1, error.shape[1]))


def constant_forecast(stacked: Stacked) -> Floats:
    """(n_horizons, n_outputs) the forecast that needs no member.

    Returns: zero. Classes: their shares among the rows, with one more row of each. Quantiles:
    those of the rows' returns.
    """
    target, weight = stacked.target, row_weights(stacked)
    if target.task == "return":
        return np.zeros((len(target.horizons), 1))
    if target.levels:
        y = stacked.y
        assert y is not None  # in fitting
        if uneven_weights(stacked) is None:
            return np.asarray(np.quantile(y, target.levels, axis=0).T)
        found = [
            np.quantile(each, target.levels, weights=weight, method="inverted_cdf") for each in y.T
        ]
        return np.stack(found)
    counts = np.einsum("n,nhk->hk", weight, outcomes(stacked))
    return np.asarray((counts + 1.0) / (len(stacked) + target.n_classes))


def constant_losses(stacked: Stacked) -> Floats:
    """(n_horizons,) mean loss of `constant_forecast`."""
    losses = losses_of(outcomes(stacked) - constant_forecast(stacked), stacked.target)
    return np.asarray(np.einsum("n,nh->h", row_weights(stacked), losses) / len(stacked))


def signals(stacked: Stacked) -> Floats:
    """(n_rows, n_members, n_horizons) positive for up, see `core.forecast.signal_of`."""
    n_rows, n_members = stacked.forecasts.shape[:2]
    flat = stacked.forecasts.reshape(n_rows * n_members, *stacked.forecasts.shape[2:])
    return signal_of(flat, stacked.target).reshape(n_rows, n_members, -1)


def directional_accuracies(stacked: Stacked) -> Floats:
    """(n_horizons, n_members) share of moves whose sign was forecast; a signal of 0 counts half.

    Rows without a move are left out; where there is no move at all it is one half.
    """
    returns = stacked.returns
    assert returns is not None  # in fitting
    move = np.sign(returns) * row_weights(stacked)[:, None]
    total = np.abs(move).sum(axis=0)
    net = np.einsum("nh,nmh->hm", move, np.sign(signals(stacked)))
    return np.asarray(0.5 + 0.5 * net / np.where(total > 0.0, total, 1.0)[:, None])


def correlations(stacked: Stacked) -> Floats:
    """(n_horizons, n_members) of signal and return (IC); 0 where either never changes."""
    weight, returns = row_weights(stacked) / len(stacked), stacked.returns
    assert returns is not None  # in fitting
    signal = signals(stacked)
    x = signal - np.einsum("n,nmh->mh", weight, signal)
    y = returns - weight @ returns
    cross = np.einsum("n,nmh,nh->hm", weight, x, y)
    variances = np.einsum("n,nmh,nmh->hm", weight, x, x), (weight @ y**2)[:, None]
    # What is left of a constant after its mean is subtracted is rounding alone.
    size = np.einsum("n,nmh,nmh->hm", weight, signal, signal)
    varies = (variances[0] > 1e-20 * size) & (variances[1] > 0.0)
    return np.where(varies, cross / np.sqrt(np.where(varies, variances[0] * variances[1], 1.0)), 0)
