"""What a worker process does: fit models on samples it finds in files, and save what they learned.

It reads one line of JSON for each job and answers with one; samples and models travel as files of
data, so nothing is pickled on the way there or back.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from barstack.core.errors import BarstackError
from barstack.core.forecast import Target
from barstack.datasets import FittedScaler, Samples

from . import _calls
from ._model import MODELS, Model

IDLE_S = 60.0  # after which a worker without a job ends

_ARRAYS = ("rows", "history", "y", "weight")


def write_samples(samples: Samples, folder: Path) -> None:
    """Into a new folder."""
    folder.mkdir(parents=True)
    np.save(folder / "table.npy", samples.table, allow_pickle=False)
    for name in _ARRAYS:
        np.save(folder / f"{name}.npy", getattr(samples, name), allow_pickle=False)
    (folder / "scaler.json").write_text(json.dumps(samples.scaler.to_json()))


def read_samples(folder: Path) -> Samples:
    """What `write_samples` wrote; the table is looked into where it lies, in one copy for all."""
    table = folder / "table.npy"
    values = np.asarray(np.load(table, mmap_mode="r", allow_pickle=False))
    rows, history, y, weight = (
        np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS
    )
    content = json.loads((folder / "scaler.json").read_text())
    scaler = FittedScaler.from_json(content, values.shape[1])
    return Samples(values, rows, scaler, history, y, weight)


def fit_together(
    models: Sequence[Model], fit: Samples, stop: Samples | None, target: Target, seeds: list[int]
) -> list[Any]:
    """What each model learned, or the `BarstackError` that kept it from learning.

    Several are networks of one shape, which are trained as one.
    """
    if len(models) > 1:
        from .neural._torch import fused  # noqa: PLC0415

        found: list[Any] = fused().fit_together(models, fit, stop, target, seeds)
        return found
    try:
        return [_calls.fit(models[0], fit, stop, target, seeds[0])]
    except BarstackError as error:
        return [error]


def main() -> None:
    """Work until nobody asks any more."""
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers = _answers()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    while True:
        try:
            line = jobs.get(timeout=IDLE_S)
        except queue.Empty:
            return
        print(json.dumps(_answer(json.loads(line))), file=answers, flush=True)


def _listen(jobs: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    # Whoever asked is gone, perhaps killed: nobody wants what is being trained.
    os._exit(0)


def _answers() -> TextIO:
    """Where answers go; what libraries print goes to the errors instead of among them."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "w")


def _answer(job: dict[str, Any]) -> list[str | None]:
    """For each model None once it is saved, or the sentence that says why it is not.

    Empty where they cannot be made here, as those that a script or a notebook defines.
    """
    try:
        for module in job["modules"]:
            importlib.import_module(module)  # registers models that are no plugin of their own
        models = [MODELS.parse(content) for content in job["models"]]
    except (ImportError, BarstackError):
        return []
    try:
        return _done(job, models)
    except (BarstackError, OSError) as error:
        return [_sentence(error)] * len(models)


def _done(job: dict[str, Any], models: list[Model]) -> list[str | None]:
    target = Target.from_json(job["target"])
    samples = Path(job["samples"])
    fit = read_samples(samples / "fit")
    stop = read_samples(samples / "stop") if (samples / "stop").is_dir() else None
    said: list[str | None] = []
    learned = fit_together(models, fit, stop, target, job["seeds"])
    for model, own, to in zip(models, learned, job["to"], strict=True):
        said.append(str(own) if isinstance(own, BarstackError) else _saved(model, own, Path(to)))
    return said


def _saved(model: Model, learned: Any, folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True)
        _calls.save(model, learned, folder)
    except (BarstackError, OSError) as error:
        return _sentence(error)
    return None


def _sentence(error: BarstackError | OSError) -> str:
    if isinstance(error, BarstackError):
        return str(error)
    return (
        f"its worker process could not use a file: {error}. Make room in the system's temporary "
        "folder, or train in this process (way='alone')."
    )
