"""TimesFM on bars: its forecast path, a head that reads it, and files. Needs PyTorch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn

from barstack.core.arrays import Floats
from barstack.core.errors import ArtifactError, ConfigError
from barstack.core.files import sha256_of
from barstack.core.forecast import Target
from barstack.core.stored import Stored
from barstack.core.untrusted import read_json
from barstack.datasets import Inputs, Samples

from .._arrays import check_files, read_arrays, require, seal_files, write_arrays
from ..neural._training import one_thread, seeded
from ._checkpoint import path, read_network
from ._settings import NAMED_WEIGHTS, WEIGHTS, TimesFMSettings

_HEAD, _ORIGIN, _WEIGHTS = "head.npz", "timesfm.json", "model.safetensors"
_AT_ONCE = 256
# Steps of the path that the head reads: neighbouring ones say nearly the same.
_STEPS = (1, 2, 4, 8, 16, 32, 64, 128)


class _WeightsOrigin(Stored):
    """Of which file of weights the head reads; empty where they lie beside it."""

    sha256: str = Field(pattern=r"^([0-9a-f]{64})?$")


@dataclass(frozen=True, eq=False)
class TunedTimesFM:
    """A network and the head that reads its path.

    scale      (n_steps,) deviation of what the head reads, in training rows
    head       (n_steps, n_horizons)
    intercept  (n_horizons,)
    sha256     of the file of weights; empty where these were tuned, and are kept themselves
    """

    network: nn.Module
    scale: Floats
    head: Floats
    intercept: Floats
    sha256: str


def fit(model: TimesFMSettings, train: Samples, seed: int) -> TunedTimesFM:
    """The head alone, or with `tune: all` the network first and then the head."""
    file = Path(model.weights)
    network = read_network(file)
    NAMED_WEIGHTS.add(file)
    _check(model, network, train)
    places = np.arange(len(train))[-model.most_rows :]
    series, y, weight = _series(model, train, places), train.y[places], train.weight[places]
    sha256 = sha256_of(file)
    if model.tune == "all":
        _tune(model, network, series, y, weight, seed)
        sha256 = ""
    read = _read(network, series)
    scale = read.std(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    head, intercept = _ridge(read / scale, y, weight, model.penalty)
    return TunedTimesFM(network, scale, head, intercept, sha256)


def predict(model: TimesFMSettings, learned: TunedTimesFM, inputs: Inputs) -> Floats:
    """(n_rows, n_horizons, 1) in training deviations."""
    _check(model, learned.network, inputs)
    read = _read(learned.network, _series(model, inputs, np.arange(len(inputs))))
    return np.asarray((read / learned.scale) @ learned.head + learned.intercept)[:, :, None]


def save(model: TimesFMSettings, learned: TunedTimesFM, folder: Path) -> None:
    """The head, and the network where it was tuned; otherwise the hash of the file it is in."""
    arrays = {"scale": learned.scale, "head": learned.head, "intercept": learned.intercept}
    write_arrays(folder / _HEAD, **arrays)
    (folder / _ORIGIN).write_text(json.dumps({"sha256": learned.sha256}))
    if not learned.sha256:
        own = {name: value.contiguous() for name, value in learned.network.state_dict().items()}
        save_file(own, folder / _WEIGHTS)
    seal_files(folder)


def load(model: TimesFMSettings, folder: Path, target: Target) -> TunedTimesFM:
    """What `save` wrote; `ArtifactError` where the user's file is not the one trained with."""
    check_files(folder)
    sha256 = _WeightsOrigin.read(read_json(folder / _ORIGIN), folder / _ORIGIN).sha256
    file = _brought(model, sha256) if sha256 else folder / _WEIGHTS
    outputs = len(target.horizons)
    kinds = {"scale": "steps", "head": f"steps,{outputs}", "intercept": f"{outputs}"}
    read = read_arrays(folder / _HEAD, **{name: f"float64 {k}" for name, k in kinds.items()})
    require(folder / _HEAD, (read["scale"] > 0).all(), "a scale is not above 0")
    network = read_network(file)
    fits = len(read["scale"]) == len(_steps(network))
    require(folder / _HEAD, fits, "the head reads other steps than the network forecasts")
    return TunedTimesFM(network, **read, sha256=sha256)


def _brought(model: TimesFMSettings, sha256: str) -> Path:
    """The user's own file of weights: never a path that only the artifact names."""
    named = [Path(each) for each in os.environ.get(WEIGHTS, "").split(os.pathsep) if each]
    files = [each for each in (*NAMED_WEIGHTS, *named) if each.is_file()]
    for file in files:
        if sha256_of(file) == sha256:
            return file
    looked = f"{', '.join(map(str, files))} is not it" if files else "no file is named there"
    raise ArtifactError(
        f"The model was trained with weights of SHA-256 {sha256}, from {model.weights!r}. No file "
        f"that an artifact names is opened: name it in the environment, {WEIGHTS}=PATH ({looked})."
    )


def _series(model: TimesFMSettings, inputs: Inputs, places: Any) -> Tensor:
    """(n_places, lookback) the log price against that of the newest bar, from log returns."""
    short = inputs.history[places] < model.lookback
    if short.any():
        inputs.windows(model.lookback, places)  # says which row has too short a history
    steps = inputs.rows[places][:, None] + np.arange(1 - model.lookback, 1)
    prices = inputs.table[:, model.feature][steps].cumsum(axis=1)
    return torch.from_numpy((prices - prices[:, -1:]).astype(np.float32))


def _read(network: nn.Module, series: Tensor) -> Floats:
    """(n_rows, n_steps) the forecast change of the log price after each of `_STEPS` bars."""
    with torch.inference_mode(), one_thread():
        parts = [
            path(network, series[start : start + _AT_ONCE])[:, _steps(network)]
            for start in range(0, len(series), _AT_ONCE)
        ]
    return torch.cat(parts).double().numpy()


def _steps(network: Any) -> list[int]:
    return [step - 1 for step in _STEPS if step <= network.o]


def _tune(
    model: TimesFMSettings, network: nn.Module, series: Tensor, y: Floats, weight: Floats, seed: int
) -> None:
    """Huber's loss through a head that is learned along, which the caller replaces by the best."""
    random = np.random.default_rng(seed)
    with one_thread(), seeded(seed, torch.device("cpu")):
        read = _read(network, series)
        scale = torch.from_numpy(np.where(read.std(axis=0) > 0, read.std(axis=0), 1.0)).float()
        first = _ridge(read / scale.numpy(), y, weight, model.penalty)
        head, intercept = (nn.Parameter(torch.from_numpy(each).float()) for each in first)
        network.train()
        parameters = [*network.parameters(), head, intercept]
        optimizer = torch.optim.AdamW(parameters, model.learning_rate)
        labels, counts = (torch.from_numpy(each.astype(np.float32)) for each in (y, weight))
        for places in _shuffled(len(series), model.epochs, model.batch, random):
            optimizer.zero_grad()
            seen = path(network, series[places])[:, _steps(network)] / scale
            each = nn.functional.huber_loss(
                seen @ head + intercept, labels[places], reduction="none", delta=2.0
            )
            loss = (each.mean(dim=1) * counts[places]).mean()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        network.eval()


def _shuffled(
    n_rows: int, epochs: int, batch: int, random: np.random.Generator
) -> Iterator[Tensor]:
    for _ in range(epochs):
        order = torch.from_numpy(random.permutation(n_rows))
        for start in range(0, n_rows, batch):
            yield order[start : start + batch]


def _ridge(X: Floats, y: Floats, weight: Floats, penalty: float) -> tuple[Floats, Floats]:
    share = weight[:, None] / weight.sum()
    centre, mean = (share * X).sum(axis=0), (share * y).sum(axis=0)
    moved = X - centre
    gram = moved.T @ (share * moved) + penalty * np.eye(X.shape[1])
    head = np.linalg.lstsq(gram, moved.T @ (share * (y - mean)), rcond=None)[0]
    return head, mean - centre @ head


def _check(model: TimesFMSettings, network: Any, inputs: Inputs) -> None:
    if model.feature >= inputs.n_features:
        raise ConfigError(
            f"timesfm reads feature {model.feature}, counted from 0, and there are "
            f"{inputs.n_features} columns. Give the place of the log return."
        )
    if model.lookback % network.p:
        raise ConfigError(
            f"lookback {model.lookback} is no multiple of {network.p} bars, a patch of these "
            "weights. Choose one that is."
        )
