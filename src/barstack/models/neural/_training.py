"""The training loop of all neural models, in named steps. Imported only once PyTorch is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from barstack.core.errors import ArtifactError
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

_PREDICT_ROWS = 2048


class LastStep(nn.Module):
    """An LSTM read at its last step: (batch, lookback, n_features) -> (batch, n_outputs)."""

    def __init__(self, n_features: int, hidden: int, n_outputs: int, dropout: float) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(n_features, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, n_outputs)

    def forward(self, windows: Tensor) -> Tensor:
        states, _ = self.recurrent(windows)
        return self.head(self.dropout(states[:, -1]))  # type: ignore[no-any-return]


def fit(
    network: Callable[[], nn.Module],
    train: Samples,
    stop: Samples,
    target: Target,
    *,
    lookback: int,
    epochs: int,
    patience: int,
    batch: int,
    learning_rate: float,
    weight_decay: float,
    seed: int,
) -> nn.Module:
    """The network of the epoch that did best on `stop`.

    Windows are cut batch by batch, so memory holds one copy of the features.
    """
    with _one_thread_and_seed(seed):
        learner = network()
        optimizer = torch.optim.AdamW(
            learner.parameters(), lr=learning_rate, weight_decay=weight_decay
        )
        shuffle = np.random.default_rng(seed)
        best, best_loss, waited = copy.deepcopy(learner.state_dict()), np.inf, 0
        for _ in range(epochs):
            _train_epoch(learner, optimizer, train, target, lookback, batch, shuffle)
            loss = _mean_loss(learner, stop, target, lookback)
            if loss < best_loss:
                best, best_loss, waited = copy.deepcopy(learner.state_dict()), loss, 0
            else:
                waited += 1
            if waited == patience:
                break
        learner.load_state_dict(best)
    return learner.eval()


def predict(
    network: nn.Module, inputs: Inputs, target: Target, lookback: int
) -> npt.NDArray[np.float64]:
    """(n_rows, n_horizons, n_outputs): returns in training deviations, or probabilities."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(inputs), _PREDICT_ROWS):
            places = slice(start, start + _PREDICT_ROWS)
            raw = network(torch.from_numpy(inputs.windows(lookback, places)))
            parts.append(_outputs(raw, target).numpy())
    shape = (0, len(target.horizons), len(target.outputs))
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(shape)


def save(network: nn.Module, file: Path) -> None:
    """Weights as safetensors: arrays and names, no code."""
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, file)


def read(file: Path) -> dict[str, Tensor]:
    """Weights that `save` wrote."""
    try:
        return load_file(file)
    except Exception as error:  # noqa: BLE001 (safetensors raises its own, unexported class)
        raise ArtifactError(f"{file} cannot be read: {error}. Restore it from a copy.") from None


def _train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Samples,
    target: Target,
    lookback: int,
    batch: int,
    shuffle: np.random.Generator,
) -> None:
    network.train()
    order = shuffle.permutation(len(train))
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        loss = _loss(network, train, target, lookback, places)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()


def _mean_loss(network: nn.Module, samples: Samples, target: Target, lookback: int) -> float:
    network.eval()
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(samples), _PREDICT_ROWS):
            places = np.arange(start, min(start + _PREDICT_ROWS, len(samples)))
            total += float(_loss(network, samples, target, lookback, places)) * len(places)
    return total / float(samples.weight.sum())


def _loss(
    network: nn.Module,
    samples: Samples,
    target: Target,
    lookback: int,
    places: npt.NDArray[np.int64],
) -> Tensor:
    """Each row's loss over all horizons times its weight, on average over `places`."""
    raw = network(torch.from_numpy(samples.windows(lookback, places)))
    y = torch.from_numpy(samples.y[places].astype(np.float32))
    weight = torch.from_numpy(samples.weight[places].astype(np.float32))
    return (_row_losses(raw, y, target) * weight).mean()


def _row_losses(raw: Tensor, y: Tensor, target: Target) -> Tensor:
    if target.task == "return":  # a crash counts, but not squared
        return nn.functional.huber_loss(raw, y, reduction="none", delta=2.0).mean(dim=1)
    if target.task == "direction":
        each = nn.functional.binary_cross_entropy_with_logits(raw, y, reduction="none")
        return each.mean(dim=1)
    classes = y.reshape(-1).long()
    each = nn.functional.cross_entropy(raw.reshape(-1, 3), classes, reduction="none")
    return each.reshape(len(y), -1).mean(dim=1)


def _outputs(raw: Tensor, target: Target) -> Tensor:
    shaped = raw.reshape(len(raw), len(target.horizons), len(target.outputs)).double()
    if target.task == "return":
        return shaped
    return torch.sigmoid(shaped) if target.task == "direction" else torch.softmax(shaped, dim=2)


@contextmanager
def _one_thread_and_seed(seed: int) -> Iterator[None]:
    """Small nets run faster on one thread, and repeat; the caller's random state is left alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
