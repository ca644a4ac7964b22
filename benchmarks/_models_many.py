"""Six configurations of an architecture in worker processes, against one at a time.

One at a time is the plain trainer on exact windows, on one thread or on two, whichever is quicker.
Six at once are a pool of processes with one thread each, as many as there are cores, that train as
the trainer chooses. Both sides take turns and the medians count, by the clock: other work on the
machine blurs them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from barstack.core.arrays import Rows
from barstack.datasets import Dataset
from barstack.models import MODELS, Model, train
from barstack.models.neural import _training
from barstack.models.neural._neural import Neural

LOOKBACK, BATCH = 60, 64  # bars of the causal networks; others have the windows of their size
CONFIGURATIONS = 6
RATES = (5e-4, 1e-3, 2e-3)
# Few epochs would time how work is handed out, and is begun, rather than training.
ALONE_S, TOGETHER_S = 2.0, 6.0  # that one model on windows, and six as chosen, should take
LEAST_EPOCHS, MOST_EPOCHS = 2, 60

_given: list[Any] = []  # of a worker process: its dataset and rows


def speeds(name: str, dataset: Dataset, rows: Rows, repeats: int) -> dict[str, Any]:
    """Model-epochs a second of both sides, and their ratio."""
    began = time.perf_counter()
    train(model_of(name, 0, 1, "windows"), dataset, rows, 0)
    epochs = enough(ALONE_S, time.perf_counter() - began)
    single = model_of(name, 0, epochs, "windows")
    rates: dict[str, list[float]] = {}
    with ProcessPoolExecutor(
        len(os.sched_getaffinity(0)), get_context("spawn"), _begin, (dataset, rows)
    ) as pool:
        in_pool(pool, name, 1)  # compiled, and workers started
        began = time.perf_counter()
        in_pool(pool, name, 1)
        longer = enough(TOGETHER_S, time.perf_counter() - began)
        for _ in range(repeats):
            for threads in (1, 2):
                with threads_of_the_trainer(threads):
                    began = time.perf_counter()
                    train(single, dataset, rows, 0)
                    note(rates, f"one_at_a_time_{threads}", epochs, began)
            began = time.perf_counter()
            in_pool(pool, name, longer)
            note(rates, "in_pool", CONFIGURATIONS * longer, began)
    medians = {key: float(np.median(each)) for key, each in rates.items()}
    plain = max(medians["one_at_a_time_1"], medians["one_at_a_time_2"])
    return {
        "one_at_a_time_epochs_per_s": round(plain, 3),
        "chosen_epochs_per_s": round(medians["in_pool"], 3),
        "speedup": round(medians["in_pool"] / plain, 2),
    }


def in_pool(pool: ProcessPoolExecutor, name: str, epochs: int) -> None:
    """Train all configurations in worker processes."""
    models = [model_of(name, number, epochs, "auto") for number in range(CONFIGURATIONS)]
    assert set(pool.map(_train, models)) == {epochs}


def _begin(dataset: Dataset, rows: Rows) -> None:
    _given[:] = dataset, rows
    torch.set_num_threads(1)


def _train(model: Neural) -> int:
    dataset, rows = _given
    return len(train(model, dataset, rows, 0).curves())


def enough(seconds: float, epoch_s: float) -> int:
    """Epochs that take about so long."""
    return int(np.clip(seconds / epoch_s, LEAST_EPOCHS, MOST_EPOCHS))


def model_of(name: str, number: int, epochs: int, mode: str) -> Neural:
    """A configuration that is never stopped early, so that all sides have the same to do."""
    settings = {
        "model": name, "batch": BATCH, "learning_rate": RATES[number % len(RATES)],
        "dropout": 0.1 * (1 + number % 2), "epochs": epochs, "patience": epochs, "mode": mode,
    }  # fmt: skip
    model: Model = MODELS.parse(settings | size_of(name))
    assert isinstance(model, Neural)
    return model


def size_of(name: str) -> dict[str, int]:
    """Settings of an architecture that are not those of its reference size.

    A causal network looks back further than by default, which adds layers to two of them; of the
    others the window is part of the size.
    """
    kind = MODELS.get(name)
    return {"lookback": LOOKBACK} if issubclass(kind, Neural) and kind.causal else {}


def note(rates: dict[str, list[float]], what: str, epochs: int, began: float) -> None:
    rates.setdefault(what, []).append(epochs / (time.perf_counter() - began))


@contextmanager
def threads_of_the_trainer(count: int) -> Iterator[None]:
    """The trainer keeps to one thread; here it may have more."""

    @contextmanager
    def threads() -> Iterator[None]:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    kept, _training.one_thread = _training.one_thread, threads
    try:
        yield
    finally:
        _training.one_thread = kept
