"""Training as it stands between two epochs, in one file: whole or absent, and data only."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from barstack.core.errors import StorageError
from barstack.core.files import new_file
from barstack.datasets import Samples

from ._learned import Epoch

_FILE = "checkpoint.safetensors"
# Recurrent networks idle for some dozens of steps before they find anything, and few rows make few
# steps an epoch: patience counts from here on. A step on chunks learns from three times as many
# labels as one on windows.
STEPS_BEFORE_WAITING = {"windows": 100, "dense": 50}

EVERY_S = 5.0  # an epoch that is lost to a kill is made again, the same


@dataclass(eq=False)
class TrainingState:
    """All that the rest of a training depends on, and the weights when it was best."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    shuffle: np.random.Generator
    steps_before_waiting: int
    best: dict[str, Tensor] = field(default_factory=dict)
    best_loss: float = np.inf
    waited: int = 0
    curves: list[Epoch] = field(default_factory=list)

    def record(self, epoch: Epoch) -> None:
        """Append an epoch, and keep the weights when it is the best so far."""
        self.curves.append(epoch)
        if epoch.stop_loss < self.best_loss:
            self.best_loss, self.waited = epoch.stop_loss, 0
            now = self.network.state_dict()
            self.best = {name: value.detach().clone() for name, value in now.items()}
        elif sum(each.steps for each in self.curves) >= self.steps_before_waiting:
            self.waited += 1


class Checkpoint:
    """A file for the training of one model on one set of rows; of another one it is refused."""

    def __init__(self, folder: Path | None, what: str) -> None:
        self._file = folder / _FILE if folder else None
        self._what, self._written = what, time.monotonic()

    def write(self, state: TrainingState) -> None:
        """Keep the state, unless that was done a moment ago."""
        if self._file is None or time.monotonic() - self._written < EVERY_S:
            return
        tensors = {f"network.{name}": value for name, value in state.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in state.best.items()}
        for place, moments in state.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{place}.{name}": value for name, value in moments.items()}
        tensors["random"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["random_cuda"] = torch.cuda.get_rng_state()
        story = {
            "what": self._what,
            "shuffle": state.shuffle.bit_generator.state,
            "best_loss": state.best_loss if state.best else None,
            "waited": state.waited,
            "curves": [asdict(epoch) for epoch in state.curves],
        }
        with new_file(self._file) as scratch:
            own = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
            save_file(own, scratch, {"story": json.dumps(story)})
        self._written = time.monotonic()

    def read(self, state: TrainingState) -> None:
        """Bring `state` to where the file stands, if there is one."""
        if self._file is None or not self._file.is_file():
            return
        try:
            with safe_open(self._file, "pt") as opened:
                story = json.loads(opened.metadata()["story"])
            tensors = load_file(self._file)
        except Exception as error:  # noqa: BLE001 (safetensors raises its own, unexported class)
            raise StorageError(
                f"{self._file} cannot be read: {error}. Delete it, and training begins anew."
            ) from None
        if story["what"] != self._what:
            raise StorageError(
                f"{self._file} is of another model, seed or other rows ({story['what']}, here "
                f"{self._what}). Give each training a folder of its own, or delete the file."
            )
        state.network.load_state_dict(_under("network.", tensors))
        state.best = _under("best.", tensors)
        own: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimizer.", tensors).items():
            place, _, moment = name.partition(".")
            own.setdefault(int(place), {})[moment] = value
        groups = state.optimizer.state_dict()["param_groups"]
        state.optimizer.load_state_dict({"state": own, "param_groups": groups})
        state.shuffle.bit_generator.state = story["shuffle"]
        torch.set_rng_state(tensors["random"])
        if torch.cuda.is_available() and "random_cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random_cuda"])
        state.best_loss = np.inf if story["best_loss"] is None else story["best_loss"]
        state.waited = story["waited"]
        state.curves = [Epoch(**epoch) for epoch in story["curves"]]

    def remove(self) -> None:
        """Forget it: the training is over."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def fingerprint(content: Any, seed: int, *samples: Samples) -> str:
    """Sixteen hex digits of all that training depends on."""
    digest = hashlib.sha256(json.dumps([content, seed], sort_keys=True).encode())
    for each in samples:
        digest.update(json.dumps(each.scaler.to_json(), sort_keys=True).encode())
        for array in (each.rows, each.y, each.weight, each.last()):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
