"""Per-row losses and output decoding."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from barstack.core.errors import ConfigError
from barstack.core.forecast import Target
from barstack.datasets import Samples

from .._outputs import weighted_quantiles

FOR_TASK = {
    "return": ("huber", "mse", "directional", "sharpe"),
    "direction": ("cross_entropy",),
    "three_class": ("cross_entropy",),
    "quantiles": ("pinball",),
}


def loss_for(loss: str, target: Target) -> str:
    """The loss to train by: the one set, or the default of the task."""
    allowed = FOR_TASK[target.task]
    if loss == "auto":
        return allowed[0]
    if loss not in allowed:
        raise ConfigError(
            f"loss {loss!r} cannot be used to forecast {target.task}. Choose one of "
            f"{', '.join(allowed)}, or leave it to auto."
        )
    return loss


def row_losses(raw: Tensor, y: Tensor, loss: str, target: Target) -> Tensor:
    """(n_rows,) on average over horizons.

    raw  (n_rows, n_horizons * n_outputs)
    y    (n_rows, n_horizons) returns in training deviations, or classes
    """
    if loss == "pinball":
        return _pinball(raw.reshape(*y.shape, -1), y, raw.new_tensor(target.levels))
    if loss == "cross_entropy":
        return _cross_entropy(raw, y, target)
    if loss == "mse":
        return functional.mse_loss(raw, y, reduction="none").mean(dim=1)
    each = functional.huber_loss(raw, y, reduction="none", delta=2.0)  # a crash counts, not squared
    # The others keep Huber's loss beside their own, and with it the forecast's scale.
    if loss == "directional":
        # Being on the wrong side costs the more the further the market went: the log-likelihood
        # of the sign times the size of the move.
        each = each + y.abs() * functional.softplus(-2.0 * raw * torch.sign(y))
    elif loss == "sharpe":
        # Least squares of 1 on a position's returns finds the position of the highest Sharpe ratio
        # (Britten-Jones 1999), row by row, whatever the batch. A position is the forecast, bounded.
        each = each + 0.5 * (1.0 - torch.tanh(raw) * y) ** 2
    return each.mean(dim=1)


def _pinball(raw: Tensor, y: Tensor, levels: Tensor) -> Tensor:
    """(n_rows,) from raw (n_rows, n_horizons, n_levels): Koenker, Bassett (1978)."""
    over = y[:, :, None] - raw
    return torch.maximum(levels * over, (levels - 1.0) * over).mean(dim=(1, 2))


def _cross_entropy(raw: Tensor, y: Tensor, target: Target) -> Tensor:
    """(n_rows,) minus the log probability of the realised class."""
    if target.task == "direction":
        return functional.binary_cross_entropy_with_logits(raw, y, reduction="none").mean(dim=1)
    each = functional.cross_entropy(raw.reshape(-1, 3), y.reshape(-1).long(), reduction="none")
    return each.reshape(len(y), -1).mean(dim=1)


def starting_point(train: Samples, target: Target) -> Tensor:
    """(n_outputs,) the naive forecast to improve on: the mean, the quantiles, or log odds."""
    weight = np.maximum(train.weight, 1e-12)
    if target.task == "return":
        found = np.average(train.y, axis=0, weights=weight)
    elif target.levels:
        found = weighted_quantiles(train.y.T, np.tile(weight, (train.y.shape[1], 1)), target.levels)
        found = found.ravel()
    else:
        n_classes = target.n_classes
        counts = np.stack(
            [np.bincount(column.astype(np.int64), weight, n_classes) for column in train.y.T]
        )
        share = (counts + 1.0) / (counts.sum(axis=1, keepdims=True) + n_classes)
        logs = np.log(share)
        found = logs[:, 1] - logs[:, 0] if target.task == "direction" else logs.ravel()
    return torch.from_numpy(found.astype(np.float32))


def outputs(raw: Tensor, target: Target) -> Tensor:
    """(n_rows, n_horizons, n_outputs) float64: returns in training deviations, or probabilities."""
    shaped = raw.double().reshape(len(raw), len(target.horizons), len(target.outputs))
    if not target.n_classes:
        return shaped
    return torch.sigmoid(shaped) if target.task == "direction" else torch.softmax(shaped, dim=2)
