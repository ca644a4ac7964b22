"""What a neural model learned, as data: weights, where it started from, and how it went."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from barstack.core.errors import ArtifactError
from barstack.core.stored import Number, Stored
from barstack.core.untrusted import opened, read_json

from .._arrays import require
from ._settings import NetworkSettings

_WEIGHTS, _TRAINING = "network.safetensors", "training.json"
_MOST_FEATURES = 1_000_000
_LARGEST = 1e6  # beyond any weight that training gives
_LARGEST_FILE = 2**31
_LONGEST_HEADER = 2**24
_WAY_OUT = "Restore it from a copy, or run the study again."


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows.

    train_loss, stop_loss  on average over rows by weight; dropout counts in the first
    learning_rate          of its last step
    """

    number: int
    steps: int
    train_loss: float
    stop_loss: float
    learning_rate: float
    seconds: float


class _Epoch(Stored):
    """An `Epoch` in a file."""

    number: int = Field(ge=0, le=10**9)
    steps: int = Field(ge=0, le=10**12)
    train_loss: Number
    stop_loss: Number
    learning_rate: Number
    seconds: float = Field(ge=0)


class _TrainingFile(Stored):
    """What lies beside the weights."""

    n_features: int = Field(ge=1, le=_MOST_FEATURES)
    mode: Literal["dense", "windows"]
    start: list[Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]]
    curves: list[_Epoch] = Field(max_length=1_000_000)  # none of what tickers begin from


@dataclass(eq=False)
class Learned:
    """A trained network.

    start   (n_outputs,) the naive forecast that the network's numbers are added to
    mode    "dense" or "windows": what it was trained on
    curves  every epoch, the best of which the weights are from
    """

    network: nn.Module
    start: Tensor
    n_features: int
    mode: str
    curves: tuple[Epoch, ...]

    @property
    def best(self) -> Epoch:
        """The epoch that did best on the rows to stop by."""
        return min(self.curves, key=lambda epoch: epoch.stop_loss)

    def raw(self, windows: Tensor) -> Tensor:
        """(n_rows, lookback, n_features) -> (n_rows, n_outputs), before any softmax."""
        found = self.network(windows)
        raw: Tensor = (found[:, -1] if found.dim() == 3 else found) + self.start
        return raw

    def save(self, folder: Path) -> None:
        """Weights as safetensors, the rest as JSON: arrays and names, no code."""
        weights = {name: value.contiguous() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / _WEIGHTS)
        story = {
            "n_features": self.n_features,
            "mode": self.mode,
            "start": self.start.tolist(),
            "curves": [asdict(epoch) for epoch in self.curves],
        }
        (folder / _TRAINING).write_text(json.dumps(story, indent=1))


def load(model: NetworkSettings, folder: Path, n_outputs: int) -> Learned:
    """Read what `Learned.save` wrote; names, shapes and values are checked before they are used."""
    story = _read_training(folder / _TRAINING, n_outputs)
    file = folder / _WEIGHTS
    # On the device "meta" a network has shapes and takes no memory, so that a file that asks for
    # huge arrays is refused before any is made.
    with torch.device("meta"), _arrays_at_most(_count(file), file):
        network = model.network(story.n_features, n_outputs)
    weights = read_weights(
        file, {name: tuple(value.shape) for name, value in network.state_dict().items()}
    )
    network.load_state_dict(weights, assign=True)
    start = torch.tensor(story.start, dtype=torch.float32)
    curves = tuple(Epoch(**epoch.model_dump()) for epoch in story.curves)
    return Learned(network.eval(), start, story.n_features, story.mode, curves)


def _count(file: Path) -> int:
    """Arrays that the file says it holds, once it is a file with a header of some size."""
    with opened(file, _LARGEST_FILE) as stream:
        length = int.from_bytes(stream.read(8), "little")
        require(file, length <= _LONGEST_HEADER, f"its header has {length:,} bytes")
    try:
        with safe_open(file, "pt") as arrays:
            return len(arrays.keys())
    except Exception as error:  # noqa: BLE001 (safetensors raises its own, unexported class)
        raise ArtifactError(f"{file} cannot be read: {error}. {_WAY_OUT}") from None


@contextmanager
def _arrays_at_most(count: int, file: Path) -> Iterator[None]:
    """A network of a billion layers would be built forever: stop where it outgrows its weights."""
    made = 0

    def counted(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal made
        made += parameter is not None
        if made > 4 * count + 16:  # a module may make a few anew
            raise ArtifactError(
                f"{file} holds {count} arrays, too few for this network. {_WAY_OUT}"
            )

    handle = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        handle.remove()


def read_weights(file: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Finite float32 arrays of just these names and shapes, or `ArtifactError`."""
    try:
        with safe_open(file, "pt") as arrays:
            found = {name: tuple(arrays.get_slice(name).get_shape()) for name in arrays.keys()}  # noqa: SIM118
        if found != shapes:
            wrong = sorted(
                name for name in found.keys() | shapes.keys() if found.get(name) != shapes.get(name)
            )
            raise ArtifactError(
                f"{file} does not hold this network: {wrong[0]} has shape {found.get(wrong[0])}, "
                f"expected {shapes.get(wrong[0])}. {_WAY_OUT}"
            )
        # Copies: what lies in the file is not aligned as what was trained, and the processor's
        # vector instructions then round other sums than in research.
        weights = {name: value.clone() for name, value in load_file(file).items()}
    except ArtifactError:
        raise
    except Exception as error:  # noqa: BLE001 (safetensors raises its own, unexported class)
        raise ArtifactError(f"{file} cannot be read: {error}. {_WAY_OUT}") from None
    for name, value in weights.items():
        if value.dtype != torch.float32 or not (value.abs() <= _LARGEST).all():  # false of NaN
            raise ArtifactError(f"{name} in {file} is not all finite float32. {_WAY_OUT}")
    return weights


def _read_training(file: Path, n_outputs: int) -> _TrainingFile:
    story = _TrainingFile.read(read_json(file), file)
    require(file, len(story.start) == n_outputs, f"it starts from {len(story.start)} numbers")
    return story
